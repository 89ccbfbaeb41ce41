"""The link to a Work that runs already, as a service, and goes on when the app ends."""

from __future__ import annotations

import asyncio
import logging

from lightning_grpc.coordinator.backlog import Backlog
from lightning_grpc.coordinator.events import (
    AttachFailed,
    AttachWork,
    RunAnswered,
    RunPutOff,
    RunRefused,
    RunSent,
    RunWork,
    StopWork,
    WorkAttached,
    WorkExited,
)
from lightning_grpc.coordinator.link import UNREACHABLE_AFTER_S, Backoff, Link, Owner
from lightning_grpc.errors import LightningGrpcError, TransportError
from lightning_grpc.runtimes.remote import ask_introduction, connect
from lightning_grpc.state.subscription import Subscription

_log = logging.getLogger("lightning_grpc")

AWAY_AFTER_S = 1.0
"""A service to which there has been no connection for this long is shown as unreachable."""
_DESCRIBE_DEADLINE_S = 3.0
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0


class RemoteLink(Link):
    """The connection to a service, over as many of its processes as it takes.

    It has two tasks beside its life on the supervisor's loop: one asks who is there and follows the state, one passes
    calls on. What becomes of calls when the service comes back as another process is decided by whoever is told.

    Args:
        owner: Whose it is.
        command: What to attach to which service.
    """

    def __init__(self, owner: Owner, command: AttachWork) -> None:
        super().__init__(owner, command.work, command.incarnation)
        self._command = command
        self._address = command.attachment.address
        self._epoch = 0
        self._contact = asyncio.Event()  # while a process is known to be there
        self._over = asyncio.Event()
        self._dropped: set[str] = set()
        self._silence_s = AWAY_AFTER_S

    async def live(self) -> None:
        """Follow the service until the app has no use for it any more; it is left running."""
        try:
            self._channel = connect(self._command.attachment)
        except LightningGrpcError as error:
            self._give_up(error)
            self._inbox.put(WorkExited(self.work, self.incarnation, "was not attached"))
            return
        self._heard_s = asyncio.get_running_loop().time()
        self._stream = self._owner.spawn(self._follow(), f"state of {self.work}")
        calls = self._owner.spawn(self._pass_on_orders(), f"calls of {self.work}")
        try:
            await self._over.wait()
        finally:
            for task in (self._stream, calls):
                task.cancel()
            await asyncio.gather(self._stream, calls, return_exceptions=True)
            await self._channel.close()
        self._inbox.put(WorkExited(self.work, self.incarnation, "was detached"))

    def stop(self, command: StopWork) -> None:
        """Let the service be."""
        self._over.set()

    async def kill(self) -> None:
        """Let the service be."""
        self._over.set()

    def drop(self, call_id: str) -> None:
        """Do not ask for an execution any more."""
        self._dropped.add(call_id)

    async def _follow(self) -> None:
        """Ask who is there, and keep a stream open to it; again, when it breaks or another process answers."""
        backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        while True:
            try:
                if await self._make_contact() and not await self._attempt_stream(backoff):
                    return
            except LightningGrpcError as error:
                self._give_up(error)
                return
            finally:
                self._contact.clear()
                self._silence_s = AWAY_AFTER_S
            await asyncio.sleep(backoff.next_s())

    def _give_up(self, error: LightningGrpcError) -> None:
        message = f"{self.work} could not be attached to {self._address}: {error}"
        self._inbox.put(AttachFailed(self.work, self.incarnation, message))
        self._over.set()

    async def _make_contact(self) -> bool:
        """Ask who is there; returns whether somebody is.

        Raises:
            LightningGrpcError: It is not who it should be, and will not be.
        """
        assert self._channel is not None
        try:
            introduction = await ask_introduction(self._channel, _DESCRIBE_DEADLINE_S)
        except TransportError as error:
            if error.is_lasting and not self._epoch:
                raise
            self._trouble = str(error)
            _log.debug("%s: not there: %s", self.work, error)
            return False
        introduction.check(self.work, self._address, self._command.class_name, self._command.attributes)
        if introduction.epoch != self._epoch:
            self._epoch = introduction.epoch
            self._subscription, self._backlog = Subscription(self._epoch), Backlog()
            self._own.clear()
            self._inbox.put(WorkAttached(self.work, self.incarnation, self._epoch, self._address))
        self._heard_s = asyncio.get_running_loop().time()
        self._trouble, self._silence_s = "", UNREACHABLE_AFTER_S
        self._contact.set()
        return True

    async def _pass_on_orders(self) -> None:
        while True:
            order = await self._orders.get()
            await self._contact.wait()
            if isinstance(order, RunWork):
                await self._pass_on(order)
                if self._orders.empty():
                    self._dropped.clear()  # none of them can come any more
            elif order.epoch == self._epoch:
                self._inbox.put(await self._update(order, self._epoch))

    async def _pass_on(self, order: RunWork) -> None:
        """Ask one process until it has heard; a later one is asked only if this one has not accepted it, for sure."""
        backoff = Backoff()
        epoch, may_have_heard = order.epoch, bool(order.epoch)
        while True:
            await self._contact.wait()
            if order.call_id in self._dropped or epoch not in (0, self._epoch):
                return
            if not epoch:
                epoch = self._epoch
                self._inbox.put(RunSent(self.work, self.incarnation, order.call_id))
            try:
                self._inbox.put(await self._ask(order, epoch))
            except TransportError as error:  # not there, ending, or its queue is full
                _log.debug("%s: its call is made again: %s", self.work, error)
                may_have_heard = may_have_heard or not error.is_refusal
                if not may_have_heard:
                    self._inbox.put(RunPutOff(self.work, self.incarnation, order.call_id))
                    epoch = 0
                await asyncio.sleep(backoff.next_s())
            except LightningGrpcError as error:
                if await self._is_there(epoch):
                    refusal = RunRefused(self.work, self.incarnation, order.call_hash, order.call_id, str(error))
                    self._inbox.put(refusal)
                    return
                await asyncio.sleep(backoff.next_s())
            else:
                return

    async def _ask(self, order: RunWork, epoch: int) -> RunAnswered:
        assert self._channel is not None
        answer = await self._channel.run(
            order.call_id,
            order.call_hash,
            order.args,
            order.kwargs,
            order.attributes,
            epoch=epoch,
            requested_at_s=order.requested_at_s,
            caller=order.caller,
            trace=order.trace,
        )
        revision = 0
        if answer.final_status is not None:
            revision = (await ask_introduction(self._channel, _DESCRIBE_DEADLINE_S)).revision
        return RunAnswered(self.work, self.incarnation, order.call_hash, order.call_id, answer.final_status, revision)

    async def _is_there(self, epoch: int) -> bool:
        """Tell whether a process is there still, so that what it has said counts."""
        assert self._channel is not None
        try:
            return (await ask_introduction(self._channel, _DESCRIBE_DEADLINE_S)).epoch == epoch
        except LightningGrpcError:
            return False

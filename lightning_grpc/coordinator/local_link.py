"""The link to a Work whose process is started for the app, and ends with it."""

from __future__ import annotations

import asyncio
import contextlib
import signal

from lightning_grpc.coordinator.events import (
    RunRefused,
    RunWork,
    StopWork,
    UpdateWork,
    WorkExited,
    WorkStarted,
    WorkStartFailed,
)
from lightning_grpc.coordinator.link import Backoff, Link, Owner
from lightning_grpc.errors import LightningGrpcError, RuntimeStartError, TransportError
from lightning_grpc.runtimes.base import WorkHandle
from lightning_grpc.state.subscription import Subscription
from lightning_grpc.wire.client import WorkChannel

STOP_GRACE_S = 3.0
"""How long a Work may take to end before it is ended by force."""
END_DEADLINE_S = STOP_GRACE_S + 2.0
"""How long the Works of an app that ends may take together."""
_LAST_WORDS_S = 1.0


class LocalLink(Link):
    """The connection to one process of a Work.

    It has three tasks on the supervisor's loop: one follows the process's life, one its state, one passes calls on.

    Args:
        owner: Whose it is.
        work: The Work's name.
        incarnation: Which of its processes.
        package: What the runtime took down of the Work.
    """

    def __init__(self, owner: Owner, work: str, incarnation: int, package: bytes) -> None:
        super().__init__(owner, work, incarnation)
        self._package = package
        self._starting: asyncio.Task[WorkHandle] | None = None
        self._handle: WorkHandle | None = None
        self._stopping: StopWork | None = None

    async def live(self) -> None:
        """Follow the process from its start to its end."""
        runtime = self._owner.runtime
        self._starting = asyncio.get_running_loop().create_task(
            runtime.start(self.work, self._package), name=f"start of {self.work}"
        )
        if self._stopping is not None:
            self._starting.cancel()
        try:
            handle = self._handle = await self._starting
        except RuntimeStartError as error:
            self._inbox.put(WorkStartFailed(self.work, self.incarnation, str(error)))
            return
        except asyncio.CancelledError:
            self._inbox.put(WorkExited(self.work, self.incarnation, "was ended before it served"))
            return
        self._inbox.put(WorkStarted(self.work, self.incarnation, handle.epoch, handle.pid, handle.address))
        self._channel = WorkChannel(handle.address, self.work, runtime.token)
        self._subscription = Subscription(handle.epoch)
        self._heard_s = asyncio.get_running_loop().time()
        self._stream = self._owner.spawn(self._follow(), f"state of {self.work}")
        calls = self._owner.spawn(self._pass_on_orders(handle), f"calls of {self.work}")
        try:
            how = await handle.exited
            await self._hear_last_words()
        finally:
            for task in (self._stream, calls):
                task.cancel()
            await asyncio.gather(self._stream, calls, return_exceptions=True)
            await self._channel.close()
        self._inbox.put(WorkExited(self.work, self.incarnation, str(how)))

    def stop(self, command: StopWork) -> None:
        """End the process: by request, then by signal, then by force. One that does not serve yet, by force."""
        if self._stopping is not None:
            return
        self._stopping = command
        if self._handle is not None:
            self._owner.spawn(self._end(command), f"end of {self.work}")
        elif self._starting is not None:
            self._starting.cancel()

    async def kill(self) -> None:
        """End the process by force."""
        if self._handle is not None:
            await self._owner.runtime.signal(self._handle, signal.SIGKILL)
        elif self._starting is not None:
            self._starting.cancel()

    async def _hear_last_words(self) -> None:
        """Let the stream be read to its end, as long as anything comes."""
        assert self._stream is not None
        loop = asyncio.get_running_loop()
        self._heard_s = loop.time()
        while not self._stream.done() and loop.time() - self._heard_s < _LAST_WORDS_S:
            await asyncio.wait([self._stream], timeout=_LAST_WORDS_S / 4)

    async def _end(self, command: StopWork) -> None:
        handle, runtime = self._handle, self._owner.runtime
        assert handle is not None
        assert self._channel is not None
        try:
            await self._channel.stop(STOP_GRACE_S, command.reason, deadline_s=STOP_GRACE_S / 3)
        except LightningGrpcError:
            await runtime.signal(handle, signal.SIGTERM)
        if not await self._gone_within(STOP_GRACE_S):
            await runtime.signal(handle, signal.SIGKILL)

    async def _gone_within(self, seconds: float) -> bool:
        assert self._handle is not None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._handle.exited), seconds)
        return self._handle.exited.done()

    async def _follow(self) -> None:
        """Keep a stream open until the process is gone; resume it by revision when it breaks."""
        assert self._handle is not None
        backoff = Backoff()
        self._faults = 0
        while not self._handle.exited.done():
            if not await self._attempt_stream(backoff) or await self._gone_within(backoff.next_s()):
                return

    async def _pass_on_orders(self, handle: WorkHandle) -> None:
        assert self._channel is not None
        while True:
            order = await self._orders.get()
            if isinstance(order, UpdateWork):
                self._inbox.put(await self._update(order, handle.epoch))
                continue
            refusal = await self._pass_on(order, handle, self._channel)
            if refusal is not None:
                self._inbox.put(RunRefused(self.work, self.incarnation, order.call_hash, order.call_id, refusal))

    async def _pass_on(self, order: RunWork, handle: WorkHandle, channel: WorkChannel) -> str | None:
        """Ask until the Work has heard; it knows a repeated request by its id. Returns why it refused."""
        backoff = Backoff()
        while not handle.exited.done():
            try:
                await channel.run(
                    order.call_id,
                    order.call_hash,
                    order.args,
                    order.kwargs,
                    order.attributes,
                    epoch=handle.epoch,
                    requested_at_s=order.requested_at_s,
                    trace=order.trace,
                )
            except TransportError:  # not there, or its queue is full
                await asyncio.sleep(backoff.next_s())
            except LightningGrpcError as error:
                return str(error)
            else:
                return None
        return None  # the end of the process is told by another event

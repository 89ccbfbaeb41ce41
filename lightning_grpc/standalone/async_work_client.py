"""`AsyncWorkClient`: a client of a Work that is served by itself; `WorkClient` is the same without ``await``."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
import socket
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lightning_grpc.components.calls import call_hash
from lightning_grpc.components.status import FINAL_STAGES
from lightning_grpc.errors import ConfigurationError, NoAnswerError, ProtocolError, TransportError
from lightning_grpc.standalone.descriptions import UpdateAnswer, WorkServiceDescription, decode_description
from lightning_grpc.standalone.execution import AsyncExecution, RunRequest
from lightning_grpc.standalone.following import Following, WorkChange, follow
from lightning_grpc.standalone.target import make_target
from lightning_grpc.state.values import Value, copy, validate
from lightning_grpc.wire.client import RunAnswer, WorkChannel
from lightning_grpc.wire.credentials import ClientTls
from lightning_grpc.wire.logs import LogLine
from lightning_grpc.wire.tries import Tries

_MAX_TAIL = 1 << 31
_MAX_UNFINISHED = 10_000


class AsyncWorkClient:
    """A client of a Work that is served by itself, in whatever language.

    Every failure is one of the package's own errors: `TransportError` if the Work cannot be reached,
    `ConfigurationError` if it does not let the client in, `ProtocolError` if it refuses what it is asked for.

    Args:
        address: Where the Work answers: ``HOST:PORT``, ``unix:PATH``, or a target that gRPC resolves; after it, if
            several Works are served there, ``#NAME``.
        work: The same name, if it does not stand in the address.
        token: What the server asks for.
        token_file: A file with it, which only its owner may read; instead of `token`.
        tls: Whom to trust; instead of the following.
        tls_ca: A PEM file: the certificates that the server's must be signed by one of.
        tls_cert: A PEM file: the client's own certificate, if the server asks for one.
        tls_key: A PEM file: its private key.
        tls_server_name: The name in the server's certificate, if it is not the host's.
        caller: Who asks, for people; stands in the entry of each call. None for this process and machine.
        timeout_s: How long any request may take, and how long the Work may be away while it is followed, in seconds.

    Raises:
        ConfigurationError: The address is none; a file cannot be read; or a token would be sent in plain text.

    Threads: Belongs to the loop that it is first used on, and to the process that has made it.

    Example:
        ::

            async with AsyncWorkClient("127.0.0.1:50051") as work:
                execution = await work.run(3, pause_s=0.1)
                async for change in work.watch():
                    print(change.revision, change.changes)
                    if execution.is_over:
                        break
    """

    def __init__(
        self,
        address: str,
        *,
        work: str = "",
        token: str | None = None,
        token_file: str | Path | None = None,
        tls: ClientTls | None = None,
        tls_ca: str | Path | None = None,
        tls_cert: str | Path | None = None,
        tls_key: str | Path | None = None,
        tls_server_name: str = "",
        caller: str | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        if timeout_s <= 0:
            raise ConfigurationError(f"timeout_s is a time in seconds above 0, not {timeout_s}")
        self._target = make_target(
            address,
            work=work,
            token=token,
            token_file=token_file,
            tls=tls,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
            tls_server_name=tls_server_name,
        )
        self._caller = caller if caller is not None else f"process {os.getpid()} on {socket.gethostname()}"
        self._timeout_s = timeout_s
        self._pid = os.getpid()
        self._is_closed = False
        self._own_id = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._channel_or_none: WorkChannel | None = None
        self._following = Following(self._changes, self.name)
        self._unfinished: dict[str, AsyncExecution] = {}

    async def __aenter__(self) -> Self:
        await self.describe()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection, for good; the Work goes on, and so do its executions."""
        self._is_closed = True
        if self._pid != os.getpid():
            return
        await self._following.close()
        channel, self._channel_or_none = self._channel_or_none, None
        if channel is not None:
            await channel.close()

    @property
    def address(self) -> str:
        """Where the Work answers."""
        return self._target.address

    @property
    def name(self) -> str:
        """What errors call the Work: by its address, and its name if one was given."""
        return self._target.name

    @property
    def timeout_s(self) -> float:
        """How long any request may take, in seconds."""
        return self._timeout_s

    @property
    def silent_s(self) -> float | None:
        """How long ago this client last read something from a stream of the state, in seconds; None if it never did."""
        return self._following.silent_s

    async def describe(self) -> WorkServiceDescription:
        """Return who the Work is.

        Raises:
            ProtocolError: It speaks another major version of the protocol.
        """
        return decode_description(await self._channel().describe(self._timeout_s))

    async def run(self, *args: Value, **kwargs: Value) -> AsyncExecution:
        """Ask for one execution of the Work's ``run``; returns as soon as it is accepted.

        A request whose answer is lost is repeated, and executed once all the same. Executions are made one at a time,
        in the order in which the Work has accepted them, those of other callers among them.

        Raises:
            InvalidValueError: An argument is none that can be sent.
            TransportError: The Work could not be reached within `timeout_s`; or it was started anew meanwhile, so that
                nobody knows whether the execution was begun.
            ProtocolError: The Work has refused it.
        """
        number = next(self._numbers)
        request = RunRequest(f"{self._own_id}:{number}", call_hash(args, kwargs), args, kwargs, time.time())
        self.check_usable()
        self._following.begin()  # so that its end is seen, even if that of the Work follows
        epoch, answer = await self._submit(request)
        execution = AsyncExecution(self, request, epoch, answer.final_status)
        self._remember(execution)
        return execution

    async def watch(self, patience_s: float | None = None) -> AsyncGenerator[WorkChange, None]:
        """Yield the Work's state, then each revision as it comes, none left out while the Work has them.

        A stream that breaks is resumed by revision. When the Work is started anew, its new state follows, as `epoch`
        tells. Ends when the Work has ended in order and nobody answers in its place in time.

        Args:
            patience_s: How long the Work may be away, in seconds; the client's `timeout_s` unless it is given.

        Raises:
            TransportError: The Work was away for longer.
            ProtocolError: What the Work sends has no meaning, again and again.
        """
        self.check_usable()
        async with contextlib.aclosing(self._changes(patience_s)) as changes:
            async for change in changes:
                await self._following.note(change)  # so that executions know what the caller knows
                yield change

    async def state(self) -> dict[str, Any]:
        """Return the Work's state, ``{"vars": {...}, "calls": {...}}``, as of the newest revision that it tells; fresh.

        It is followed from now on, or from the first `run` on, so that it need not be sent as a whole again; digests
        prove the copy.
        """
        fresh: dict[str, Any] = copy((await self.newest(self._timeout_s)).state)
        return fresh

    async def wait(self, timeout_s: float | None = None) -> None:
        """Wait until the Work is idle: until what this client has asked for is over, and nothing else is under way.

        Raises:
            NoAnswerError: The time is over.
            TransportError: The Work cannot be reached any more.
        """
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                for execution in list(self._unfinished.values()):
                    await execution.wait_until_over()
                    self._unfinished.pop(execution.call_id, None)
                await self.newest(self._timeout_s)
                await self._following.until(_is_idle, None)
        except TimeoutError:
            if limit.expired():
                raise NoAnswerError(f"{self.name} was not idle within {timeout_s:g} s") from None
            raise

    async def update(self, **attributes: Value) -> UpdateAnswer:
        """Assign attributes of a Work that takes that, each if it has not changed since this client saw it.

        What the client has seen is the state that it follows, since `run` or `state` was first used; before that, it is
        the state at the moment.

        Raises:
            InvalidValueError: A value is none that can be sent.
            ProtocolError: The Work takes no updates, or has no such attribute.
        """
        for name, value in attributes.items():
            validate(value, (name,))
        seen = self._following.newest if self._following.is_alive else None
        if seen is None:
            described = await self.describe()
            epoch, revision = described.epoch, described.revision
        else:
            epoch, revision = seen.epoch, seen.revision
        updates = {name: (value, revision) for name, value in attributes.items()}
        at, conflicts = await self._channel().update(updates, epoch=epoch, deadline_s=self._timeout_s)
        return UpdateAnswer(at, conflicts)

    async def logs(self, *, tail: int = 100, follow: bool = False) -> AsyncGenerator[LogLine, None]:
        """Yield what the Work prints, line by line.

        Args:
            tail: How many lines of the past to begin with; the Work keeps only so many.
            follow: Whether to go on with what comes, until the Work ends.

        Raises:
            TransportError: The connection broke.
        """
        if not 0 <= tail < _MAX_TAIL:
            raise ConfigurationError(f"tail is a number of lines from 0 on, not {tail}")
        async with contextlib.aclosing(self._channel().logs(tail, follow=follow)) as batches:
            async for lines, dropped in batches:
                if dropped:
                    component = lines[0].component if lines else ""
                    yield LogLine(component, "dropped", 0.0, f"{dropped} lines were left out")
                for line in lines:
                    yield line

    async def stop(self, grace_s: float = 0.0, reason: str = "") -> None:
        """End the Work's process: its execution is interrupted, subscribers get the last revision.

        Args:
            grace_s: How long it may take before it is ended by force, in seconds; 0 for what the Work thinks fit.
            reason: Why, for people.
        """
        await self._channel().stop(grace_s, reason, self._timeout_s)

    # What executions need.

    @property
    def last_seen(self) -> WorkChange | None:
        """The newest state that has come; for executions."""
        return self._following.newest

    async def newest(self, within_s: float) -> WorkChange:
        """Return the state as it is now, shared; for executions."""
        told = await self.describe()
        return await self._following.until(
            lambda change: (change.epoch, change.revision) >= (told.epoch, told.revision), within_s
        )

    async def until_changed(self, seen: WorkChange | None, within_s: float | None) -> WorkChange:
        """Return the newest state as soon as it is another one than `seen`; for executions."""
        self.check_usable()
        return await self._following.until(lambda change: change is not seen, within_s)

    async def ask_again(self, request: RunRequest, epoch: int, deadline_s: float) -> RunAnswer | None:
        """Repeat a request; None if another epoch answers; for executions."""
        tries = Tries(deadline_s)
        while True:
            try:
                return await self._ask(request, epoch)
            except ProtocolError:
                if await self._answers_still(epoch):
                    raise
                return None
            except TransportError as error:
                tries.broke(error)
            await tries.pause()

    async def _submit(self, request: RunRequest) -> tuple[int, RunAnswer]:
        """Ask until the Work has heard; returns the epoch that has accepted it, and its answer."""
        tries = Tries(self._timeout_s)
        asked_epoch = 0  # the one that may have heard, though its answer was lost
        while True:
            try:
                epoch = (await self.describe()).epoch
            except TransportError as error:
                tries.broke(error)
                await tries.pause()
                continue
            if asked_epoch and epoch != asked_epoch:
                raise TransportError(
                    f"{self.name} was started anew while it was asked for an execution; whether the process before has "
                    "begun it, nobody knows. Look at the state, and run it again if need be."
                )
            try:
                return epoch, await self._ask(request, epoch)
            except TransportError as error:
                asked_epoch = asked_epoch if error.is_refusal else epoch
                tries.broke(error)
            except ProtocolError:
                if await self._answers_still(epoch):
                    raise
            await tries.pause()

    async def _answers_still(self, epoch: int) -> bool:
        """Tell whether it was not because of the epoch that a request was refused."""
        try:
            return (await self.describe()).epoch == epoch
        except TransportError:
            return False

    async def _ask(self, request: RunRequest, epoch: int) -> RunAnswer:
        return await self._channel().run(
            request.call_id,
            request.call_hash,
            request.args,
            dict(request.kwargs),
            {},
            epoch=epoch,
            requested_at_s=request.requested_at_s,
            caller=self._caller,
            deadline_s=self._timeout_s,
        )

    def _remember(self, execution: AsyncExecution) -> None:
        for call_id in [each.call_id for each in self._unfinished.values() if each.is_over]:
            del self._unfinished[call_id]
        if len(self._unfinished) >= _MAX_UNFINISHED:
            del self._unfinished[next(iter(self._unfinished))]
        self._unfinished[execution.call_id] = execution

    def _changes(self, patience_s: float | None = None) -> AsyncGenerator[WorkChange, None]:
        patience_s = self._timeout_s if patience_s is None else patience_s
        return follow(self._channel, self.name, patience_s, self._following.note_heard)

    def _channel(self) -> WorkChannel:
        self.check_usable()
        if self._channel_or_none is None:
            self._channel_or_none = self._target.connect()
        return self._channel_or_none

    @property
    def is_usable(self) -> bool:
        """Whether it is not closed, and this is the process that has made it."""
        return self._pid == os.getpid() and not self._is_closed

    def check_usable(self) -> None:
        """Refuse to go on with a client that is closed, or of another process.

        Raises:
            ConfigurationError: It is.
        """
        if self._pid != os.getpid():
            raise ConfigurationError(
                f"the client of {self.name} was made in process {self._pid}, and a connection does not survive a fork: "
                "make one in this process"
            )
        if self._is_closed:
            raise ConfigurationError(f"the client of {self.name} is closed; make another one")


def _is_idle(change: WorkChange) -> bool:
    entries = (entry for key, entry in change.state["calls"].items() if key not in ("latest_call_hash", "start"))
    return all(
        entry["statuses"][-1]["stage"] in FINAL_STAGES
        for entry in entries
        if isinstance(entry, dict) and entry.get("statuses")
    )

"""Following the state of a Work that is served by itself: over broken connections, and from one epoch to the next."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

from lightning_grpc.errors import InvariantError, LightningGrpcError, NoAnswerError, ProtocolError, TransportError
from lightning_grpc.state.delta import diff
from lightning_grpc.state.public import PublicDelta, to_public
from lightning_grpc.state.replica import Replica
from lightning_grpc.state.subscription import Foreign, Frame, Resync
from lightning_grpc.wire.client import WorkChannel
from lightning_grpc.wire.tries import Tries

_log = logging.getLogger("lightning_grpc")


@dataclass(frozen=True, slots=True)
class WorkChange:
    """One revision of a Work's state.

    Attributes:
        epoch: The incarnation; when it changes, the Work was started anew, and revisions begin again.
        revision: The revision.
        changes: What changed since the one that came before, in DeepDiff's form; empty for the first.
        state: The whole state as of this revision: ``{"vars": {...}, "calls": {...}}``. It shares with those of other
            revisions what is the same in them: copy it if you want to change it.
    """

    epoch: int
    revision: int
    changes: PublicDelta
    state: dict[str, Any]


async def follow(
    channel: Callable[[], WorkChannel], name: str, patience_s: float, heard: Callable[[], None]
) -> AsyncGenerator[WorkChange, None]:
    """Yield the Work's state, then each revision as it comes.

    A stream that breaks is resumed by revision; the copy is proven by the Work's digests, and made anew if it is not
    what they say. When another process of the Work answers, its state follows, with what differs.

    Args:
        channel: Gives the connection.
        name: What to call the Work in errors.
        patience_s: How long it may be away, in seconds.
        heard: Is called whenever something came of it.

    Yields:
        The revisions, none left out while the Work still has them. Ends if the Work has ended in order and nobody
        answers in its place.

    Raises:
        TransportError: A broken stream could not be resumed within `patience_s`.
        ProtocolError: What the Work sends has no meaning, again and again.
    """
    copy = _Copy()
    tries = Tries(patience_s)
    while True:
        try:
            async with contextlib.aclosing(_read(channel(), copy, tries, heard)) as changes:
                async for change in changes:
                    yield change
            tries.broke(TransportError(f"{name} has ended"))
        except _StreamGivenUp as given_up:
            _log.debug("%s: asking for a snapshot: %s", name, given_up)
            if given_up.is_fault:
                tries.failed(ProtocolError(f"the state of {name} cannot be followed: {given_up}"))
        except ProtocolError as error:
            copy.broken(str(error))
            tries.failed(error)
        except TransportError as error:
            try:
                tries.broke(error)
            except TransportError:
                if copy.has_ended:
                    return
                raise
        await tries.pause()


async def _read(
    channel: WorkChannel, copy: _Copy, tries: Tries, heard: Callable[[], None]
) -> AsyncGenerator[WorkChange, None]:
    """Yield the revisions of one stream, until the Work ends it in order."""
    # For whichever epoch is there: frames name it, and those of another one are told apart.
    async with contextlib.aclosing(channel.state_delta(0, copy.opened())) as stream:
        async for frames in stream:
            tries.heard()
            heard()
            copy.has_ended = False
            for frame in frames:
                if (change := copy.receive(frame)) is not None:
                    yield change
    copy.has_ended = True


class _StreamGivenUp(Exception):  # noqa: N818 - it leaves a stream, and is no error of anybody's
    """What came is of another epoch, or broke a rule of the stream, which is a fault; another one is to be opened."""

    def __init__(self, reason: str, *, is_fault: bool) -> None:
        super().__init__(reason)
        self.is_fault = is_fault


class _Copy:
    """The copy of a Work's state, over the epochs; and whether the Work has ended the newest stream in order."""

    def __init__(self) -> None:
        self.has_ended = False
        self._replica = Replica()
        self._last: dict[str, Any] | None = None

    def opened(self) -> int:
        """Note that a stream is being opened; returns the revision that it is to go on from."""
        return self._replica.subscription.opened()

    def broken(self, reason: str) -> None:
        """Begin again with a snapshot."""
        self._replica.subscription.broken(reason)

    def receive(self, frame: Frame) -> WorkChange | None:
        """Take in a frame; returns the revision that it makes, if it makes one."""
        version = self._replica.receive(frame)
        if isinstance(version, Foreign):
            self._replica = Replica()
            raise _StreamGivenUp(f"epoch {version.epoch} answers now", is_fault=False)
        if isinstance(version, Resync):
            raise _StreamGivenUp(version.reason, is_fault=True)
        if version is None:
            return None
        epoch, changes = self._replica.subscription.epoch, version.changes
        assert epoch is not None
        if not changes and self._last is not None:  # the first of another epoch
            changes = diff(self._last, version.document)
        self._last = version.document
        return WorkChange(epoch, version.revision, to_public(changes), version.document)


class Following:
    """Keeps the newest state of a Work at hand, from when it is first asked for until it is closed.

    Args:
        changes: Begins to follow; called again after following has failed.
        name: What to call the Work in errors.

    Attributes:
        newest: What came last; None before the first.

    Threads: Belongs to the loop.
    """

    def __init__(self, changes: Callable[[], AsyncGenerator[WorkChange, None]], name: str) -> None:
        self._changes = changes
        self._name = name
        self._task: asyncio.Task[None] | None = None
        self._error: LightningGrpcError | None = None
        self._came = asyncio.Condition()
        self.newest: WorkChange | None = None
        self._heard_at_s: float | None = None

    async def until(self, condition: Callable[[WorkChange], bool], within_s: float | None) -> WorkChange:
        """Return the newest state as soon as a condition holds for it.

        Args:
            condition: Tells whether it is the one that is waited for.
            within_s: How long to wait, in seconds; None for as long as it takes.

        Raises:
            NoAnswerError: The time is over.
            TransportError: The Work has ended, or cannot be reached any more.
            ProtocolError: Its state cannot be followed.
        """
        self.begin()
        try:
            async with asyncio.timeout(within_s), self._came:
                while self.newest is None or not condition(self.newest):
                    if self._error is not None:
                        raise self._error
                    await self._came.wait()
                return self.newest
        except TimeoutError as error:
            if isinstance(error, LightningGrpcError):
                raise
            raise NoAnswerError(f"{self._name} did not come to that within {within_s:g} s") from None

    @property
    def is_alive(self) -> bool:
        """Whether the state is being followed."""
        return self._task is not None and not self._task.done()

    @property
    def silent_s(self) -> float | None:
        """How long ago something came on a stream, in seconds; None if nothing ever did."""
        return None if self._heard_at_s is None else time.monotonic() - self._heard_at_s

    def note_heard(self) -> None:
        """Note that something came on a stream; a Work that is followed sends something every few seconds."""
        self._heard_at_s = time.monotonic()

    async def note(self, change: WorkChange) -> None:
        """Take in a revision that was heard, here or elsewhere, unless a newer one is known."""
        if self.newest is None or (self.newest.epoch, self.newest.revision) < (change.epoch, change.revision):
            self.newest = change
            await self._tell()

    async def close(self) -> None:
        """Follow no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def begin(self) -> None:
        """Follow from now on, if it is not followed already."""
        if not self.is_alive:
            self._error = None
            self._task = asyncio.create_task(self._follow(), name=f"state of {self._name}")

    async def _follow(self) -> None:
        error: LightningGrpcError = TransportError(f"{self._name} has ended")
        try:
            async with contextlib.aclosing(self._changes()) as changes:
                async for change in changes:
                    await self.note(change)
        except LightningGrpcError as raised:
            error = raised
        except Exception as raised:  # whoever waits shall not wait for ever
            _log.exception("%s: following its state has failed", self._name)
            error = InvariantError(f"following the state of {self._name} has failed: {raised!r}")
        self._error = error
        await self._tell()

    async def _tell(self) -> None:
        async with self._came:
            self._came.notify_all()

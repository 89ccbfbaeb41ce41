"""One Work as the coordinator's loop sees it: its state, and the calls it is asked for.

A `Link` follows the stream of a Work and passes calls on. Where the Work comes from is left to its kinds: a
`LocalLink` starts a process and ends it, a `RemoteLink` attaches to a service that is there already. Whoever owns
the links looks at them now and then, to notice one that has fallen silent.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import logging
import random
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any, Protocol

from lightning_grpc.coordinator.backlog import Backlog
from lightning_grpc.coordinator.events import (
    FramesReceived,
    ResyncWork,
    RunWork,
    StateLost,
    StopWork,
    UpdateAnswered,
    UpdateWork,
    WorkReachable,
    WorkUnreachable,
)
from lightning_grpc.coordinator.inbox import Inbox
from lightning_grpc.errors import LightningGrpcError, TransportError
from lightning_grpc.runtimes.base import Runtime
from lightning_grpc.state.subscription import Accepted, Bookmark, Foreign, Frame, Resync, Subscription
from lightning_grpc.wire.client import WorkChannel

_log = logging.getLogger("lightning_grpc")

UNREACHABLE_AFTER_S = 4.6
"""A Work that was not heard for this long is shown as unreachable; one that is quiet says so every three seconds."""
MAX_FAULTS = 5
"""A stream that has no meaning so often in a row, with nothing good in between, is not opened again."""


class Backoff:
    """How long to wait before the next attempt: longer each time, and never exactly as long as others do.

    Args:
        first_s: The first wait, about, in seconds.
        longest_s: The longest.
    """

    def __init__(self, first_s: float = 0.02, longest_s: float = 1.0) -> None:
        self._first_s = self._next_s = first_s
        self._longest_s = longest_s

    def reset(self) -> None:
        """Begin again with the first wait: an attempt was good for something."""
        self._next_s = self._first_s

    def next_s(self) -> float:
        """Return the seconds to wait now."""
        wait_s = self._next_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        self._next_s = min(self._next_s * 2, self._longest_s)
        return wait_s


class Owner(Protocol):
    """Whose links they are: what a link needs of the supervisor."""

    @property
    def runtime(self) -> Runtime:
        """Where Works are started."""

    @property
    def inbox(self) -> Inbox:
        """Where events go."""

    def spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run a coroutine as a named task."""


class Link(abc.ABC):
    """The connection to one Work.

    Args:
        owner: Whose it is.
        work: The Work's name.
        incarnation: Which of its processes, or of its attachments.
    """

    def __init__(self, owner: Owner, work: str, incarnation: int) -> None:
        self._owner = owner
        self._inbox = owner.inbox
        self.work = work
        self.incarnation = incarnation
        self._channel: WorkChannel | None = None
        self._orders: asyncio.Queue[RunWork | UpdateWork] = asyncio.Queue()  # bounded by who asks
        self._subscription = Subscription()
        self._backlog = Backlog()
        self._own: dict[str, int] = {}  # attributes that were updated, with the revision that shows it
        self._heard_s = 0.0
        self._unreachable = False
        self._has_accepted = False
        self._faults = 0
        self._silence_s = UNREACHABLE_AFTER_S
        self._trouble = ""  # what is known of a silence
        self._stream: asyncio.Task[None] | None = None

    @abc.abstractmethod
    async def live(self) -> None:
        """Follow the Work from its beginning to its end; the last event says that it is over."""

    @abc.abstractmethod
    def stop(self, command: StopWork) -> None:
        """Begin to end it."""

    @abc.abstractmethod
    async def kill(self) -> None:
        """End it by force."""

    @abc.abstractmethod
    async def _follow(self) -> None:
        """Keep a stream open; resume it by revision when it breaks."""

    def order(self, command: RunWork | UpdateWork) -> None:
        """Pass a call or an update on, after those before it."""
        self._orders.put_nowait(command)

    def resync(self, command: ResyncWork) -> None:
        """Give the stream up and ask for a snapshot, unless one is awaited already."""
        if self._subscription.revision == 0:
            return
        self._subscription.broken(command.reason)
        if self._stream is not None:
            self._stream.cancel()
            self._stream = self._owner.spawn(self._follow(), f"state of {self.work}")

    @property
    def heard_s(self) -> float | None:
        """When the Work was last heard, by the loop's clock; None if it does not serve yet. On any thread."""
        return None if self._stream is None else self._heard_s

    def look(self, now_s: float) -> None:
        """Tell when the Work has fallen silent, and when it is heard again; `now_s` is the loop's time."""
        if self._stream is None:
            return
        silent_s = now_s - self._heard_s
        if silent_s > self._silence_s and not self._unreachable:
            self._unreachable = True
            message = f"no sign of life for {silent_s:.1f} s"
            self._inbox.put(WorkUnreachable(self.work, self.incarnation, message, silent_s, self._trouble))
        elif self._unreachable and silent_s < self._silence_s:
            self._unreachable = False
            self._inbox.put(WorkReachable(self.work, self.incarnation))

    async def _attempt_stream(self, backoff: Backoff) -> bool:
        """Read one stream until it breaks or ends; returns whether another one may be better."""
        self._has_accepted = False
        fault: Exception | None = None
        try:
            await self._read_stream()
        except TransportError as error:
            _log.debug("%s: the stream broke: %s", self.work, error)
        except Exception as error:
            fault = error
        if self._has_accepted:  # however it ended, it was good for something
            backoff.reset()
            self._faults = 0
        if fault is None:
            return True
        self._faults += 1
        _log.warning("%s: the stream is given up and opened again: %s", self.work, fault)
        self._subscription.broken(str(fault))
        if self._faults >= MAX_FAULTS:
            self._inbox.put(StateLost(self.work, self.incarnation, f"its state cannot be followed: {fault}"))
            return False
        return True

    async def _read_stream(self) -> None:
        """Read one stream to its end."""
        assert self._channel is not None
        loop = asyncio.get_running_loop()
        stream = self._channel.state_delta(self._subscription.epoch or 0, self._subscription.opened())
        async with contextlib.aclosing(stream):
            async for frames in stream:
                self._heard_s = loop.time()
                accepted, goes_on = self._judge(frames)
                if accepted:
                    goes_on = self._deliver(accepted) and goes_on
                if not goes_on:
                    break

    def _judge(self, frames: Sequence[Frame]) -> tuple[list[Frame], bool]:
        """Return the frames that are to be applied, and whether the stream goes on."""
        accepted: list[Frame] = []
        for frame in frames:
            verdict = self._subscription.receive(frame)
            if isinstance(verdict, Accepted):
                self._has_accepted = True
                if not isinstance(frame, Bookmark) or frame.digest is not None:  # else it was only a sign of life
                    accepted.append(frame)
            elif isinstance(verdict, Resync):
                _log.warning("%s: asking for a snapshot: %s", self.work, verdict.reason)
                return accepted, False
            elif isinstance(verdict, Foreign):
                _log.warning("%s: epoch %d answers where %s was", self.work, verdict.epoch, self._subscription.epoch)
                return accepted, False
        return accepted, True

    def _deliver(self, frames: list[Frame]) -> bool:
        """Hand frames to the Flow's thread; returns whether it has room for more."""
        try:
            if self._backlog.add(frames):
                self._inbox.put(partial(self._take_frames, self._backlog, self._subscription))
        except OverflowError as error:
            _log.debug("%s: asking for a snapshot: %s", self.work, error)
            self._subscription.broken(str(error))
            return False
        return True

    def _take_frames(self, backlog: Backlog, subscription: Subscription) -> FramesReceived:
        frames, resyncs = backlog.take(), subscription.resyncs
        return FramesReceived(self.work, self.incarnation, frames, backlog.conflated, resyncs)

    async def _update(self, order: UpdateWork, epoch: int) -> UpdateAnswered:
        """Hand attributes to the Work, once: whether a request that broke was carried out, nobody knows."""
        assert self._channel is not None
        wanted = {name: value for name, (value, _) in order.updates.items()}
        updates = {name: (value, max(base, self._own.get(name, 0))) for name, (value, base) in order.updates.items()}
        try:
            revision, conflicts = await self._channel.update(updates, epoch=epoch)
        except LightningGrpcError as error:
            return UpdateAnswered(self.work, self.incarnation, wanted, 0, dict.fromkeys(wanted, 0), str(error), epoch)
        self._own.update((name, revision) for name in wanted if name not in conflicts)
        return UpdateAnswered(self.work, self.incarnation, wanted, revision, conflicts, epoch=epoch)

"""Takes cuts of the Work and streams them to whoever subscribes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable

from lightning_grpc.components.component import Component
from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import InvalidValueError
from lightning_grpc.state.cut import Cutter
from lightning_grpc.state.digest import Digest
from lightning_grpc.state.log import Log
from lightning_grpc.state.subscription import PublishingCost
from lightning_grpc.wire import codec

STATE_LIMIT_BYTES = 64 << 20
"""How large a Work's state may be unless the app says otherwise."""
CONFLATE_S = 0.002
"""While a Work keeps writing, a cut is taken this often."""
SCAN_S = 0.005
"""While a run executes, containers are looked at this often for changes in place, if that is cheap."""
LAZY_SCAN_S = 0.01
"""The same when nothing was found for a while."""
IDLE_SCAN_S = 1.0
"""The same while no run executes: a thread that the user left behind may still write."""
EXACT_S = 1.0
"""Changes in place that ``==`` cannot see are looked for this often while a run executes, if that is cheap."""
HEARTBEAT_S = 1.0
"""A subscriber that has nothing to receive gets a bookmark this often."""
LONGEST_S = 1.0
"""However much it costs, it is not put off for longer."""
_SHARE = 0.02  # of one core, at most, for looking
_OVERHEAD_S = 5e-5  # what a tick costs beside the cut: the timer, the loop's turn, two switches of thread


class Publisher:
    """Owns the Work's revisions: takes cuts, keeps the log, feeds the subscribers.

    It sleeps while nothing is written: the first write wakes it. Then it takes cuts at a steady pace until
    one finds nothing. Containers, which change without being assigned, are looked at now and then, the
    less often the more that costs.

    Args:
        work: The Work, with all its attributes declared.
        epoch: This incarnation of it.
        limit_bytes: How large its state may be, about; 0 for no limit.

    Threads:
        Made on any thread. `start` and `subscribe` belong to the loop; `flush`, `wake` and `set_running` may be
        called by any thread. A lock keeps cuts apart; the threads that write attributes take none.
    """

    def __init__(self, work: LightningWork, epoch: int, *, limit_bytes: int = 0) -> None:
        self.epoch = epoch
        self._work = work
        self._lock = threading.Lock()
        work.__dict__["_state_limit_bytes"] = limit_bytes
        self._cutter = Cutter(work.__dict__, work._declared, limit_bytes=limit_bytes)
        self._digest = Digest(self._cutter.document)
        self._digest_due_s = 0.0
        self._log: Log[bytes] = Log()
        self._subscribers: set[_Subscriber] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._running = False
        self._scan_s = SCAN_S
        self._exact_due_s = 0.0
        self._closed = False
        self._made_at_s = 0.0
        self._cuts = self._scans = 0
        self._cuts_s = self._scans_s = 0.0
        self.flush()

    @property
    def revision(self) -> int:
        """The newest revision."""
        return self._log.revision

    @property
    def cost(self) -> PublishingCost:
        """What publishing has cost so far, but for the cuts that mark the beginning and end of a run."""
        return PublishingCost(self._cuts, self._cuts_s, self._scans, self._scans_s)

    def start(self) -> None:
        """Begin to publish, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._work.__dict__["_watcher"] = self.wake
        self._tick()
        self._beat()

    def close(self) -> None:
        """Publish what is left and let the subscribers' streams end; on the loop."""
        self.flush(exact=True)
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._notify()

    def wake(self, work: Component | None = None) -> None:
        """Note that something was written while the publisher slept."""
        self._work.__dict__["_idle"] = False
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._tick)

    def set_running(self, running: bool) -> None:
        """Say whether a run executes, which decides how often containers are looked at."""
        self._running = running
        if running:
            self._exact_due_s = time.monotonic() + EXACT_S
            self.wake()

    def flush(self, *, exact: bool = False, after: Callable[[], None] | None = None) -> int:
        """Take a cut now and publish it; returns the newest revision.

        Args:
            exact: Whether to see what ``==`` cannot; see `Cutter.cut`.
            after: Called first, so that no other cut is taken in between.
        """
        changed = self._cut(exact, after)
        if changed and self._loop is not None:
            self._loop.call_soon_threadsafe(self._notify)
        return self._log.revision

    def find_problem(self) -> InvalidValueError | None:
        """Take a cut, and return what it finds that state cannot hold: in a container, or too large."""
        self.flush()
        with self._lock:
            problem = next(iter(self._cutter.problems.values()), None)
        return problem.within((), self._work._title()) if problem else None

    async def subscribe(self, after_revision: int) -> AsyncIterator[bytes]:
        """Yield the serialized messages of one subscriber's stream.

        A slow subscriber costs no memory: it is at some revision, and catches up from the log when it reads
        on, or by a snapshot if the log has moved on too far.

        Args:
            after_revision: The last revision the subscriber has; 0 for a snapshot.
        """
        subscriber = _Subscriber(after_revision)
        self._subscribers.add(subscriber)
        try:
            while True:
                subscriber.event.clear()
                frame = self._next_frame(subscriber)
                if frame is not None:
                    for message in codec.chunked(frame):
                        yield message
                elif self._closed:
                    return
                else:
                    await subscriber.event.wait()
        finally:
            self._subscribers.discard(subscriber)

    def _next_frame(self, subscriber: _Subscriber) -> bytes | None:
        with self._lock:
            deltas = self._log.since(subscriber.revision) if subscriber.revision else None
            if deltas:
                subscriber.revision = self._log.revision
                subscriber.bookmark_due = False
                return codec.frame_deltas(self.epoch, deltas, self._made_at_s)
            if deltas is None:
                subscriber.revision = self._log.revision
                return codec.frame_snapshot(self.epoch, self._log.revision, self._cutter.document)
            if subscriber.bookmark_due:
                subscriber.bookmark_due = False
                return codec.frame_bookmark(self.epoch, self._log.revision, self._affordable_digest(), self.cost)
        return None

    def _affordable_digest(self) -> int | None:
        if time.monotonic() < self._digest_due_s:
            return None
        started_s = time.thread_time()
        value = self._digest.value()
        self._digest_due_s = time.monotonic() + (time.thread_time() - started_s) / _SHARE
        return value

    def _cut(self, exact: bool, after: Callable[[], None] | None = None) -> bool:
        with self._lock:
            if after is not None:
                after()
            changes = self._cutter.cut(exact=exact)
            if not changes:
                return False
            self._digest.touch(change.path for change in changes)
            self._made_at_s = time.time()
            delta = codec.encode_delta(self._log.revision + 1, changes)
            self._log.append(delta, len(delta))
            return True

    def _tick(self) -> None:
        """Take a cut and decide when the next one is due; on the loop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._closed:
            return
        asleep = self._work.__dict__["_idle"]
        exact = self._running and self._cutter.has_containers and time.monotonic() >= self._exact_due_s
        started_s = time.thread_time()  # what it costs, not how long it waits for the user's thread
        changed = self._cut(exact)
        cost_s = time.thread_time() - started_s
        self._cuts += 1
        self._cuts_s += cost_s
        if asleep and not changed:
            self._scans += 1
            self._scans_s += cost_s
        pause_s = (cost_s + _OVERHEAD_S) / _SHARE
        if exact:
            self._exact_due_s = time.monotonic() + max(EXACT_S, pause_s)
        if not changed and not asleep:
            self._work.__dict__["_idle"] = True
            changed = self._cut(False)  # written between the last cut and going to sleep
        if changed:
            self._work.__dict__["_idle"] = False
            self._notify()
            self._scan_s = SCAN_S
            self._again_in(max(CONFLATE_S, pause_s if self._cutter.has_containers else 0.0))
        elif self._cutter.has_containers:
            self._scan_s = min(self._scan_s * 1.2, LAZY_SCAN_S)
            self._again_in(max(self._scan_s if self._running else IDLE_SCAN_S, pause_s))

    def _again_in(self, delay_s: float) -> None:
        assert self._loop is not None
        self._timer = self._loop.call_later(min(delay_s, LONGEST_S), self._tick)

    def _notify(self) -> None:
        for subscriber in self._subscribers:
            subscriber.event.set()

    def _beat(self) -> None:
        """Make every subscriber that has nothing to receive hear that the Work is alive."""
        if self._closed:
            return
        for subscriber in self._subscribers:
            subscriber.bookmark_due = True
            subscriber.event.set()
        assert self._loop is not None
        self._loop.call_later(HEARTBEAT_S, self._beat)


class _Subscriber:
    """One stream: the revision it is at, and what it waits for."""

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self.bookmark_due = False
        self.event = asyncio.Event()

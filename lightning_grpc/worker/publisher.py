"""Takes cuts of the Work and streams them to whoever subscribes."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable, Mapping

from lightning_grpc.components.component import Component
from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import InvalidValueError
from lightning_grpc.state.cut import ASSIGNED, Cutter
from lightning_grpc.state.delta import MISSING, Change
from lightning_grpc.state.subscription import PublishingCost
from lightning_grpc.state.values import CONTAINERS, Value, same
from lightning_grpc.wire.stream import StateStream

STATE_LIMIT_BYTES = 64 << 20
"""How large a Work's state may be unless the app says otherwise."""
LARGEST_STATE_LIMIT_BYTES = 192 << 20
"""How large it may be at most: a snapshot of it has to go into one frame."""
CONFLATE_S = 0.002
"""While a Work keeps writing, a cut is taken this often."""
WOKEN_S = 0.001
"""The pause after the cut that a write has woken it for. Going back to sleep soon also lets go of the lock soon."""
SCAN_S = 0.005
"""While a run executes, containers are looked at this often for changes in place, if that is cheap."""
LAZY_SCAN_S = 0.01
"""The same when nothing was found for a while."""
LATE_LOOK_S = 0.05
"""When it has gone to sleep, it looks once more after this time: for a write under way, see `Component._arm`."""
IDLE_SCAN_S = 1.0
"""The same while no run executes: a thread that the user left behind may still write."""
EXACT_S = 1.0
"""Changes in place that ``==`` cannot see are looked for this often while a run executes, if that is cheap."""
LONGEST_S = 1.0
"""However much it costs, it is not put off for longer."""
_LOOK_SHARE = 0.015  # of one core, at most, for looking for changes in place
_EXACT_SHARE = 0.01  # for looking for those that == cannot see
_PUBLISH_SHARE = 0.05  # for publishing them, while they keep coming
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
        self._work = work
        work.__dict__["_state_limit_bytes"] = limit_bytes
        self._cutter = Cutter(work.__dict__, work._declared, limit_bytes=limit_bytes)
        self._stream = StateStream(self._cutter.document, epoch, cost=lambda: self.cost)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._running = False
        self._scan_s = SCAN_S
        self._pause_s = CONFLATE_S
        self._look_pause_s = 0.0
        self._exact_due_s = 0.0
        self._closed = False
        self._changed_at: dict[str, int] = {}
        self._reported: frozenset[str] = frozenset()
        self._cuts = self._scans = 0
        self._cuts_s = self._scans_s = 0.0
        self.flush()

    @property
    def revision(self) -> int:
        """The newest revision."""
        return self._stream.revision

    @property
    def epoch(self) -> int:
        """This incarnation of the Work."""
        return self._stream.epoch

    @property
    def cost(self) -> PublishingCost:
        """What publishing has cost so far, but for the cuts that mark the beginning and end of a run."""
        return PublishingCost(self._cuts, self._cuts_s, self._scans, self._scans_s)

    @property
    def subscribers(self) -> int:
        """How many follow the state."""
        return self._stream.subscribers

    def start(self) -> None:
        """Begin to publish, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._work.__dict__["_watcher"] = self.wake
        self._tick()
        self._stream.start()

    def close(self) -> None:
        """Publish what is left and let the subscribers' streams end; on the loop."""
        self.flush(exact=True)
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._stream.close()

    def wake(self, work: Component | None = None) -> None:
        """Note that something was written while the publisher slept."""
        self._work._disarm()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._woken)

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
        if self._cut(exact, after):
            self._stream.notify()
        return self._stream.revision

    def find_problem(self) -> InvalidValueError | None:
        """Take a cut, and return what it finds that state cannot hold: in a container, or too large."""
        self.flush()
        with self._stream.lock:
            problem = next(iter(self._cutter.problems.values()), None)
        return problem.within((), self._work._title()) if problem else None

    def update(self, updates: Mapping[str, tuple[Value, int]]) -> tuple[int, dict[str, int]]:
        """Assign attributes, each if it has not changed since a revision; between two cuts.

        Args:
            updates: By name, the value and that revision. The values are valid, the names declared.

        Returns:
            The revision that shows the assigned ones; and those that were not, each with the revision of its change, or
            0 if that has none yet.
        """
        conflicts: dict[str, int] = {}
        with self._stream.lock:
            self._append(self._cutter.cut())
            for name, (value, base) in updates.items():
                changed_at = self._changed_at.get(name, 0)
                if changed_at > base:
                    conflicts[name] = changed_at
                elif not self._replace(name, value):
                    conflicts[name] = 0
            self._append(self._cutter.cut())
            revision = self._stream.revision
            for name, (value, _) in updates.items():  # the Work's thread may have written it before that cut
                if name not in conflicts and not self._is_published(name, value):
                    conflicts[name] = revision
        self._stream.notify()
        return revision, conflicts

    def _is_published(self, name: str, value: Value) -> bool:
        return same(self._cutter.document["vars"].get(name, MISSING), value)

    def _replace(self, name: str, value: Value) -> bool:
        """Assign an attribute unless the Work's thread has changed it since the last cut."""
        fields, published = self._work.__dict__, self._cutter.document["vars"].get(name, MISSING)
        # No thread is switched between the look and the write: there is no call in between.
        if type(published) in CONTAINERS:
            if fields[name] == published:
                fields[name] = value
        elif fields[name] is published:
            fields[name] = value
        if fields[name] is not value:
            return False
        fields[ASSIGNED].add(name)
        return True

    def subscribe(self, after_revision: int) -> AsyncIterator[bytes]:
        """Yield the serialized messages of one subscriber's stream; see `StateStream.subscribe`."""
        return self._stream.subscribe(after_revision)

    def _cut(self, exact: bool, after: Callable[[], None] | None = None) -> bool:
        with self._stream.lock:
            if after is not None:
                after()
            return self._append(self._cutter.cut(exact=exact))

    def _append(self, changes: list[Change]) -> bool:
        if not changes:
            return False
        revision = self._stream.append(changes)
        if self._work._receive_updates:
            self._changed_at.update((str(each.path[1]), revision) for each in changes if each.path[0] == "vars")
        return True

    def _woken(self) -> None:
        """Look for what was written; on the loop."""
        self._pause_s = WOKEN_S
        self._tick()

    def _tick(self) -> None:
        """Take a cut and decide when the next one is due; on the loop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._closed:
            return
        try:
            self._look()
        except Exception:  # a bug of this package; it shall not make the Work silent
            traceback.print_exc()
            self._again_in(LONGEST_S)

    def _look(self) -> None:
        asleep = self._work._is_armed
        pause_s, self._pause_s = self._pause_s, CONFLATE_S
        exact = self._running and self._cutter.has_containers and time.monotonic() >= self._exact_due_s
        started_s = time.thread_time()  # what it costs, not how long it waits for the user's thread
        changed = self._cut(exact)
        cost_s = time.thread_time() - started_s
        if self._cutter.problems.keys() != self._reported:
            self._report_problems()
        self._cuts += 1
        self._cuts_s += cost_s
        if asleep and not changed:
            self._scans += 1
            self._scans_s += cost_s
        if exact:
            self._exact_due_s = time.monotonic() + max(EXACT_S, cost_s / _EXACT_SHARE)
        elif not changed:
            self._look_pause_s = (cost_s + _OVERHEAD_S) / _LOOK_SHARE
        falls_asleep = not changed and not asleep
        if falls_asleep:
            self._work._arm()
            changed = self._cut(False)  # written between the last cut and going to sleep
        if changed:
            self._work._disarm()
            self._stream.notify_here()
            self._scan_s = SCAN_S
            self._again_in(max(pause_s, cost_s / _PUBLISH_SHARE if self._cutter.has_containers else 0.0))
        elif self._cutter.has_containers:
            self._scan_s = min(self._scan_s * 1.2, LAZY_SCAN_S)
            self._again_in(max(self._scan_s if self._running else IDLE_SCAN_S, self._look_pause_s))
        elif falls_asleep:
            self._again_in(LATE_LOOK_S)

    def _report_problems(self) -> None:
        """Say at once, and once, what is not published, for the run may be a long one."""
        problems = dict(self._cutter.problems)
        for name in problems.keys() - self._reported:
            what = problems[name].within((), self._work._title())
            sys.stderr.write(f"WARNING: {what}; not published, and the run fails if it is so when it ends\n")
        self._reported = frozenset(problems)

    def _again_in(self, delay_s: float) -> None:
        assert self._loop is not None
        self._timer = self._loop.call_later(min(delay_s, LONGEST_S), self._tick)

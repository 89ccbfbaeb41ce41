"""What an app has done and why: numbers for people who look for the reason of something."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from lightning_grpc.coordinator.events import FramesReceived
from lightning_grpc.keys import render_keys
from lightning_grpc.state.delta import Change
from lightning_grpc.state.subscription import Bookmark, Delta, PublishingCost
from lightning_grpc.state.values import Path

MAX_CAUSES = 16
"""Causes that are kept of one run of the root; there may have been more."""
MAX_PATHS = 8
"""Paths that are kept of one cause."""
MAX_RUNS = 256
"""Runs of the root that are remembered."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason to run the root Flow.

    Attributes:
        kind: ``start`` (the app began), ``state`` (a Work's attributes changed), ``call`` (a call of a Work moved
            on), ``flow`` (Flows have written, or a blocking call may be made again), ``tree`` (a component came or
            went), ``schedule`` (one fires, or the clock was set), ``conflict`` (a Work has not taken what the Flow
            wrote), ``request`` (what was asked for from outside has written; `component` says what that was), or
            ``idle`` (nothing has happened for the idle interval).
        component: The full name of the component it is about; empty for the app.
        keys: What of it, each as the keys that lead there; the first few.
    """

    kind: str
    component: str = ""
    keys: tuple[Path, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """What of the component, such as ``counter`` or ``table['a']``."""
        return tuple(dict.fromkeys(map(render_keys, self.keys)))

    def __str__(self) -> str:
        where = f" of {self.component}" if self.component else ""
        return f"{self.kind}{where}" + (f": {', '.join(self.paths)}" if self.paths else "")


@dataclass(frozen=True, slots=True)
class FlowRun:
    """One run of the root Flow.

    Attributes:
        number: Counted from 1.
        began_s: When, in seconds since 1970.
        took_s: How long.
        causes: Why.
        deltas: How many deltas of the app's state came with it.
        suspended: Whether a blocking call ended it.
    """

    number: int
    began_s: float
    took_s: float
    causes: tuple[Cause, ...]
    deltas: int
    suspended: bool


@dataclass(frozen=True, slots=True)
class WorkMetrics:
    """What is known of one Work's stream.

    Attributes:
        revision: The newest revision the Flow has seen.
        lag_s: How old that revision was when the Flow saw it, by the clocks of both processes.
        resyncs: How often its mirror had to be made anew from a snapshot, since its process began.
        conflated: Revisions of which a part was left out because the Flow was busy and later ones said more.
        cuts: Cuts its process has taken, as of its last bookmark.
        cuts_s: Processor time they took.
        scans: Those of them that only looked for changes in place.
        scans_s: Processor time these took.
        silent_s: How long ago its process was heard, in seconds; None if it has none that serves.
    """

    revision: int = 0
    lag_s: float = 0.0
    resyncs: int = 0
    conflated: int = 0
    cuts: int = 0
    cuts_s: float = 0.0
    scans: int = 0
    scans_s: float = 0.0
    silent_s: float | None = None


@dataclass(frozen=True, slots=True)
class ScheduleFiring:
    """What a Flow does by the clock, and when it is due.

    Attributes:
        flow: The full name of the Flow.
        key: The schedule's identity in it.
        cron_pattern: Its pattern.
        next_firing_s: When it fires next, in seconds since 1970.
        running: Whether it has fired, and the pass that sees it is not completed.
    """

    flow: str
    key: str
    cron_pattern: str
    next_firing_s: float
    running: bool


@dataclass(frozen=True)
class Metrics:
    """What an app has done so far.

    Attributes:
        runs: How often the root was run.
        latest_runs: The newest of them, oldest first.
        works: By full name.
        under_way_s: How long the run, or request, that is under way has taken so far; None if there is none.
        schedules: What the Flows do by the clock.
    """

    runs: int = 0
    latest_runs: tuple[FlowRun, ...] = ()
    works: Mapping[str, WorkMetrics] = field(default_factory=dict)
    under_way_s: float | None = None
    schedules: tuple[ScheduleFiring, ...] = ()


class FlowRuns:
    """Counts the runs of the root, and remembers the newest.

    Attributes:
        count: How many there were.
        deltas: How many deltas of the app's state there were; the caller counts them.

    Threads: `add` on the thread that runs the Flow; `latest` on any.
    """

    def __init__(self) -> None:
        self.count = 0
        self.deltas = 0
        self._told = 0
        self._latest: deque[FlowRun] = deque(maxlen=MAX_RUNS)

    def add(self, began_s: float, took_s: float, causes: tuple[Cause, ...], *, suspended: bool) -> FlowRun:
        """Note a run that is over, with the deltas that came since the one before; see `FlowRun`."""
        self.count += 1
        run = FlowRun(self.count, began_s, took_s, causes, self.deltas - self._told, suspended)
        self._told = self.deltas
        self._latest.append(run)
        return run

    def latest(self) -> tuple[FlowRun, ...]:
        """Return the newest runs, oldest first."""
        return tuple(self._latest.copy())


class StreamMeter:
    """Measures one Work's stream, frame by frame; cheap, for it is told of every one."""

    def __init__(self) -> None:
        self.revision = 0
        self.resyncs = 0
        self._lag_s = 0.0
        self._conflated = 0
        self._cost = PublishingCost()

    def note(self, event: FramesReceived, now: float) -> None:
        """Note frames that the Flow sees `now`, in seconds since 1970."""
        frame = event.frames[-1]
        self.revision = frame.revision
        self.resyncs = event.resyncs
        self._conflated = event.conflated
        if isinstance(frame, Delta):
            if frame.made_at_s:
                self._lag_s = max(0.0, now - frame.made_at_s)
        elif isinstance(frame, Bookmark) and frame.cost is not None:
            self._cost = frame.cost

    def read(self, silent_s: float | None = None) -> WorkMetrics:
        """Return what was measured; on any thread. `silent_s` is how long ago the Work was heard."""
        cost = asdict(self._cost)
        return WorkMetrics(self.revision, self._lag_s, self.resyncs, self._conflated, **cost, silent_s=silent_s)


def about(changes: list[Change]) -> tuple[Path, ...]:
    """Return what changes are about, below their section; the first few, each once."""
    return tuple(dict.fromkeys(change.path[1:] for change in changes[: 4 * MAX_PATHS]))[:MAX_PATHS]

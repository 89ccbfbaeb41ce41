"""What an app has done and why: numbers for people who look for the reason of something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from lightning_grpc.coordinator.events import FramesReceived
from lightning_grpc.errors import render_keys
from lightning_grpc.state.delta import Change
from lightning_grpc.state.subscription import Bookmark, Delta

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
            went), or ``idle`` (nothing has happened for the idle interval).
        component: The full name of the component it is about; empty for the app.
        paths: What of it, such as ``counter`` or ``table['a']``; the first few.
    """

    kind: str
    component: str = ""
    paths: tuple[str, ...] = ()

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
    """

    revision: int = 0
    lag_s: float = 0.0
    resyncs: int = 0
    conflated: int = 0
    cuts: int = 0
    cuts_s: float = 0.0
    scans: int = 0
    scans_s: float = 0.0


@dataclass(frozen=True)
class Metrics:
    """What an app has done so far.

    Attributes:
        runs: How often the root was run.
        latest_runs: The newest of them, oldest first.
        works: By full name.
    """

    runs: int = 0
    latest_runs: tuple[FlowRun, ...] = ()
    works: Mapping[str, WorkMetrics] = field(default_factory=dict)


def measured(metrics: WorkMetrics, event: FramesReceived, now: float) -> WorkMetrics:
    """Return a Work's metrics brought up to date by the frames that the Flow sees `now`."""
    frame = event.frames[-1]
    metrics = replace(metrics, revision=frame.revision, conflated=event.conflated, resyncs=event.resyncs)
    if isinstance(frame, Delta) and frame.made_at_s:
        return replace(metrics, lag_s=max(0.0, now - frame.made_at_s))
    if isinstance(frame, Bookmark) and frame.cost is not None:
        return replace(metrics, **asdict(frame.cost))
    return metrics


def paths_of(changes: list[Change]) -> tuple[str, ...]:
    """Render what changes are about, below their section; the first few, each once."""
    paths = dict.fromkeys(render_keys(change.path[1:]) for change in changes[: 4 * MAX_PATHS])
    return tuple(paths)[:MAX_PATHS]

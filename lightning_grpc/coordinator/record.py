"""What the coordinator knows of one Work beside its state: its process and its calls under way."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from lightning_grpc.components.work import LightningWork
from lightning_grpc.coordinator.metrics import MAX_CAUSES, Cause, WorkMetrics, paths_of
from lightning_grpc.coordinator.mirror import Mirror
from lightning_grpc.state.delta import Change, prefixed
from lightning_grpc.state.values import Path


class Phase(enum.Enum):
    """The life of a Work's process.

    ::

        ABSENT -> STARTING -> SERVING -> ENDING -> ABSENT
                  STARTING | SERVING -> ABSENT      it failed to start, or died
                  STARTING -> ENDING                it was stopped before it served
    """

    ABSENT = "absent"
    STARTING = "starting"
    SERVING = "serving"
    ENDING = "ending"


@dataclass
class WorkRecord:
    """One Work of the app.

    Attributes:
        work: The component.
        name: Its full name.
        prefix: Where its document stands in the app's.
        mirror: Its state.
        phase: The life of its process.
        incarnation: Number of its newest process, unique in the app; 0 before the first.
        epoch: The same process, as it calls itself; 0 until it serves.
        outstanding: Calls that were asked for and are not finished: call hash to call id.
        unseen: Those of them that the Work's own state does not tell of yet.
        stopped: Whether a Flow has stopped it; for good.
        warned: Whether it was said that calls of a stopped Work are not executed.
        unreachable: Whether it gives no sign of life.
        lost_track: Whether its mirror is wrong, and a snapshot was asked for.
        metrics: What is known of its stream.
    """

    work: LightningWork
    name: str
    prefix: Path
    mirror: Mirror
    phase: Phase = Phase.ABSENT
    incarnation: int = 0
    epoch: int = 0
    outstanding: dict[str, str] = field(default_factory=dict)
    unseen: set[str] = field(default_factory=set)
    stopped: bool = False
    warned: bool = False
    unreachable: bool = False
    lost_track: bool = False
    metrics: WorkMetrics = field(default_factory=WorkMetrics)


class Journal:
    """Collects the deltas of the app's document, each on the base of the one before.

    Attributes:
        deltas: What was collected since it was last taken.
        causes: What has happened that the root Flow should see, since it was last run.
    """

    def __init__(self) -> None:
        self.deltas: list[list[Change]] = []
        self.causes: list[Cause] = [Cause("start")]

    def because(self, kind: str, component: str = "", changes: list[Change] | None = None) -> None:
        """Note a reason to run the root; see `Cause`."""
        if len(self.causes) < MAX_CAUSES:
            self.causes.append(Cause(kind, component, paths_of(changes or [])))

    def take_causes(self) -> tuple[Cause, ...]:
        """Return, once, the reasons to run the root."""
        causes, self.causes = self.causes, []
        return tuple(causes)

    def add(self, changes: list[Change], prefix: Path) -> None:
        """Add the changes of one revision of a component's document, which stands at `prefix` in the app's."""
        if changes:
            self.deltas.append(prefixed(changes, prefix) if prefix else changes)

    def take(self) -> list[list[Change]]:
        """Return, once, the deltas."""
        deltas, self.deltas = self.deltas, []
        return deltas


class Rota:
    """Says whose turn it is to be looked at for what the Flow has changed in place, without a word.

    A few Works at a time, so that a run of the root costs no more with many Works than with few.
    """

    LOOKS = 8

    def __init__(self) -> None:
        self._order: list[int] = []
        self._position = 0

    def next(self, records: Mapping[int, WorkRecord]) -> list[int]:
        """Return those of the next few Works that have containers."""
        if self._position >= len(self._order):
            self._order, self._position = list(records), 0
        due = self._order[self._position : self._position + self.LOOKS]
        self._position += self.LOOKS
        return [each for each in due if each in records and records[each].mirror.has_containers]


class PassLedger:
    """Counts, per call, how often an uncached blocking call may return in one pass of the root Flow.

    A pass is one completed run of the root. A run that is suspended by a blocking call is started again from
    the top when something has changed, and must find the calls it has made already finished. So in one pass
    the n-th such call with the same arguments returns once n executions have finished since the pass began.

    Example:
        >>> ledger = PassLedger()
        >>> ledger.may_return("root.w", "run:1")
        False
        >>> ledger.finished("root.w", "run:1"); ledger.restarted()
        >>> ledger.may_return("root.w", "run:1"), ledger.may_return("root.w", "run:1")
        (True, False)
    """

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], int] = {}
        self._finished: dict[tuple[str, str], int] = {}

    def may_return(self, work: str, key: str) -> bool:
        """Count one more call in this run of the root; tell whether it is one that has finished."""
        made = self._made[work, key] = self._made.get((work, key), 0) + 1
        return made <= self._finished.get((work, key), 0)

    def finished(self, work: str, key: str) -> None:
        """Note that an execution has finished."""
        self._finished[work, key] = self._finished.get((work, key), 0) + 1

    def restarted(self) -> None:
        """Note that the root is run again in the same pass."""
        self._made.clear()

    def completed(self) -> bool:
        """Begin a new pass; tell whether calls have returned in the last one that may be made again now."""
        used = any(self._made.get(key) for key in self._finished)
        self._made.clear()
        self._finished.clear()
        return used

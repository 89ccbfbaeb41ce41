"""What the coordinator knows of one Work beside its state: its process and its calls under way."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lightning_grpc.components.attachment import Attachment
from lightning_grpc.components.calls import stopped_for_good
from lightning_grpc.components.work import LightningWork
from lightning_grpc.coordinator.events import Command, RunWork
from lightning_grpc.coordinator.handover import Handover
from lightning_grpc.coordinator.metrics import MAX_CAUSES, Cause, StreamMeter, about
from lightning_grpc.coordinator.mirror import Mirror
from lightning_grpc.state.delta import Change, prefixed
from lightning_grpc.state.values import Path


@dataclass
class Standing:
    """How the app stands, as all that decide about its Works share it.

    Attributes:
        now: Seconds since 1970, as the loop last told.
        is_ending: Whether the app is ending, so that an end is no failure.
        failure: What ends the app, if a Work's failure does.
        commands: What the supervisor is to do.
    """

    now: float = 0.0
    is_ending: bool = False
    failure: Exception | None = None
    commands: list[Command] = field(default_factory=list)

    def fail(self, failure: Exception) -> None:
        """End the app by a failure, if nothing else has ended it."""
        if self.failure is None and not self.is_ending:
            self.failure = failure


@dataclass(frozen=True)
class Caller:
    """Who calls Works that others call too.

    Attributes:
        name: For people, such as ``app census``.
        identity: What makes its call ids its own; no other run of any app has it.
    """

    name: str = ""
    identity: str = ""


@dataclass
class Service:
    """What is known of a service that a Work is attached to, and of the calls it was asked for.

    Attributes:
        attachment: Where it is.
        is_known: Whether its state, as of its newest process, has been seen.
        give_up_at_s: When what waits for it counts as lost, in seconds since 1970; infinite while it is there.
        trouble: What is known of its being away.
        orders: Calls that are not finished, as they were last asked for: by call hash.
        sent: Call ids that its newest process may have heard of.
        at_stake: Call ids that processes before it may have heard of, until it is known what it knows of them.
        begun: Call ids of those that have begun to be executed.
        successes: How often this app's execution of a call had succeeded before: by call hash.
        asked_after: Calls of which it was asked how they ended, with the call id that stood in their place.
        settled: Executions that are known to be over before the state shows it: call hash to call id, last status
            and revision.
    """

    attachment: Attachment
    is_known: bool = False
    give_up_at_s: float = math.inf
    trouble: str = ""
    orders: dict[str, RunWork] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    at_stake: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    successes: dict[str, int] = field(default_factory=dict)
    asked_after: dict[str, str] = field(default_factory=dict)
    settled: dict[str, tuple[str, dict[str, Any], int]] = field(default_factory=dict)

    def forget(self, key: str, call_id: str) -> None:
        """Forget a call that is over."""
        for by_key in (self.orders, self.asked_after, self.settled):
            by_key.pop(key, None)
        for by_id in (self.sent, self.at_stake, self.begun):
            by_id.discard(call_id)


class Phase(enum.Enum):
    """The life of a Work's process, or of the connection to its service.

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
        pid: Its number, if it is one of this machine and serves.
        address: Where it answers; empty until it serves.
        outstanding: Calls that were asked for and are not finished: call hash to call id.
        unseen: Those of them that the Work's own state does not tell of yet.
        stopped: Whether a Flow has stopped it; for good.
        warned: Whether it was said that calls of a stopped Work are not executed.
        unreachable: Whether it gives no sign of life.
        lost_track: Whether its mirror is wrong, and a snapshot was asked for.
        meter: Measures its stream.
        handover: Follows what the Flow writes on it, if it wants to know.
        service: What it is attached to, if it is no process of this app.
    """

    work: LightningWork
    name: str
    prefix: Path
    mirror: Mirror
    phase: Phase = Phase.ABSENT
    incarnation: int = 0
    epoch: int = 0
    pid: int | None = None
    address: str = ""
    outstanding: dict[str, str] = field(default_factory=dict)
    unseen: set[str] = field(default_factory=set)
    stopped: bool = False
    warned: bool = False
    unreachable: bool = False
    lost_track: bool = False
    meter: StreamMeter = field(default_factory=StreamMeter)

    def __post_init__(self) -> None:
        """Keep a Work stopped that was stopped before it came here."""
        self.stopped = self.stopped or stopped_for_good(self.work._calls)

    handover: Handover = field(default_factory=Handover)
    service: Service | None = None


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
            self.causes.append(Cause(kind, component, about(changes) if changes else ()))

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
        self._calls: list[tuple[str, str] | None] = []  # of this run, in order; None for one that is settled
        self._has_settled = False

    @property
    def mark(self) -> int:
        """How many calls this run of the root has made so far."""
        return len(self._calls)

    def settle(self, mark: int) -> None:
        """Forget the calls that have returned since a mark: if the run starts again, it comes past them."""
        for place in range(mark, len(self._calls)):
            call = self._calls[place]
            if call is not None:
                self._calls[place] = None
                self._made[call] -= 1
                self._finished[call] = max(0, self._finished.get(call, 0) - 1)
                self._has_settled = True

    def may_return(self, work: str, key: str) -> bool:
        """Count one more call in this run of the root; tell whether it is one that has finished."""
        made = self._made[work, key] = self._made.get((work, key), 0) + 1
        self._calls.append((work, key))
        return made <= self._finished.get((work, key), 0)

    def finished(self, work: str, key: str) -> None:
        """Note that an execution has finished."""
        self._finished[work, key] = self._finished.get((work, key), 0) + 1

    def restarted(self) -> None:
        """Note that the root is run again in the same pass."""
        self._made.clear()
        self._calls.clear()

    def completed(self) -> bool:
        """Begin a new pass; tell whether calls have returned in the last one that may be made again now."""
        used = self._has_settled or any(self._made.get(key) for key in self._finished)
        self._has_settled = False
        self._made.clear()
        self._calls.clear()
        self._finished.clear()
        return used

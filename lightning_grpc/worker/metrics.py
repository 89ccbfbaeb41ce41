"""What a Work's process has done, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lightning_grpc.components.calls import Entry
from lightning_grpc.components.status import FINAL_STAGES, WorkStageStatus
from lightning_grpc.state.subscription import PublishingCost


@dataclass(frozen=True)
class WorkProcessMetrics:
    """What one Work's process has done so far.

    Attributes:
        runs: How many runs are over, by outcome: ``succeeded``, ``failed``, ``stopped``.
        runs_s: How long they took, in seconds, by outcome.
        is_running: Whether a run is under way.
        waiting: How many wait for their turn.
        revision: The newest revision of its state.
        subscribers: How many streams of its state are open.
        cost: What publishing has cost.
    """

    runs: Mapping[str, int] = field(default_factory=dict)
    runs_s: Mapping[str, float] = field(default_factory=dict)
    is_running: bool = False
    waiting: int = 0
    revision: int = 0
    subscribers: int = 0
    cost: PublishingCost = field(default_factory=PublishingCost)


class RunTally:
    """Counts the runs that are over.

    Threads: `note` on one thread; the counts may be read on any.

    Example:
        >>> tally = RunTally()
        >>> tally.note({"statuses": [{"stage": "running", "timestamp": 5.0}]}, {"stage": "failed", "timestamp": 7.5})
        >>> tally.runs["failed"], tally.runs_s["failed"]
        (1, 2.5)
    """

    def __init__(self) -> None:
        self.runs = dict.fromkeys(sorted(FINAL_STAGES), 0)
        self.runs_s = dict.fromkeys(sorted(FINAL_STAGES), 0.0)

    def note(self, entry: Entry, status: Mapping[str, Any]) -> None:
        """Note that a run is over.

        Args:
            entry: Of its call, as it was while the run was under way; one that never began has taken no time.
            status: How it has ended.
        """
        outcome = status["stage"]
        self.runs[outcome] += 1
        latest = entry["statuses"][-1]
        if latest["stage"] == WorkStageStatus.RUNNING:
            self.runs_s[outcome] += max(0.0, status["timestamp"] - latest["timestamp"])  # clocks may be set

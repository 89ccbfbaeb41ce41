"""Which runs a Work has accepted, and how the newest of them have ended."""

from __future__ import annotations

from typing import Any

MAX_RUNS = 100_000
"""Requests that are recognized when they are repeated."""
MAX_STATUSES = 1_000
"""Runs that are over of which the last status is kept."""

RunIdentity = tuple[str, str]
"""Who has asked, and the call id: that is unique per caller."""


class RememberedRuns:
    """Recognizes repeated requests, and tells how those ended that are over.

    The entry in ``calls`` tells of the latest execution of a call only, and whoever was away may find that of somebody
    else there. This is what is left for them: the newest `max_statuses` last statuses.

    Args:
        max_runs: How many runs are recognized; the oldest are forgotten first.
        max_statuses: Of how many the last status is kept.

    Threads: `accept` on one thread, `ended` on one, the rest on any.

    Example:
        >>> runs = RememberedRuns(max_statuses=1)
        >>> runs.accept(("ada", "1")), runs.accept(("ada", "1")), runs.accept(("grace", "1"))
        (True, False, True)
        >>> runs.ended(("ada", "1"), {"stage": "succeeded"})
        >>> runs.final_status(("ada", "1"))
        {'stage': 'succeeded'}
    """

    def __init__(self, *, max_runs: int = MAX_RUNS, max_statuses: int = MAX_STATUSES) -> None:
        self._max_runs = max_runs
        self._max_statuses = max_statuses
        self._runs: dict[RunIdentity, None] = {}
        self._statuses: dict[RunIdentity, dict[str, Any]] = {}

    def __contains__(self, run: object) -> bool:
        return run in self._runs

    def accept(self, run: RunIdentity) -> bool:
        """Note a request; returns whether it is new."""
        if run in self._runs:
            return False
        if len(self._runs) >= self._max_runs:
            del self._runs[next(iter(self._runs))]
        self._runs[run] = None
        return True

    def ended(self, run: RunIdentity, status: dict[str, Any]) -> None:
        """Note how a run has ended."""
        self._statuses[run] = status
        if len(self._statuses) > self._max_statuses:
            del self._statuses[next(iter(self._statuses))]

    def final_status(self, run: RunIdentity) -> dict[str, Any] | None:
        """Return the last status of a run that is over; None if it is not, or was too long ago."""
        return self._statuses.get(run)

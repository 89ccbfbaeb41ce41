"""What a Work says of its calls, and what follows from it: for what the Flow is shown, and for the app."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lightning_grpc.components.calls import FOR_GOOD, LATEST, START, Calls, Entry, Status, advanced, stage_of
from lightning_grpc.components.status import WorkStageStatus, WorkStopReasons, make_status
from lightning_grpc.coordinator.record import Phase, Service, WorkRecord
from lightning_grpc.errors import WorkFailedError
from lightning_grpc.state.values import copy


def entries_to_show(record: WorkRecord, keys: Iterable[str], now: float) -> dict[str, Any]:
    """Return what the view shall show of what the Work says of some of its calls.

    The latest call stays the one that the Flow has made while the Work has not heard of it; and a Work that
    the Flow has stopped stays stopped.
    """
    heard = [key for key in keys if key != LATEST and key not in record.unseen]
    entries: dict[str, Any] = {key: copy(entry) for key in heard if (entry := record.mirror.entry(key)) is not None}
    latest = record.work._calls[LATEST]
    if not record.unseen and not record.stopped:
        entries[LATEST] = record.mirror.replica["calls"][LATEST]  # it may have been held back
    elif record.stopped and latest in entries:
        entries[latest] = ended_by_flow(entries[latest], now)
    return entries


def own_entries_to_show(record: WorkRecord, service: Service, keys: Iterable[str], now: float) -> dict[str, Any]:
    """Return the same for a Work that others call too: of its calls, the view shows those of this app alone.

    So a call that somebody else makes, be it with the same arguments, changes nothing in what the Flow is told of its
    own; and an entry that the Work has left out, as it keeps only the newest, stays.
    """
    entries: dict[str, Any] = {}
    shown: Calls = record.work._calls
    for key in keys:
        entry = record.mirror.entry(key) if key != LATEST else None
        if entry is None:
            continue
        if key == START:
            entries[key] = copy(entry)
        elif entry["call_id"] == record.outstanding.get(key):
            succeeded = int(stage_of(entry) == WorkStageStatus.SUCCEEDED)
            entries[key] = {**copy(entry), "successes": service.successes.get(key, 0) + succeeded}
    latest = shown[LATEST]
    if record.stopped and latest in entries:
        entries[latest] = ended_by_flow(entries[latest], now)
    elif latest is None and START in entries:
        entries[LATEST] = START
    return entries


def stopped_by_flow(now: float) -> Status:
    """Return the status of a call whose Work a Flow has just stopped."""
    return {**make_status(WorkStageStatus.STOPPED, now, WorkStopReasons.PENDING), FOR_GOOD: True}


def ended_by_flow(entry: Entry, now: float) -> Entry:
    """Return the entry of the latest call of a Work that a Flow has stopped; its last status says so."""
    if stage_of(entry) != WorkStageStatus.STOPPED:
        return advanced(entry, stopped_by_flow(now))
    *before, last = entry["statuses"]
    return {**entry, "statuses": [*before, {**last, FOR_GOOD: True}]}


def failure_of(record: WorkRecord, key: str, entry: Entry | None, *, is_ending: bool) -> WorkFailedError | None:
    """Return the failure of a call that is over, if it is one that shall fail the app.

    Args:
        record: Of the Work.
        key: The call's.
        entry: What the Work says of it.
        is_ending: Whether the app is ending, so that a stop is no failure.
    """
    if entry is None:
        return None
    status = entry["statuses"][-1]
    if stage_of(entry) == WorkStageStatus.STOPPED:
        if is_ending or record.phase is Phase.ENDING:
            return None
        status = {**status, "message": f"its run was interrupted: {status.get('message', 'its process ends')}"}
    elif stage_of(entry) != WorkStageStatus.FAILED:
        return None
    if status.get("raised", record.work._raise_exception) and not record.stopped:
        return WorkFailedError(
            record.name, key, status["reason"], status.get("exception", ""), status.get("message", "")
        )
    return None

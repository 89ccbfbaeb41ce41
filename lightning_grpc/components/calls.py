"""The calls of a Work, as its state holds them.

``calls`` maps a call's hash to its entry, and ``latest_call_hash`` to the hash of the latest call::

    {"latest_call_hash": "run:0f3c...",
     "run:0f3c...": {"name": "run", "call_id": "8", "statuses": [pending, running, succeeded],
                     "successes": 3, "ret": None}}

An entry tells of the latest execution of its call; ``ret`` is there once it has succeeded. Entries are
replaced, never mutated, so that a cut may copy the mapping alone.

Transitions of an execution::

    pending -> running -> succeeded | failed | stopped
    pending -> failed | stopped              the process died, or was asked to end, before it began
    not_started -> failed | stopped          the same, of one that an earlier run of the app did not finish
"""

from __future__ import annotations

import hashlib
from typing import Any

from lightning_grpc.components.status import (
    FINAL_STAGES,
    UNREACHABLE,
    CacheCallsKeys,
    WorkFailureReasons,
    WorkStageStatus,
    WorkStatus,
    WorkStopReasons,
    make_status,
)
from lightning_grpc.errors import InvariantError
from lightning_grpc.state.digest import canonical
from lightning_grpc.state.values import Value, validate

LATEST = CacheCallsKeys.LATEST_CALL_HASH
START = "start"
"""Key of the entry that tells of the Work's process being started without a run."""

FOR_GOOD = "for_good"
"""Key of a status that says that a Flow has stopped the Work, which is final."""

GOES_ON = "goes_on"
"""Key of an entry of a call whose execution, in a service, may go on although the app that asked for it has ended."""

Calls = dict[str, Any]
Entry = dict[str, Any]
Status = dict[str, Any]

_NEXT_STAGES: dict[str, frozenset[str]] = {
    WorkStageStatus.NOT_STARTED: FINAL_STAGES,  # an execution that the end of an earlier run of the app cut off
    WorkStageStatus.PENDING: FINAL_STAGES | {WorkStageStatus.RUNNING, WorkStageStatus.STARTED},
    WorkStageStatus.RUNNING: FINAL_STAGES,
    WorkStageStatus.STARTED: frozenset({WorkStageStatus.STOPPED, WorkStageStatus.FAILED}),
    WorkStageStatus.SUCCEEDED: frozenset({WorkStageStatus.STOPPED}),  # a Flow may stop an idle Work
    WorkStageStatus.FAILED: frozenset({WorkStageStatus.STOPPED}),
    WorkStageStatus.STOPPED: frozenset(),
}


def call_hash(args: tuple[Value, ...], kwargs: dict[str, Value]) -> str:
    """Return the identity of a call: a hash of the exact encoding of its arguments.

    ``1``, ``1.0``, ``True`` and ``"1"`` differ; the order of named arguments does not matter; ``run(1)``
    and ``run(x=1)`` are two calls.

    Raises:
        InvalidValueError: An argument is not a value.
    """
    for index, value in enumerate(args):
        validate(value, (f"argument {index} of run()",))
    for name, value in kwargs.items():
        validate(value, (f"argument {name} of run()",))
    return "run:" + hashlib.blake2b(canonical((args, kwargs)), digest_size=8).hexdigest()


def new_calls() -> Calls:
    """Return the calls of a Work that has none yet."""
    return {LATEST: None}


def requested(name: str, call_id: str, now: float, before: Entry | None = None, *, caller: str = "") -> Entry:
    """Return the entry of an execution that was just asked for.

    Args:
        name: ``run`` or ``start``.
        call_id: The execution's own identity.
        now: Seconds since 1970.
        before: The entry of the same call's last execution, whose count of successes goes on.
        caller: Who asked, for people; left out if empty.
    """
    return {
        "name": name,
        "call_id": call_id,
        **({"caller": caller} if caller else {}),
        "statuses": [make_status(WorkStageStatus.PENDING, now)],
        "successes": before["successes"] if before else 0,
    }


def advanced(entry: Entry, status: Status) -> Entry:
    """Return the entry with one status more; a success also has its return value, None.

    Raises:
        InvariantError: The transition is not one of the table above.
    """
    stage = entry["statuses"][-1]["stage"]
    if status["stage"] not in _NEXT_STAGES[stage]:
        raise InvariantError(f"call {entry['call_id']} went from {stage} to {status['stage']}: {entry['statuses']}")
    after = {**entry, "statuses": [*entry["statuses"], status]}
    if status["stage"] == WorkStageStatus.SUCCEEDED:
        after["successes"] += 1
        after["ret"] = None
    return after


def stage_of(entry: Entry | None) -> str:
    """Return the stage an entry has reached; not_started without one."""
    return str(entry["statuses"][-1]["stage"]) if entry else WorkStageStatus.NOT_STARTED


def unreachable(entry: Entry, now: float, message: str) -> Entry:
    """Return the entry with a status that says, at the same stage, that its Work is not heard."""
    status = make_status(stage_of(entry), now, UNREACHABLE, message)
    return {**entry, "statuses": [*entry["statuses"], status]}


def is_unreachable(entry: Entry) -> bool:
    """Tell whether an entry has a status that says that its Work is not heard."""
    return any(status.get("reason") == UNREACHABLE for status in entry["statuses"])


def reachable(entry: Entry) -> Entry:
    """Return the entry without such statuses."""
    return {**entry, "statuses": [status for status in entry["statuses"] if status.get("reason") != UNREACHABLE]}


def is_finished(entry: Entry | None, call_id: str) -> bool:
    """Tell whether the execution `call_id` is the one the entry tells of, and is over."""
    return entry is not None and entry["call_id"] == call_id and stage_of(entry) in FINAL_STAGES


def stopped_for_good(calls: Calls) -> bool:
    """Tell whether a Flow has stopped the Work."""
    entry = latest_entry(calls)
    return entry is not None and bool(entry["statuses"][-1].get(FOR_GOOD))


def newest_call_id(calls: Calls) -> int:
    """Return the highest number that an execution has had; 0 without one."""
    ids = [entry["call_id"] for key, entry in calls.items() if key not in (LATEST, START)]
    return max((int(each) for each in ids if each.isdecimal()), default=0)


def resumed(calls: Calls, *, raise_exception: bool, is_attached: bool = False) -> Calls:
    """Return what is left of a Work's calls when its app is resumed and no process of the Work is there; fresh.

    What has succeeded stays, and so does a failure that the Flow has handled. An execution that was not over, that
    was cut off by the end of the app, or whose failure has ended the app, counts as not started: the next such call
    is executed. The calls of a Work that a Flow has stopped stay as they are.

    Args:
        calls: As they were.
        raise_exception: Whether a failed run fails the app, if the failure does not say it.
        is_attached: Whether a service executes them, which may have gone on meanwhile.
    """
    if stopped_for_good(calls):
        return dict(calls)
    after: Calls = {}
    for key, entry in calls.items():
        if key not in (LATEST, START):
            known = reachable(entry)
            after[key] = known if _stays_over(known, raise_exception) else _cut_off(known)
            if is_attached and _may_go_on(known):
                after[key][GOES_ON] = True
    newest = max(after, key=lambda key: after[key]["statuses"][-1]["timestamp"], default=None)
    after[LATEST] = calls[LATEST] if calls[LATEST] in after else newest
    return after


def _stays_over(entry: Entry, raise_exception: bool) -> bool:
    status = entry["statuses"][-1]
    failed = status["stage"] == WorkStageStatus.FAILED and not status.get("raised", raise_exception)
    return failed or status["stage"] == WorkStageStatus.SUCCEEDED


def _may_go_on(entry: Entry) -> bool:
    status = entry["statuses"][-1]
    was_let_go = status["stage"] == WorkStageStatus.STOPPED and status.get("reason") == WorkStopReasons.DETACHED
    return (
        was_let_go or bool(entry.get(GOES_ON)) or status["stage"] in (WorkStageStatus.PENDING, WorkStageStatus.RUNNING)
    )


def _cut_off(entry: Entry) -> Entry:
    at = entry["statuses"][-1]["timestamp"]
    status = make_status(WorkStageStatus.NOT_STARTED, at, message="the app was resumed before this call was over")
    return {**{key: value for key, value in entry.items() if key != "ret"}, "statuses": [status]}


def latest_entry(calls: Calls) -> Entry | None:
    """Return the entry of the latest call, if there was one."""
    return calls.get(calls[LATEST])


def statuses_of(entry: Entry | None) -> list[WorkStatus]:
    """Return an entry's statuses, oldest first."""
    return [_as_status(status) for status in entry["statuses"]] if entry else []


def num_successes(calls: Calls) -> int:
    """Return how many executions have succeeded, of all calls together."""
    return sum(entry.get("successes", 0) for key, entry in calls.items() if key != LATEST)


def has_timed_out(status: WorkStatus) -> bool:
    """Tell whether a status is a failure by timeout."""
    return status.stage == WorkStageStatus.FAILED and status.reason == WorkFailureReasons.TIMEOUT


def _as_status(status: Status) -> WorkStatus:
    return WorkStatus(
        stage=status["stage"],
        timestamp=status["timestamp"],
        reason=status.get("reason"),
        message=status.get("message"),
    )

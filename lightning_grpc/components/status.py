"""The stages of a Work, why it got there, and the stages of an app."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any


class WorkStageStatus:
    """Stages of a Work, as `WorkStatus.stage` gives them."""

    NOT_STARTED = "not_started"
    STARTED = "started"
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"


FINAL_STAGES = frozenset({WorkStageStatus.SUCCEEDED, WorkStageStatus.FAILED, WorkStageStatus.STOPPED})
UNFINISHED_STAGES = frozenset(
    {WorkStageStatus.NOT_STARTED, WorkStageStatus.STARTED, WorkStageStatus.PENDING, WorkStageStatus.RUNNING}
)


class WorkFailureReasons:
    """Why a Work failed, as `WorkStatus.reason` gives it."""

    TIMEOUT = "timeout"
    USER_EXCEPTION = "user_exception"
    INVALID_RETURN_VALUE = "invalid_return_value"
    PROCESS_DIED = "process_died"
    START_FAILED = "start_failed"
    REFUSED = "refused"
    PROTOCOL_ERROR = "protocol_error"
    ATTACH_FAILED = "attach_failed"
    LOST = "lost"


class WorkStopReasons:
    """Why a Work stopped, as `WorkStatus.reason` gives it."""

    SIGTERM_SIGNAL_HANDLER = "sigterm_signal_handler"
    PENDING = "pending"
    DETACHED = "detached"


UNREACHABLE = "unreachable"
"""Reason of a status whose Work has given no sign of life for a while; its stage is the last one known."""


class AppStage(enum.Enum):
    """Stages of an app."""

    BLOCKING = "blocking"
    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    FAILED = "failed"


class CacheCallsKeys:
    """Keys of a component's calls that are not calls."""

    LATEST_CALL_HASH = "latest_call_hash"


@dataclass(frozen=True)
class WorkStatus:
    """One step in the life of a Work.

    Attributes:
        stage: One of `WorkStageStatus`.
        timestamp: When, in seconds since 1970.
        reason: Why, for some stages; see `WorkFailureReasons`, `WorkStopReasons` and `UNREACHABLE`.
        message: More for people, such as the traceback of a failure.
        count: How many times in a row; kept for Lightning Apps.
    """

    stage: str
    timestamp: float
    reason: str | None = None
    message: str | None = None
    count: int = 1


def make_status(stage: str, timestamp: float, reason: str | None = None, message: str | None = None) -> dict[str, Any]:
    """Return a status as state holds it: a dict that leaves out what is not known."""
    status: dict[str, Any] = {"stage": stage, "timestamp": timestamp}
    if reason:
        status["reason"] = reason
    if message:
        status["message"] = message
    return status

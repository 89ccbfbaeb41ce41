"""One execution of a Work that is served by itself, as whoever asked for it follows it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lightning_grpc.components.status import FINAL_STAGES, WorkFailureReasons, WorkStageStatus, WorkStatus, make_status
from lightning_grpc.errors import NoAnswerError, ProtocolError, WorkFailedError
from lightning_grpc.standalone.following import WorkChange
from lightning_grpc.state.values import Value
from lightning_grpc.wire.client import RunAnswer


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What is asked for.

    Attributes:
        call_id: Names the execution; unique.
        call_hash: Names the call; the same for equal arguments.
        args: By position.
        kwargs: By name.
        requested_at_s: When, in seconds since 1970.
    """

    call_id: str
    call_hash: str
    args: tuple[Value, ...]
    kwargs: Mapping[str, Value]
    requested_at_s: float


class Asker(Protocol):
    """Whoever can ask the Work, and follow it."""

    async def ask_again(self, request: RunRequest, epoch: int, deadline_s: float) -> RunAnswer | None:
        """Repeat a request; None if another epoch answers."""

    @property
    def last_seen(self) -> WorkChange | None:
        """The newest state that has come; None before the first."""

    async def newest(self, within_s: float) -> WorkChange:
        """Return the state as it is now."""

    async def until_changed(self, seen: WorkChange | None, within_s: float | None) -> WorkChange:
        """Return the newest state as soon as it is another one than `seen`."""

    @property
    def name(self) -> str:
        """What to call the Work."""

    @property
    def timeout_s(self) -> float:
        """How long a request may take."""


class AsyncExecution:
    """An execution that a Work has accepted.

    Attributes:
        call_id: Names the execution.
        call_hash: Names the call; the key under which the Work's ``calls`` tell of it.
        epoch: The incarnation that has accepted it.

    Threads: Belongs to the loop of its client.
    """

    def __init__(self, asker: Asker, request: RunRequest, epoch: int, final: dict[str, Any] | None = None) -> None:
        self.call_id = request.call_id
        self.call_hash = request.call_hash
        self.epoch = epoch
        self._asker = asker
        self._request = request
        self._final = final
        self._last = make_status(WorkStageStatus.PENDING, request.requested_at_s)
        self._asked_at: Any = None

    def __repr__(self) -> str:
        return f"<execution {self.call_id} of {self._asker.name}, {self._known()['stage']} when last looked at>"

    @property
    def is_over(self) -> bool:
        """Whether it is known to be over, by what has been heard so far; asks nobody."""
        self._notice(self._asker.last_seen)
        return self._final is not None

    async def status(self) -> WorkStatus:
        """Return how it fares.

        Raises:
            TransportError: The Work cannot be reached, and it was not heard before that the execution is over.
        """
        if not self.is_over:
            await self._look(await self._asker.newest(self._asker.timeout_s))
        return _as_status(self._known())

    async def wait(self, timeout_s: float | None = None) -> WorkStatus:
        """Wait until it is over.

        Args:
            timeout_s: How long, in seconds; None for as long as it takes.

        Returns:
            The final status, of a success.

        Raises:
            WorkFailedError: It failed, was stopped, or went down with its process; carries the Work's own traceback.
            NoAnswerError: The time is over; the execution goes on.
            TransportError: The Work cannot be reached any more.
        """
        await self.wait_until_over(timeout_s)
        status = self._known()
        if status["stage"] != WorkStageStatus.SUCCEEDED:
            message = str(status.get("message", ""))
            if status["stage"] == WorkStageStatus.STOPPED:
                message = f"its run was interrupted: {message or 'its process ends'}"
            raise WorkFailedError(
                self._asker.name,
                self.call_hash,
                str(status.get("reason", "")),
                str(status.get("exception", "")),
                message,
            )
        return _as_status(status)

    async def wait_until_over(self, timeout_s: float | None = None) -> None:
        """Wait until it is over, however it ends; raises what `wait` does, but for the failure."""
        end_s = None if timeout_s is None else time.monotonic() + timeout_s
        seen: WorkChange | None = None
        while self._final is None:
            left_s = None if end_s is None else end_s - time.monotonic()
            try:
                seen = await self._asker.until_changed(seen, left_s)
            except NoAnswerError:
                raise NoAnswerError(
                    f"{self._asker.name} did not end {self.call_id} within {timeout_s:g} s; it goes on"
                ) from None
            await self._look(seen)

    async def _look(self, change: WorkChange) -> None:
        """Take in what a state tells of it, and ask where the state does not tell."""
        other = self._notice(change)
        if other is not None and self._final is None and self._asked_at != other:
            await self._ask_again()
            self._asked_at = other

    def _notice(self, change: WorkChange | None) -> Any:
        """Take in what a state tells of it.

        Returns:
            The call_id of another execution of the same call that the entry tells of: an earlier one, or one that came
            later. None if it tells of none.
        """
        if change is None or self._final is not None:
            return None
        if change.epoch != self.epoch:
            if change.epoch > self.epoch:  # an earlier one was seen before this was asked for
                self._lose(change.epoch)
            return None
        entry = change.state["calls"].get(self.call_hash)
        if not isinstance(entry, dict):
            return None
        if entry.get("call_id") != self.call_id:
            return entry.get("call_id")
        self._last = _last_status(entry, self._asker.name)
        if self._last["stage"] in FINAL_STAGES:
            self._final = self._last
        return None

    async def _ask_again(self) -> None:
        answer = await self._asker.ask_again(self._request, self.epoch, self._asker.timeout_s)
        if answer is None:
            self._lose(None)
        elif answer.final_status is not None:
            self._final = answer.final_status
        elif self._last["stage"] != WorkStageStatus.PENDING:
            raise ProtocolError(
                f"{self._asker.name} does not tell any more how {self.call_id} ended: a later execution of the same "
                "call has taken its place in the state"
            )

    def _lose(self, epoch: int | None) -> None:
        now = f"epoch {epoch}" if epoch else "another epoch"
        message = f"its process is gone; {now} answers where {self.epoch} did"
        self._final = make_status(WorkStageStatus.FAILED, time.time(), WorkFailureReasons.PROCESS_DIED, message)

    def _known(self) -> dict[str, Any]:
        return self._final or self._last


def _last_status(entry: dict[str, Any], name: str) -> dict[str, Any]:
    statuses = entry.get("statuses")
    if not isinstance(statuses, list) or not statuses or "stage" not in statuses[-1]:
        raise ProtocolError(f"{name} has an entry without a status: {entry!r}")
    last: dict[str, Any] = statuses[-1]
    return last


def _as_status(status: dict[str, Any]) -> WorkStatus:
    return WorkStatus(
        stage=status["stage"],
        timestamp=status.get("timestamp", 0.0),
        reason=status.get("reason"),
        message=status.get("message"),
    )

"""How the errors of a running app travel to who asked it for something: as a status there, as the same error here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc

from lightning_grpc import errors
from lightning_grpc.errors import LightningGrpcError
from lightning_grpc.keys import render_keys
from lightning_grpc.wire.status import RETRY_AFTER_S, Context, abort, facts_of, shortened, to_error

MAX_FACT_BYTES = 1000
"""What a fact may take; longer ones are cut, because a status travels in headers, which are limited to some KiB."""
MAX_TRACEBACK_BYTES = 2000
"""What is kept of a traceback: its end."""


@dataclass(frozen=True)
class _Refusal:
    """How one class of error travels.

    Attributes:
        kind: The class.
        code: The canonical code.
        reason: Of the ``ErrorInfo``.
        fields: The attributes that it is made of, in order; without any, it is made of its text.
    """

    kind: type[LightningGrpcError]
    code: grpc.StatusCode
    reason: str
    fields: tuple[str, ...] = ()


_REFUSALS = (
    _Refusal(
        errors.UpdateConflictError, grpc.StatusCode.FAILED_PRECONDITION, "UPDATE_OUTDATED", fields=("path", "reason")
    ),
    _Refusal(errors.UpdateRefusedError, grpc.StatusCode.INVALID_ARGUMENT, "UPDATE_REFUSED", fields=("path", "reason")),
    _Refusal(errors.UnknownCommandError, grpc.StatusCode.NOT_FOUND, "COMMAND_UNKNOWN", fields=("command", "known")),
    _Refusal(errors.UnknownWorkError, grpc.StatusCode.NOT_FOUND, "WORK_UNKNOWN", fields=("work", "known")),
    _Refusal(
        errors.CommandArgumentError,
        grpc.StatusCode.INVALID_ARGUMENT,
        "ARGUMENT_INVALID",
        fields=("command", "argument", "reason", "usage"),
    ),
    _Refusal(
        errors.CommandFailedError,
        grpc.StatusCode.UNKNOWN,
        "COMMAND_FAILED",
        fields=("command", "remote_type", "message", "remote_traceback"),
    ),
    _Refusal(
        errors.CommandDefinitionError,
        grpc.StatusCode.FAILED_PRECONDITION,
        "COMMANDS_INVALID",
        fields=("command", "flow", "reason"),
    ),
    _Refusal(
        errors.RequestSuspendedError,
        grpc.StatusCode.FAILED_PRECONDITION,
        "REQUEST_SUSPENDED",
        fields=("what", "work"),
    ),
    _Refusal(errors.FlowFailedError, grpc.StatusCode.FAILED_PRECONDITION, "FLOW_FAILED"),
    _Refusal(errors.AppEndedError, grpc.StatusCode.UNAVAILABLE, "APP_ENDED"),
    _Refusal(errors.BusyError, grpc.StatusCode.RESOURCE_EXHAUSTED, "BUSY"),
    _Refusal(errors.NoAnswerError, grpc.StatusCode.DEADLINE_EXCEEDED, "NO_ANSWER"),
    _Refusal(errors.ProtocolError, grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_INVALID"),
)
_BY_KIND = {each.kind: each for each in _REFUSALS}
_BY_REASON = {each.reason: each for each in _REFUSALS}
_LISTS = frozenset({"path", "known"})


async def abort_with(context: Context, error: LightningGrpcError) -> NoReturn:
    """End a call with an error of the app's."""
    refusal = _BY_KIND.get(type(error))
    if refusal is None:
        await abort(context, grpc.StatusCode.FAILED_PRECONDITION, "REFUSED", _cut(str(error)))
    facts = {field: _fact(field, getattr(error, field)) for field in refusal.fields}
    retry_after_s = RETRY_AFTER_S if refusal.kind is errors.BusyError else 0.0
    await abort(
        context,
        refusal.code,
        refusal.reason,
        _cut(str(error)),
        violations=_violations(error),
        retry_after_s=retry_after_s,
        **facts,
    )


def to_app_error(error: grpc.RpcError, peer: str) -> LightningGrpcError:
    """Return the app's own error for a failed call; or, if it is none of those, what `to_error` makes of it."""
    reason, facts = facts_of(error)
    refusal = _BY_REASON.get(reason)
    if refusal is not None and facts.keys() >= set(refusal.fields):
        if not refusal.fields:
            return refusal.kind(f"{peer}: {error.details()}")
        parts: list[Any] = [json.loads(facts[field]) if field in _LISTS else facts[field] for field in refusal.fields]
        return refusal.kind(*parts)
    if reason == "EPOCH_MISMATCH":
        return errors.AppEndedError(f"{peer}: another run of the app answers now ({error.details()})")
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.NoAnswerError(f"{peer} did not answer in time")
    return to_error(error, peer)


def _violations(error: LightningGrpcError) -> dict[str, str]:
    """Return what is wrong with the request, by field, for tools that know no more than ``BadRequest``."""
    if isinstance(error, errors.CommandArgumentError):
        return {f'arguments["{error.argument}"]': error.reason}
    if type(error) is errors.UpdateRefusedError:
        return {render_keys(["root", *error.path]): error.reason}
    return {}


def _fact(field: str, value: Any) -> str:
    if field == "remote_traceback":
        return str(value).encode(errors="replace")[-MAX_TRACEBACK_BYTES:].decode(errors="ignore")
    if field not in _LISTS:
        return _cut(str(value))
    return _listed(value)


def _listed(items: Iterable[Any]) -> str:
    """Return a list in JSON, with as many of its first items as a fact may take; there may be very many of them."""
    texts: list[str] = []
    size = 0
    for item in items:
        text = json.dumps(item)
        size += len(text) + 2  # what stands between two of them, or around all
        if size > MAX_FACT_BYTES:
            break
        texts.append(text)
    return f"[{', '.join(texts)}]"


def _cut(text: str) -> str:
    return shortened(text, MAX_FACT_BYTES)

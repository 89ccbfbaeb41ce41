"""Errors across the wire: canonical status codes with the details of ``google.rpc``, both ways.

Every error of a server carries an ``ErrorInfo``; one about the fields of a request, a ``BadRequest`` too; one that
later tries may not meet, a ``RetryInfo``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import grpc

from lightning_grpc.errors import (
    ConfigurationError,
    InvalidRequestError,
    LightningGrpcError,
    ProtocolError,
    TransportError,
)
from lightning_grpc.wire.options import MAX_MESSAGE_BYTES

Context = grpc.aio.ServicerContext[Any, Any]
"""The context of any call."""
DOMAIN = "lightning_grpc"
"""The domain of every ``ErrorInfo`` this package sends."""

MAX_VIOLATIONS = 6
"""Fields that one error tells of; a status travels in headers, which are limited to some KiB."""
MAX_TEXT_BYTES = 1_500
"""What the message of a status may take: it travels twice, in headers, which are limited to some KiB."""
RETRY_AFTER_S = 1.0
"""When a later try may be worth it, as a server without room says."""

_MAX_FIELD_BYTES = 100
_MAX_VIOLATION_BYTES = 240
_MAX_SUMMARY_BYTES = 700  # of the message, if there are violations beside it
DETAILS_KEY = "grpc-status-details-bin"
"""The metadata with the details of a status."""
PUSH_BACK_KEY = "grpc-retry-pushback-ms"
"""The metadata that keeps gRPC's clients from another try by themselves (gRFC A6): who called is told when."""
_TOO_LARGE = "larger than max"  # as gRPC says it, at either end
_UNREACHABLE = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})
_WORK_NOT_FOUND = frozenset({"WORK_UNNAMED", "WORK_UNKNOWN"})
_NOT_NOW = frozenset({"STOPPING", "QUEUE_FULL"})
"""Reasons of a Work that has not accepted an execution, for sure, and that may be asked again."""
_REFUSED = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})


async def abort(
    context: Context,
    code: grpc.StatusCode,
    reason: str,
    message: str,
    /,
    *,
    violations: Mapping[str, str] | None = None,
    retry_after_s: float = 0.0,
    **metadata: str,
) -> NoReturn:
    """End a call with a status that programs can read too.

    Args:
        context: Of the call.
        code: The canonical code.
        reason: In capitals, such as ``EPOCH_MISMATCH``; constant for one kind of error.
        message: For people: what happened and what to do; cut if it is long.
        violations: What is wrong with the request, by field.
        retry_after_s: When another try may be worth it; 0 if none ever is, or nobody knows.
        metadata: Facts for programs.
    """
    from google.protobuf import duration_pb2
    from google.rpc import error_details_pb2, status_pb2

    message = shortened(message, MAX_TEXT_BYTES)
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata))
    if violations:
        request = error_details_pb2.BadRequest()
        for field, text in list(violations.items())[:MAX_VIOLATIONS]:
            request.field_violations.add(
                field=shortened(field, _MAX_FIELD_BYTES),
                description=shortened(text, _MAX_VIOLATION_BYTES),
                reason=reason,
            )
        status.details.add().Pack(request)
    if retry_after_s:
        delay = duration_pb2.Duration(nanos=int(retry_after_s % 1 * 1e9), seconds=int(retry_after_s))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    push_back = ((PUSH_BACK_KEY, "-1"),) if retry_after_s else ()
    await context.abort(code, message, ((DETAILS_KEY, status.SerializeToString()), *push_back))
    raise AssertionError("abort returned")


def shortened(text: str, limit_bytes: int) -> str:
    """Return a text, cut if it takes more bytes than it may: who calls can put anything into some of them."""
    encoded = text.encode(errors="replace")
    if len(encoded) <= limit_bytes:
        return text
    return f"{encoded[:limit_bytes].decode(errors='ignore')} ..."


async def check_epoch(context: Context, name: str, own: int, given: int) -> None:
    """End a call that is meant for another incarnation than the one that answers; 0 is meant for any."""
    if given not in (0, own):
        await abort(
            context,
            grpc.StatusCode.FAILED_PRECONDITION,
            "EPOCH_MISMATCH",
            f"{name} is at epoch {own}, not {given}: it was started anew",
            epoch=str(own),
        )


async def abort_invalid(context: Context, reason: str, violations: Mapping[str, str]) -> NoReturn:
    """End a call whose request has fields that hold what they cannot; the message says which and why."""
    shown = [
        f"{shortened(field, _MAX_FIELD_BYTES)}: {shortened(text, _MAX_VIOLATION_BYTES)}"
        for field, text in list(violations.items())[:MAX_VIOLATIONS]
    ]
    rest = f"; and {len(violations) - MAX_VIOLATIONS} more" if len(violations) > MAX_VIOLATIONS else ""
    message = shortened("; ".join(shown), _MAX_SUMMARY_BYTES) + rest
    await abort(context, grpc.StatusCode.INVALID_ARGUMENT, reason, message, violations=violations)


def to_error(error: grpc.RpcError, peer: str) -> LightningGrpcError:
    """Return the package's own error for a failed call.

    Args:
        error: What grpc raised.
        peer: Whom the call was for, as people know it.
    """
    code, details = error.code(), error.details()
    text = f"{peer}: {details or 'no details'} ({code.name})"
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in (details or ""):
        return ProtocolError(f"{peer}: {_too_large(details or '')} ({code.name})")
    if (details or "").startswith("Stream removed"):  # what was said was garbled on its way
        return TransportError(text)
    if code in _UNREACHABLE or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and reason_of(error) == "QUEUE_FULL"):
        unreachable = TransportError(text)
        unreachable.retry_after_s = retry_after_of(error)
        unreachable.is_refusal = reason_of(error) in _NOT_NOW
        return unreachable
    if code in _REFUSED:
        return ConfigurationError(
            f"{text}. Give the token that the server was started with: token, or --token-file FILE."
        )
    if reason_of(error) in _WORK_NOT_FOUND:
        return ProtocolError(f"{text}. Name the Work behind the address: ADDRESS#NAME.")
    violations = violations_of(error)
    if not violations:
        return ProtocolError(text)
    unsaid = [f"{field}: {what}" for field, what in violations.items() if field not in text]
    return InvalidRequestError("; ".join([text, *unsaid]), violations)


def _too_large(details: str) -> str:
    size = re.search(r"\((\d+) vs\. \d+\)", details)
    of_size = f" of {int(size[1]) / (1 << 20):.1f} MiB" if size else ""
    return (
        f"a message{of_size} is larger than the {MAX_MESSAGE_BYTES >> 20} MiB that one may have. Hand over large data "
        "as the path of a file, or in parts"
    )


def reason_of(error: grpc.RpcError) -> str:
    """Return the reason in the error's ``ErrorInfo``; empty if it has none."""
    return facts_of(error)[0]


def facts_of(error: grpc.RpcError) -> tuple[str, dict[str, str]]:
    """Return the reason and the facts in the error's ``ErrorInfo``; empty if it has none."""
    from google.rpc import error_details_pb2

    for info in _details(error, error_details_pb2.ErrorInfo):
        if info.domain == DOMAIN:
            return str(info.reason), dict(info.metadata)
    return "", {}


def violations_of(error: grpc.RpcError) -> dict[str, str]:
    """Return what is wrong with the request, by field, as the error's ``BadRequest`` says; empty if it has none."""
    from google.rpc import error_details_pb2

    requests = _details(error, error_details_pb2.BadRequest)
    return {each.field: each.description for request in requests for each in request.field_violations}


def retry_after_of(error: grpc.RpcError) -> float:
    """Return when another try may be worth it, in seconds, as the error's ``RetryInfo`` says; 0 if it has none."""
    from google.rpc import error_details_pb2

    infos = _details(error, error_details_pb2.RetryInfo)
    return max((info.retry_delay.seconds + info.retry_delay.nanos / 1e9 for info in infos), default=0.0)


def _details(error: grpc.RpcError, kind: Any) -> Iterator[Any]:
    """Yield the details of one kind; what cannot be read is none."""
    from google.protobuf.message import DecodeError
    from google.rpc import status_pb2

    metadata: Any = error.trailing_metadata() or ()
    for key, value in metadata:
        if key != DETAILS_KEY:
            continue
        try:
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Is(kind.DESCRIPTOR):
                    yield kind.FromString(detail.value)
        except DecodeError:
            return

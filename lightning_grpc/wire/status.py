"""Errors across the wire: canonical status codes with ``google.rpc.ErrorInfo``, both ways."""

from __future__ import annotations

from typing import Any, NoReturn

import grpc

from lightning_grpc.errors import ConfigurationError, LightningGrpcError, ProtocolError, TransportError

Context = grpc.aio.ServicerContext[Any, Any]
"""The context of any call."""
DOMAIN = "lightning_grpc"
"""The domain of every ``ErrorInfo`` this package sends."""

_DETAILS_KEY = "grpc-status-details-bin"
_UNREACHABLE = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})
_REFUSED = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})


async def abort(context: Context, code: grpc.StatusCode, reason: str, message: str, **metadata: str) -> NoReturn:
    """End a call with a status that programs can read too.

    Args:
        context: Of the call.
        code: The canonical code.
        reason: In capitals, such as ``EPOCH_MISMATCH``; constant for one kind of error.
        message: For people: what happened and what to do.
        metadata: Facts for programs.
    """
    from google.rpc import error_details_pb2, status_pb2

    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata))
    await context.abort(code, message, ((_DETAILS_KEY, status.SerializeToString()),))
    raise AssertionError("abort returned")


def to_error(error: grpc.RpcError, peer: str) -> LightningGrpcError:
    """Return the package's own error for a failed call.

    Args:
        error: What grpc raised.
        peer: Whom the call was for, as people know it.
    """
    code, details = error.code(), error.details()
    text = f"{peer}: {details or 'no details'} ({code.name})"
    if (details or "").startswith("Stream removed"):  # what was said was garbled on its way
        return TransportError(text)
    if code in _UNREACHABLE or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and reason_of(error) == "QUEUE_FULL"):
        return TransportError(text)
    if code in _REFUSED:
        return ConfigurationError(f"{text}. The peer asks for the token it was started with.")
    return ProtocolError(text)


def reason_of(error: grpc.RpcError) -> str:
    """Return the reason in the error's ``ErrorInfo``; empty if it has none."""
    from google.rpc import error_details_pb2, status_pb2

    metadata: Any = error.trailing_metadata() or ()
    for key, value in metadata:
        if key == _DETAILS_KEY:
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info) and info.domain == DOMAIN:
                    return str(info.reason)
    return ""

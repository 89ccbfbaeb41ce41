"""Calls of bytes as they are, for whoever looks at what a peer really says: nothing is decoded or raised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from lightning_grpc.errors import ProtocolError
from lightning_grpc.wire.channel import PeerChannel
from lightning_grpc.wire.credentials import ClientTls
from lightning_grpc.wire.options import CHANNEL_OPTIONS
from lightning_grpc.wire.status import facts_of

OK = "OK"
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
REFLECTIONS = tuple(f"/grpc.reflection.{v}.ServerReflection/ServerReflectionInfo" for v in ("v1", "v1alpha"))
"""Where the services of a server are listed; both speak the same messages, and one of them is enough."""

_OPTIONS = [
    (name, -1 if name == "grpc.max_send_message_length" else value)
    for name, value in CHANNEL_OPTIONS
    if name != "grpc.service_config"  # nothing is repeated behind its back
]


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """How a call ended.

    Attributes:
        code: The name of the canonical code, such as ``OK`` or ``NOT_FOUND``.
        data: The answer of a unary call that went well.
        message: What the peer says of a failure.
        reason: Of the failure's ``ErrorInfo``; empty without one.
    """

    code: str
    data: bytes | None = None
    message: str = ""
    reason: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.code, self.reason, self.message and f"{self.message!r}")))


class RawStream:
    """The messages of one call, as they come; `read` until it returns None, then `answer` tells how it ended."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.answer: RawAnswer | None = None

    async def read(self) -> bytes | None:
        """Return the next message; None when there are no more."""
        try:
            message = await self._call.read()
            if message is not grpc.aio.EOF:
                return bytes(message)
            code = await self._call.code()
            if code is grpc.StatusCode.OK:
                self.answer = RawAnswer(OK)
            else:
                self.answer = RawAnswer(code.name, message=await self._call.details() or "")
        except grpc.RpcError as error:
            self.answer = _failure(error)
        return None

    def cancel(self) -> None:
        """End the call."""
        self._call.cancel()


class RawChannel(PeerChannel):
    """A connection that sends whatever it is given, also messages that are too large; see `PeerChannel`."""

    def __init__(
        self, address: str, name: str, token: str | None = None, *, tls: ClientTls | None = None, work: str = ""
    ) -> None:
        super().__init__(address, name, token, tls=tls, work=work, options=_OPTIONS)

    async def ask(self, method: str, request: bytes, deadline_s: float) -> RawAnswer:
        """Make a unary call; `method` is its path, such as ``/package.Service/Method``."""
        try:
            method_of: Any = self._channel.unary_unary(method)
            return RawAnswer(OK, bytes(await method_of(request, timeout=deadline_s, metadata=self._metadata)))
        except grpc.RpcError as error:
            return _failure(error)

    def open(self, method: str, request: bytes, deadline_s: float) -> RawStream:
        """Make a call that is answered by a stream."""
        method_of: Any = self._channel.unary_stream(method)
        return RawStream(method_of(request, timeout=deadline_s, metadata=self._metadata))


def health_request(service: str) -> bytes:
    """Return the message that asks how a service fares."""
    return bytes(health_pb2.HealthCheckRequest(service=service).SerializeToString())


def health_of(data: bytes) -> str:
    """Return how a service fares, such as ``SERVING``.

    Raises:
        ProtocolError: The bytes have no meaning.
    """
    try:
        return str(
            health_pb2.HealthCheckResponse.ServingStatus.Name(health_pb2.HealthCheckResponse.FromString(data).status)
        )
    except (DecodeError, ValueError) as error:
        raise ProtocolError(f"{len(data)} bytes do not make an answer of a health check: {error}") from None


def reflection_request() -> bytes:
    """Return the message that asks for the names of a server's services."""
    return bytes(reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString())


def services_in(data: bytes) -> set[str]:
    """Return the names of the services that an answer lists.

    Raises:
        ProtocolError: The bytes have no meaning.
    """
    try:
        answer = reflection_pb2.ServerReflectionResponse.FromString(data)
    except DecodeError as error:
        raise ProtocolError(f"{len(data)} bytes do not make a list of services: {error}") from None
    return {str(each.name) for each in answer.list_services_response.service}


def _failure(error: grpc.RpcError) -> RawAnswer:
    try:
        reason = facts_of(error)[0]
    except DecodeError:
        reason = "(details that are no google.rpc.Status)"
    return RawAnswer(error.code().name, None, error.details() or "", reason)

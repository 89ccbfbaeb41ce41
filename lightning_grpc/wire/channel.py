"""What the client's ends of all services share: a connection, its token, deadlines and errors."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import grpc

from lightning_grpc.errors import ConfigurationError, LightningGrpcError, ProtocolError, TransportError
from lightning_grpc.state.subscription import Frame
from lightning_grpc.wire.addresses import is_local
from lightning_grpc.wire.auth import credentials
from lightning_grpc.wire.codec import FrameReader
from lightning_grpc.wire.credentials import ClientTls
from lightning_grpc.wire.diagnosis import Explanation, diagnose, is_failed_connection
from lightning_grpc.wire.options import CHANNEL_OPTIONS
from lightning_grpc.wire.protocol import PROTOCOL_MAJOR, PROTOCOL_MINOR
from lightning_grpc.wire.status import to_error
from lightning_grpc.wire.tracing import client_interceptors

_EXPLAINED_FOR_S = 5.0
"""So long an explanation is repeated, rather than sought again, while a client tries on and on."""


class _Explanations:
    """Why a server could not be connected to: sought once for all calls that fail at about the same time."""

    def __init__(self, address: str, tls: ClientTls | None) -> None:
        self._address = address
        self._tls = tls
        self._lock = asyncio.Lock()
        self._details, self._last = "", Explanation("")
        self._until_s = 0.0

    async def of(self, details: str) -> Explanation:
        """Return the explanation for what gRPC says."""
        async with self._lock:
            now_s = asyncio.get_running_loop().time()
            if details != self._details or now_s >= self._until_s:
                self._details, self._last = details, await diagnose(self._address, self._tls, details)
                self._until_s = asyncio.get_running_loop().time() + _EXPLAINED_FOR_S
            return self._last


class PeerChannel:
    """A connection to one peer.

    Every unary call has a deadline; every failure is one of the package's own errors.

    Args:
        address: ``unix:PATH``, ``HOST:PORT``, or a target that gRPC resolves.
        name: The peer's name, for errors.
        token: What the server wants to see.
        tls: Whom to trust; None for a connection in plain text.
        work: The Work that is meant, if the server has several.
        options: gRPC's, of the channel.

    Raises:
        ConfigurationError: A token would be sent in plain text to another machine, or a file cannot be read.

    Threads: Belongs to the loop it is made on.
    """

    def __init__(
        self,
        address: str,
        name: str,
        token: str | None = None,
        *,
        tls: ClientTls | None = None,
        work: str = "",
        options: Sequence[tuple[str, int | str]] = CHANNEL_OPTIONS,
    ) -> None:
        if token and tls is None and not is_local(address):
            raise ConfigurationError(
                f"{name} at {address} is on another machine, and without TLS its token could be read on the way. Say "
                "whom to trust (tls_ca), or use an SSH tunnel to a server on its loopback."
            )
        self._name = name
        self._streams: set[Any] = set()
        self._explained = _Explanations(address, tls)
        self._metadata = credentials(token, work)
        interceptors = client_interceptors()
        if tls is None:
            self._channel = grpc.aio.insecure_channel(address, options=options, interceptors=interceptors)
        else:
            both = [*options, *tls.options]
            self._channel = grpc.aio.secure_channel(address, tls.load(), options=both, interceptors=interceptors)

    async def close(self) -> None:
        """Close the connection; calls under way end."""
        for call in list(self._streams):  # not every version of grpcio finds them by itself
            call.cancel()
        await self._channel.close()

    def _error(self, error: grpc.RpcError) -> LightningGrpcError:
        return to_error(error, self._name)

    def _parsed(self, message: Any) -> Any:
        """Return a message that was received; for one that it cannot parse, gRPC logs an error and gives None."""
        if message is None:
            raise ProtocolError(
                f"{self._name} answers with bytes that are no message of the protocol, or are nested too deep"
            )
        return message

    async def _explain(self, error: grpc.RpcError) -> LightningGrpcError:
        """Return the package's own error for a failed call; if there was no connection, with the reason of that."""
        details = error.details() or ""
        if error.code() is grpc.StatusCode.UNAVAILABLE and is_failed_connection(details):
            explanation = await self._explained.of(details)
            if explanation.words:
                explained = TransportError(f"{self._name}: {explanation.words} ({error.code().name})")
                explained.is_lasting = explanation.is_lasting
                return explained
        return self._error(error)

    def _check_version(self, version: Any) -> None:
        """Refuse a peer that speaks another major version of the protocol."""
        if version.major != PROTOCOL_MAJOR:
            raise ProtocolError(
                f"{self._name} speaks protocol {version.major}.{version.minor}, this side "
                f"{PROTOCOL_MAJOR}.{PROTOCOL_MINOR}; update the older one"
            )

    async def _unary(self, method: Any, request: Any, deadline_s: float) -> Any:
        try:
            response = await method(request, timeout=deadline_s, metadata=self._metadata)
        except grpc.RpcError as error:
            raise await self._explain(error) from None
        return self._parsed(response)

    async def _messages(self, method: Any, request: Any, deadline_s: float | None = None) -> AsyncGenerator[Any, None]:
        """Yield the messages of one stream, until the peer ends it."""
        call = method(request, timeout=deadline_s, metadata=self._metadata)
        self._streams.add(call)
        try:
            while (message := await call.read()) is not grpc.aio.EOF:
                yield self._parsed(message)
        except grpc.RpcError as error:
            raise await self._explain(error) from None
        finally:
            self._streams.discard(call)
            call.cancel()

    async def _frames(
        self, method: Any, request: Any, reader: FrameReader, deadline_s: float | None = None
    ) -> AsyncGenerator[list[Frame], None]:
        """Yield the frames of one stream, message by message, until the peer ends it."""
        async with contextlib.aclosing(self._messages(method, request, deadline_s)) as messages:
            async for message in messages:
                yield reader.read(message)

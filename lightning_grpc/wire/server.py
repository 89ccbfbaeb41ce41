"""Servers: set up the way every server of this package is."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from grpc_health.v1 import health_pb2_grpc

from lightning_grpc.errors import ConfigurationError
from lightning_grpc.wire.admin import OPTIONS as ADMIN_OPTIONS
from lightning_grpc.wire.admin import add_admin
from lightning_grpc.wire.auth import TokenInterceptor
from lightning_grpc.wire.credentials import ServerTls
from lightning_grpc.wire.decoding import DecodingInterceptor
from lightning_grpc.wire.health import NOT_SERVING, SERVING, HealthServicer
from lightning_grpc.wire.health import SERVICE as HEALTH_SERVICE
from lightning_grpc.wire.open_files import connection_limit, open_files
from lightning_grpc.wire.options import MAX_STREAMS, SERVER_OPTIONS
from lightning_grpc.wire.reflection import add_reflection
from lightning_grpc.wire.tracing import server_interceptors
from lightning_grpc.wire.unix_sockets import UnixSocket, socket_path


class Server:
    """A gRPC server with health and reflection beside its own services, on the running loop.

    Args:
        handlers: The services' handlers.
        services: Their full names, for health and reflection.
        works: Names of Works, which have a health of their own.
        token: If given, calls without it are refused, those of health and reflection too.
        max_streams: What one connection may have open; None for no bound, where one carries the calls of many clients.
        admin: Whether it has the admin service too; see `lightning_grpc.wire.admin`.

    Raises:
        ConfigurationError: The package for the admin service is not installed.
    """

    def __init__(
        self,
        handlers: Iterable[grpc.GenericRpcHandler],
        services: Iterable[str],
        token: str | None,
        *,
        works: Iterable[str] = (),
        max_streams: int | None = MAX_STREAMS,
        admin: bool = False,
    ) -> None:
        offered = list(services)
        self._healthy = ["", *offered, *works]
        self._is_ending = False
        interceptors = [
            *([TokenInterceptor(token)] if token else []),
            *server_interceptors(),
            DecodingInterceptor(),
        ]
        bounds = [("grpc.max_allowed_incoming_connections", connection_limit(open_files()))]
        if max_streams is not None:
            bounds.append(("grpc.max_concurrent_streams", max_streams))
        options = [*SERVER_OPTIONS, *bounds, *(ADMIN_OPTIONS if admin else [])]
        self._sockets: list[UnixSocket] = []
        self._server = grpc.aio.server(options=options, interceptors=interceptors)
        self._server.add_generic_rpc_handlers(tuple(handlers))
        self._health = HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        also = [add_admin(self._server)] if admin else []
        add_reflection([*offered, HEALTH_SERVICE, *also], self._server)

    def listen(self, address: str, tls: ServerTls | None = None) -> str:
        """Take an address, before `begin`.

        Args:
            address: ``unix:PATH`` or ``HOST:PORT``; port 0 picks a free one.
            tls: How the server proves who it is; None to listen in plain text.

        Returns:
            The address to reach it at.

        Raises:
            ConfigurationError: The address cannot be listened on.
        """
        path = socket_path(address)
        try:
            if path:
                socket = UnixSocket(path)
                self._sockets.append(socket)
                port = socket.listen(lambda made: self._take(made, tls))
            else:
                port = self._take(address, tls)
        except RuntimeError as error:
            hint = "" if address.startswith("unix") else " Is it in use? Try port 0."
            raise ConfigurationError(f"cannot listen on {address}: {str(error).rstrip('.')}.{hint}") from None
        return address if address.startswith("unix") else f"{address.rpartition(':')[0]}:{port}"

    def _take(self, address: str, tls: ServerTls | None) -> int:
        if tls is None:
            return self._server.add_insecure_port(address)
        return self._server.add_secure_port(address, tls.load())

    async def begin(self) -> None:
        """Begin to serve."""
        await self._server.start()
        for name in self._healthy:
            await self.tell_health(name, is_serving=True)

    async def start(self, address: str, tls: ServerTls | None = None) -> str:
        """Listen and begin to serve; see `listen`."""
        reached_at = self.listen(address, tls)
        await self.begin()
        return reached_at

    async def announce_end(self) -> None:
        """Tell health checkers that the services are going away."""
        self._is_ending = True
        for name in self._healthy:
            await self.tell_health(name, is_serving=False)

    async def tell_health(self, name: str, *, is_serving: bool) -> None:
        """Tell health checkers how a service, or a Work, is; once the end was announced nothing serves any more."""
        await self._health.set(name, SERVING if is_serving and not self._is_ending else NOT_SERVING)

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, give open ones `grace_s` seconds, and end."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)
        for socket in self._sockets:
            socket.remove()

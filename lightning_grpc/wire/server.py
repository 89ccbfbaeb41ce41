"""Servers: set up the way every server of this package is."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from lightning_grpc.errors import ConfigurationError
from lightning_grpc.wire.auth import TokenInterceptor
from lightning_grpc.wire.options import SERVER_OPTIONS

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Server:
    """A gRPC server with health and reflection beside its own services, on the running loop.

    Args:
        handlers: The services' handlers.
        services: Their full names, for health and reflection.
        token: If given, calls without it are refused, those of health and reflection too.
    """

    def __init__(self, handlers: Iterable[grpc.GenericRpcHandler], services: Iterable[str], token: str | None) -> None:
        self._services = list(services)
        interceptors = [TokenInterceptor(token)] if token else []
        self._server = grpc.aio.server(options=SERVER_OPTIONS, interceptors=interceptors)
        self._server.add_generic_rpc_handlers(tuple(handlers))
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(names, self._server)

    async def start(self, address: str) -> str:
        """Listen and begin to serve.

        Args:
            address: ``unix:PATH`` or ``HOST:PORT``; port 0 picks a free one.

        Returns:
            The address to reach it at.

        Raises:
            ConfigurationError: The address cannot be listened on.
        """
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise ConfigurationError(f"cannot listen on {address}: {error}. Is it in use? Try port 0.") from None
        await self._server.start()
        await self._set_health(SERVING)
        return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"

    async def announce_end(self) -> None:
        """Tell health checkers that the services are going away."""
        await self._set_health(NOT_SERVING)

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, give open ones `grace_s` seconds, and end."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)

    async def _set_health(self, status: int) -> None:
        for service in ("", *self._services):
            await self._health.set(service, status)

"""Serves the application with uvicorn, on the running loop."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from lightning_grpc.http.guard import Application

_MAX_CONNECTIONS = 256
_DRAIN_S = 1  # for requests that are being answered when the app ends


class Uvicorn(uvicorn.Server):
    """One server on one socket, until `should_exit`.

    Args:
        application: What is served.
        on_ready: Called when it can be reached.
    """

    def __init__(self, application: Application, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=_MAX_CONNECTIONS,
                timeout_graceful_shutdown=_DRAIN_S,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        self._on_ready()

"""The app's service from its start to its end: registered, listening, answering."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lightning_grpc.errors import ConfigurationError
from lightning_grpc.service.registry import Registration
from lightning_grpc.service.running_app import RunningApp

if TYPE_CHECKING:
    from lightning_grpc.wire.open_streams import OpenStreams
    from lightning_grpc.wire.server import Server

_log = logging.getLogger("lightning_grpc")

_DRAIN_S = 1.0  # for those who watch to receive the last revision


class AppService:
    """Serves a running app on a unix socket in its entry of the registry and, when asked, on TCP.

    Args:
        app: The app.
        address: ``HOST:PORT`` to listen on too; None for the socket alone.
        token: What it asks for; a fresh one by default.

    Attributes:
        registration: The app's entry; None before it serves, and after.

    Threads: The coordinator's loop, whose guest it is.
    """

    title = "the app's service"

    def __init__(self, app: RunningApp, address: str | None = None, *, token: str = "") -> None:
        self._app = app
        self._address = address
        self._token = token
        self._http = ""
        self._is_announced = False
        self._server: Server | None = None
        self._streams: OpenStreams | None = None
        self.registration: Registration | None = None

    async def start(self) -> None:
        """Listen, serve, and tell clients where.

        Raises:
            ConfigurationError: The runtime directory, or the socket, cannot be used.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        # Only here, so that the first run of the root does not wait for what only the service needs.
        from lightning_grpc.service.servicer import AppServicer
        from lightning_grpc.wire.app_protocol import APP_SERVICE
        from lightning_grpc.wire.auth import new_token
        from lightning_grpc.wire.server import Server

        told = self._app.describe()
        token = self._token or new_token()
        registration = self.registration = Registration(told.name, told.epoch, told.started_at_s, token)
        servicer = AppServicer(self._app)
        server = self._server = Server([servicer.handlers()], [APP_SERVICE], token)
        self._streams = servicer.streams
        addresses = [server.listen(f"unix:{registration.socket}")]
        if self._address is not None:
            try:
                addresses.append(server.listen(self._address))
                _log.info("Your app's service listens on %s", addresses[-1])
            except ConfigurationError as error:
                _log.warning("the app's service is served on its unix socket alone: %s", error)
        await server.begin()
        registration.announce(addresses=addresses, http=self._http)
        self._is_announced = True

    def announce_http(self, url: str) -> None:
        """Tell clients where the app's HTTP server is."""
        self._http = url
        if self._is_announced and self.registration is not None:
            self.registration.announce(http=url)

    async def stop(self) -> None:
        """Let those who watch have the last revision, those who read logs the last line, and end; nothing is left."""
        self._app.output.close()
        registration, self.registration = self.registration, None
        server, self._server = self._server, None
        if registration is not None:
            registration.remove()  # first: a client whose stream breaks from now on knows that the app has ended
        if server is not None:
            await server.announce_end()
            if self._streams is not None:
                await self._streams.ended(_DRAIN_S / 2)
            await server.stop(_DRAIN_S / 2)

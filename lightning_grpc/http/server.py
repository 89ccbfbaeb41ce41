"""The HTTP server of an app: a thread of its own, with its own loop, from the app's start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.components.routes import collect_routes
from lightning_grpc.errors import ConfigurationError
from lightning_grpc.http.binding import Binding
from lightning_grpc.http.doorkeeper import Doorkeeper
from lightning_grpc.http.paths import is_reserved
from lightning_grpc.service.running_app import RunningApp

if TYPE_CHECKING:
    from lightning_grpc.http.serving import Uvicorn

_log = logging.getLogger("lightning_grpc")

_END_DEADLINE_S = 2.5
_JOIN_DEADLINE_S = 1.0
_MODULES = (  # one by one, so that an app that ends at once need not wait for all of them
    "pydantic",
    "starlette.routing",
    "fastapi",
    "fastapi_offline",
    "uvicorn",
    "sse_starlette",
    "lightning_grpc.http.serving",
    "lightning_grpc.http.face",
)


class HttpServer:
    """Serves a running app over HTTP.

    Made before the app runs: then the port is ours, and the routes are known to be good.

    Args:
        root: The app's root Flow; its Flows are asked for their routes.
        host: Where to listen.
        port: The port; 0 picks one.
        on_ready: Given the server's URL when it can be reached; called on the coordinator's loop.

    Raises:
        ConfigurationError: The port is taken, there is no such host, or the routes cannot be.

    Threads: `start` and `stop` on the coordinator's loop, whose guest it is; the server on ``lightning-grpc-http``; the
        rest on the thread that runs the app.
    """

    title = "the app's HTTP server"

    def __init__(self, root: LightningFlow, host: str, port: int, *, on_ready: Callable[[str], None]) -> None:
        self._root = root
        self._routes = collect_routes(root, is_reserved)
        self._binding = Binding(host, port)
        self._on_ready = on_ready
        self._thread = threading.Thread(target=self._live, name="lightning-grpc-http", daemon=True)
        self._running: RunningApp | None = None
        self._token = ""
        self._home: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._server: Uvicorn | None = None
        self._leaving = False

    def attach(self, running: RunningApp, token: str) -> None:
        """Tell what is served, and the token that guards it; before `start`."""
        self._running = running
        self._token = token

    def close(self) -> None:
        """Stop listening, whether it was started or not; a thread that has done its work is gone then."""
        self._binding.close()
        if self._ended is not None and self._ended.is_set():
            self._thread.join(_JOIN_DEADLINE_S)

    async def start(self) -> None:
        """Begin; nothing is waited for."""
        if not self._binding.is_loopback:
            _log.warning(
                "%s is reached from other machines, and what is said there, the token too, is not encrypted: put a "
                "proxy with TLS before it",
                self._binding.url,
            )
        self._home = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._thread.start()

    async def stop(self) -> None:
        """Answer what is being answered, let those who follow have the last revision, and end."""
        self._leaving = True
        if self._server is not None:
            self._server.should_exit = True
        if self._ended is not None:
            try:
                await asyncio.wait_for(self._ended.wait(), _END_DEADLINE_S)
            except TimeoutError:
                _log.warning("%s has a function that does not end; it is not waited for", self.title)

    def _live(self) -> None:
        try:
            for module in _MODULES:
                if self._leaving:
                    return
                importlib.import_module(module)
            asyncio.run(self._serve())
        except ConfigurationError as error:
            self._fail(error)
        except Exception as error:
            _log.exception("%s has failed", self.title)
            self._fail(ConfigurationError(f"{self.title} has failed: {type(error).__name__}: {error}"))
        finally:
            self._binding.close()
            assert self._ended is not None
            self._tell(self._ended.set)

    async def _serve(self) -> None:
        from lightning_grpc.http.face import Face, build
        from lightning_grpc.http.follower import Follower
        from lightning_grpc.http.serving import Uvicorn

        assert self._home is not None
        assert self._running is not None
        follower = Follower(self._running, self._home)
        doorkeeper = Doorkeeper(self._token, self._binding.port)
        face = Face(self._running, self._root, self._routes, self._binding, doorkeeper, follower)
        self._server = Uvicorn(build(face), lambda: self._tell(self._on_ready, self._binding.url))
        if not self._leaving:
            await self._server.serve([self._binding.socket])

    def _fail(self, error: ConfigurationError) -> None:
        assert self._running is not None
        self._running.fail(error)

    def _tell(self, callback: Callable[..., object], *arguments: object) -> None:
        assert self._home is not None
        with contextlib.suppress(RuntimeError):  # that loop is closed: nobody is interested any more
            self._home.call_soon_threadsafe(callback, *arguments)

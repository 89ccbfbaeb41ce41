"""The metrics of a Work that is served by itself, over HTTP: ``GET /metrics``, for Prometheus."""

from __future__ import annotations

import asyncio
import hmac
import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from lightning_grpc.errors import ConfigurationError
from lightning_grpc.http.binding import Binding
from lightning_grpc.http.metrics_text import CONTENT_TYPE
from lightning_grpc.wire.addresses import is_local, parse_address

if TYPE_CHECKING:
    from lightning_grpc.http.serving import Uvicorn

_log = logging.getLogger("lightning_grpc")

PATH = "/metrics"
_START_DEADLINE_S = 20.0
_JOIN_DEADLINE_S = 2.0


class MetricsServer:
    """Serves metrics on loopback, from a thread of its own, as long as it is entered.

    Args:
        address: ``HOST:PORT`` of loopback; port 0 picks one.
        token: What requests must carry, as ``Authorization: Bearer TOKEN``; None for no token.
        render: Returns the metrics as text; called on the server's thread.

    Raises:
        ConfigurationError: The address is not on loopback, or cannot be listened on.
    """

    def __init__(self, address: str, token: str | None, render: Callable[[], str]) -> None:
        where, name = parse_address(address)
        host, colon, port = where.rpartition(":")
        if name or not colon or not port.isdecimal():
            raise ConfigurationError(f"--metrics takes HOST:PORT, such as 127.0.0.1:9090, not {address!r}")
        if not is_local(where):
            raise ConfigurationError(
                f"--metrics {address} is not on loopback, and metrics are served in plain text, which others could "
                "read. Two ways to go on: (1) give 127.0.0.1, ::1 or localhost, and have Prometheus, or an agent of "
                "its, run on this machine; (2) reach it from elsewhere through an SSH tunnel or a proxy with TLS."
            )
        self._binding = Binding(host.strip("[]"), int(port))
        self._expected = f"Bearer {token}".encode() if token else None
        self._render = render
        self._server: Uvicorn | None = None
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._live, name="lightning-grpc-metrics", daemon=True)

    @property
    def url(self) -> str:
        """Where the metrics are."""
        return f"{self._binding.url}{PATH}"

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        if not self._is_up.wait(_START_DEADLINE_S):
            self.close()
            raise ConfigurationError(f"the metrics at {self.url} were not served after {_START_DEADLINE_S:.0f} s")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self.close()

    def close(self) -> None:
        """End the server and its thread."""
        if self._server is not None:
            self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_JOIN_DEADLINE_S)
        self._binding.close()

    def _live(self) -> None:
        from lightning_grpc.http.serving import Uvicorn

        async def application(scope: Any, _receive: Any, send: Any) -> None:  # uvicorn asks for a function
            await self._answer(scope, send)

        try:
            self._server = Uvicorn(application, self._is_up.set)
            asyncio.run(self._server.serve([self._binding.socket]))
        except Exception:
            _log.exception("the metrics at %s are served no longer", self.url)

    async def _answer(self, scope: Any, send: Any) -> None:
        """Answer one request, in the way of ASGI."""
        if scope["type"] != "http":
            return
        status, text = self._judge(scope, dict(scope["headers"]))
        body = text.encode()
        kind = CONTENT_TYPE if status == 200 else "text/plain; charset=utf-8"
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _judge(self, scope: Any, headers: dict[bytes, bytes]) -> tuple[int, str]:
        if not self._binding.allows(headers.get(b"host", b"").decode("latin-1")):  # a name that leads here by a trick
            return 400, "this server is addressed by another name\n"
        if scope["path"] != PATH:
            return 404, f"there is nothing but {PATH}\n"
        if scope["method"] not in ("GET", "HEAD"):
            return 405, "metrics are read with GET\n"
        given = headers.get(b"authorization", b"")
        if self._expected is not None and not hmac.compare_digest(given, self._expected):
            return 401, "the Work's token is needed: Authorization: Bearer TOKEN\n"
        return 200, self._render()

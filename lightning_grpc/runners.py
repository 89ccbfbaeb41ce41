"""Runtimes under the names that users of Lightning Apps know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lightning_grpc.app import LightningApp
from lightning_grpc.cli.load import load_app
from lightning_grpc.http.binding import DEFAULT_HOST, DEFAULT_PORT

__all__ = ["MultiProcessRuntime", "Runtime", "load_app_from_file"]


@dataclass
class MultiProcessRuntime:
    """Runs an app with one process per Work on this machine.

    Attributes:
        app: The app.
        start_server: Whether to serve the app's HTTP API.
        host: Where it is served, unless the app itself says.
        port: The port of it, unless the app itself says; 0 picks one.
    """

    app: LightningApp
    start_server: bool = True
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT

    def dispatch(self, *args: Any, open_ui: bool = True, **kwargs: Any) -> None:
        """Run the app to its end; raises what `LightningApp.run` raises.

        Args:
            args: Accepted as Lightning Apps do; without a meaning here.
            open_ui: Whether to open the app's page in a browser; there is none yet.
            kwargs: Accepted as Lightning Apps do; without a meaning here.
        """
        if self.start_server:
            self.app.http_host = self.app.http_host or self.host
            self.app.http_port = self.port if self.app.http_port is None else self.app.http_port
        self.app.run()


Runtime = MultiProcessRuntime


def load_app_from_file(filepath: str) -> LightningApp:
    """Return the app that a Python file defines; see `lightning_grpc.cli.load.load_app`."""
    return load_app(filepath, [])

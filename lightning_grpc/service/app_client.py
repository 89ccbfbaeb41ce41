"""`AppClient`: a client of a running app for code that does not await."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from lightning_grpc.service.async_client import AsyncAppClient, StateChange
from lightning_grpc.service.commands import CommandDescription
from lightning_grpc.service.descriptions import AppDescription, AppMetrics, WorkDescription
from lightning_grpc.state.values import Key, Value
from lightning_grpc.wire.logs import LogLine
from lightning_grpc.wire.loop_thread import iterate, note_client, run


class AppClient:
    """A client of a running app; what `AsyncAppClient` does, without ``await``.

    Args:
        address: Where the app answers; None for the only app of this user that runs.
        token: What the app asks for. None for what the registry of this user's apps says.
        name: The name the app goes by, if several run.
        timeout_s: How long any request may take, in seconds.

    Raises:
        ConfigurationError: There is no such app, or there are several.

    Threads: Any, several at a time. What goes over the wire is done on the thread ``lightning-grpc-client``, which all
        clients of a process share.

    Example:
        ::

            with AppClient() as app:
                app.update("root.paused", True)
                for change in app.watch():
                    print(change.revision, change.changes)
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        token: str | None = None,
        name: str | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self._client = AsyncAppClient(address, token=token, name=name, timeout_s=timeout_s)
        note_client(self._client)

    def __enter__(self) -> Self:
        run(self._client.describe)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; it is opened again when the client is used again."""
        run(self._client.close)

    @property
    def address(self) -> str:
        """Where the app answers."""
        return self._client.address

    def describe(self) -> AppDescription:
        """Return who the app is; it answers this whatever its Flow does."""
        return run(self._client.describe)

    @property
    def state(self) -> dict[str, Any]:
        """The app's state as of its newest revision, as ``app.state`` in its process is; fresh."""
        return run(self._client.state)

    @property
    def revision(self) -> int:
        """The newest revision of the app's state."""
        return run(self._client.revision)

    def watch(self) -> Iterator[StateChange]:
        """Yield the app's state, then each revision as it comes; see `AsyncAppClient.watch`."""
        return iterate(self._client.watch())

    def update(self, path: str | Sequence[Key], value: Value, base_revision: int = 0) -> int:
        """Set an attribute of a component, or a part of one; see `AsyncAppClient.update`."""
        return run(self._client.update, path, value, base_revision)

    def works(self) -> list[WorkDescription]:
        """Return how every Work of the app fares, in the order of the tree."""
        return run(self._client.works)

    def commands(self) -> list[CommandDescription]:
        """Return the commands that the app's Flows offer, by name."""
        return run(self._client.commands)

    def run_command(self, name: str, /, **arguments: Value) -> Value:
        """Execute a command of the app and return what it returns; see `AsyncAppClient.run_command`."""
        return run(self._client.run_command, name, **arguments)

    def logs(self, *components: str, tail: int = 100, follow: bool = False) -> Iterator[LogLine]:
        """Yield what the app and its Works print, line by line; see `AsyncAppClient.logs`."""
        return iterate(self._client.logs(*components, tail=tail, follow=follow))

    def metrics(self, *, runs: int = 32) -> AppMetrics:
        """Return what the app has done so far, why, and what it uses; see `AsyncAppClient.metrics`."""
        return run(self._client.metrics, runs=runs)

    def stop_work(self, name: str) -> None:
        """End one Work for good, as its Flow's ``stop()`` of it would; see `AsyncAppClient.stop_work`."""
        run(self._client.stop_work, name)

    def stop(self, reason: str = "") -> None:
        """End the app, as its Flow's ``stop()`` would."""
        run(self._client.stop, reason)

"""`WorkClient`: a client of a Work that is served by itself, for code that does not await."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from lightning_grpc.components.status import WorkStatus
from lightning_grpc.standalone.async_work_client import AsyncWorkClient
from lightning_grpc.standalone.descriptions import UpdateAnswer, WorkServiceDescription
from lightning_grpc.standalone.execution import AsyncExecution
from lightning_grpc.standalone.following import WorkChange
from lightning_grpc.state.values import Value
from lightning_grpc.wire.credentials import ClientTls
from lightning_grpc.wire.logs import LogLine
from lightning_grpc.wire.loop_thread import iterate, note_client, run

P = ParamSpec("P")
T = TypeVar("T")


class Execution:
    """An execution that a Work has accepted; what `AsyncExecution` is, without ``await``.

    Threads: Any.
    """

    def __init__(self, execution: AsyncExecution, client: WorkClient) -> None:
        self._execution = execution
        self._client = client

    def __repr__(self) -> str:
        return repr(self._execution)

    @property
    def call_id(self) -> str:
        """Names the execution."""
        return self._execution.call_id

    @property
    def call_hash(self) -> str:
        """Names the call; the key under which the Work's ``calls`` tell of it."""
        return self._execution.call_hash

    @property
    def epoch(self) -> int:
        """The incarnation of the Work that has accepted it."""
        return self._execution.epoch

    @property
    def is_over(self) -> bool:
        """Whether it is known to be over."""
        return self._execution.is_over

    @property
    def status(self) -> WorkStatus:
        """How it fares, as the Work tells now."""
        return self._client._run(self._execution.status)

    def wait(self, timeout_s: float | None = None) -> WorkStatus:
        """Wait until it is over; see `AsyncExecution.wait`."""
        return self._client._run(self._execution.wait, timeout_s)


class WorkClient:
    """A client of a Work that is served by itself; what `AsyncWorkClient` does, without ``await``.

    Args:
        address: Where the Work answers: ``HOST:PORT``, ``unix:PATH``, or a target that gRPC resolves; after it, if
            several Works are served there, ``#NAME``.
        work: The same name, if it does not stand in the address.
        token: What the server asks for.
        token_file: A file with it, which only its owner may read; instead of `token`.
        tls: Whom to trust; instead of the following.
        tls_ca: A PEM file: the certificates that the server's must be signed by one of.
        tls_cert: A PEM file: the client's own certificate, if the server asks for one.
        tls_key: A PEM file: its private key.
        tls_server_name: The name in the server's certificate, if it is not the host's.
        caller: Who asks, for people; stands in the entry of each call. None for this process and machine.
        timeout_s: How long any request may take, and how long the Work may be away while it is followed, in seconds.

    Raises:
        ConfigurationError: The address is none; a file cannot be read; or a token would be sent in plain text.

    Threads: Any, several at a time; those of the process that has made it. What goes over the wire is done on the
        thread ``lightning-grpc-client``, which all clients of a process share.

    Example:
        ::

            with WorkClient("127.0.0.1:50051") as work:
                work.run(3).wait(timeout_s=60)
                print(work.state["vars"])
    """

    def __init__(
        self,
        address: str,
        *,
        work: str = "",
        token: str | None = None,
        token_file: str | Path | None = None,
        tls: ClientTls | None = None,
        tls_ca: str | Path | None = None,
        tls_cert: str | Path | None = None,
        tls_key: str | Path | None = None,
        tls_server_name: str = "",
        caller: str | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self._client = AsyncWorkClient(
            address,
            work=work,
            token=token,
            token_file=token_file,
            tls=tls,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
            tls_server_name=tls_server_name,
            caller=caller,
            timeout_s=timeout_s,
        )
        note_client(self._client)

    def __enter__(self) -> Self:
        self.describe()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, for good; the Work goes on, and so do its executions."""
        if self._client.is_usable:
            run(self._client.close)

    @property
    def address(self) -> str:
        """Where the Work answers."""
        return self._client.address

    @property
    def silent_s(self) -> float | None:
        """How long ago the Work was heard, in seconds; see `AsyncWorkClient.silent_s`."""
        return self._client.silent_s

    def describe(self) -> WorkServiceDescription:
        """Return who the Work is; see `AsyncWorkClient.describe`."""
        return self._run(self._client.describe)

    def run(self, *args: Value, **kwargs: Value) -> Execution:
        """Ask for one execution of the Work's ``run``; see `AsyncWorkClient.run`."""
        return Execution(self._run(self._client.run, *args, **kwargs), self)

    def watch(self, patience_s: float | None = None) -> Iterator[WorkChange]:
        """Yield the Work's state, then each revision as it comes; see `AsyncWorkClient.watch`."""
        self._client.check_usable()
        return iterate(self._client.watch(patience_s))

    @property
    def state(self) -> dict[str, Any]:
        """The Work's state as of the newest revision that it tells, fresh; see `AsyncWorkClient.state`."""
        return self._run(self._client.state)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until the Work is idle; see `AsyncWorkClient.wait`."""
        self._run(self._client.wait, timeout_s)

    def update(self, **attributes: Value) -> UpdateAnswer:
        """Assign attributes of a Work that takes that; see `AsyncWorkClient.update`."""
        return self._run(self._client.update, **attributes)

    def logs(self, *, tail: int = 100, follow: bool = False) -> Iterator[LogLine]:
        """Yield what the Work prints, line by line; see `AsyncWorkClient.logs`."""
        self._client.check_usable()
        return iterate(self._client.logs(tail=tail, follow=follow))

    def stop(self, grace_s: float = 0.0, reason: str = "") -> None:
        """End the Work's process; see `AsyncWorkClient.stop`."""
        self._run(self._client.stop, grace_s, reason)

    def _run(self, function: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        self._client.check_usable()
        return run(function, *args, **kwargs)

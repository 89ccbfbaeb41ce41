"""A proxy between a client and a server that breaks what passes, on request."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import tempfile
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

from lightning_grpc.errors import ConfigurationError, LightningGrpcError
from lightning_grpc.testing.relay import CHUNK_BYTES, Faults, Relay

Result = TypeVar("Result")

DEADLINE_S = 10.0
"""How long anything that is asked of a proxy may take."""
_ACCEPTING_TURNS = 8  # of the loop: connections that were just accepted have a task by then that can be ended


class FaultProxy:
    """Stands between a client and a server and breaks their connections on request.

    A test that waits for a real network to fail waits for luck. This proxy fails when it is told to, on stream
    sockets of this machine: it knows nothing of what passes through it, so it works for gRPC as for anything else.

    A fault is in force when its method returns. Faults may be combined; `heal` ends them all.
    Bytes are never reordered, and none is lost but by `cut`. What `garbage` and `repeat` add goes to the clients
    only.

    Args:
        target_address: Where the server listens: ``unix:PATH`` or ``HOST:PORT``, as gRPC writes them.
        seed: Decides what bytes `garbage` consists of.

    Attributes:
        target_address: Where the server listens.

    Threads: The proxy has a thread of its own, ``lightning-grpc-fault-proxy``, from `open` to `close`. Its methods
        may be called on any other thread. They block for moments, at most 10 s.

    Example:
        >>> import socket
        >>> with socket.create_server(("127.0.0.1", 0)) as server:
        ...     with FaultProxy(f"127.0.0.1:{server.getsockname()[1]}") as proxy:
        ...         host, port = proxy.address.split(":")
        ...         client = socket.create_connection((host, int(port)))
        ...         peer, _ = server.accept()
        ...         _ = client.sendall(b"hello"), peer.settimeout(10)
        ...         received = peer.recv(5)
        ...         proxy.cut()
        ...         client.settimeout(10)
        ...         try:
        ...             rest = client.recv(1)
        ...         except ConnectionResetError:
        ...             rest = b""
        ...         client.close(), peer.close()
        1
        (None, None)
        >>> received, rest
        (b'hello', b'')
    """

    def __init__(self, target_address: str, *, seed: int = 0) -> None:
        _split(target_address)
        self.target_address = target_address
        self._faults = Faults()
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._directory = ""
        self._address = ""
        self._relays: set[Relay] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: asyncio.Server | None = None

    # Its life.

    def open(self) -> str:
        """Begin to accept connections.

        Returns:
            The address for clients; `address` tells it too.

        Raises:
            ConfigurationError: It is open already.
        """
        if self._thread is not None:
            raise ConfigurationError("this proxy is open already")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._run_loop, args=(self._loop,), name="lightning-grpc-fault-proxy", daemon=True
        )
        self._thread.start()
        try:
            self._address = self._on_loop(self._listen)
        except BaseException:
            self.close()
            raise
        return self._address

    def close(self) -> None:
        """Abort all connections, accept no more, and end the thread; safe to repeat."""
        if self._thread is None or self._loop is None:
            return
        try:
            self._on_loop(self._end)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(DEADLINE_S)
            self._thread = self._loop = None
            if self._directory:
                shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What it knows.

    @property
    def address(self) -> str:
        """Where clients reach it: a socket of the same kind as the server's; empty before it is open."""
        return self._address

    @property
    def connections(self) -> int:
        """How many connections have been let through since it was opened, those that are gone included."""
        return self._connections

    # Faults.

    def delay(self, seconds: float) -> None:
        """Let whatever is sent from now on arrive `seconds` later than it would, in both directions.

        This is latency: the throughput stays, as long as less than 4 MiB is on its way per direction and connection.
        """
        if seconds < 0:
            raise ConfigurationError(f"a delay is a time in seconds, not {seconds}")

        async def act() -> None:
            self._faults.delay_s = seconds

        self._on_loop(act)

    def cut(self) -> int:
        """Abort all connections; new ones are accepted.

        What was on its way is lost. Returns how many connections there were.
        """

        async def act() -> int:
            relays = list(self._relays)
            for relay in relays:
                relay.abort()
            return len(relays)

        return self._on_loop(act)

    def half_open(self) -> None:
        """Stop forwarding, but keep connections open, as if a peer had vanished without a word; until `go_on`.

        New connections are accepted and not forwarded either.
        """

        async def act() -> None:
            self._faults.passing.clear()

        self._on_loop(act)

    def go_on(self) -> None:
        """End `half_open`: what was held back is forwarded, in order."""

        async def act() -> None:
            self._faults.passing.set()

        self._on_loop(act)

    def garbage(self, size_bytes: int = 64) -> int:
        """Send random bytes to the client of every connection, between two chunks of what the server sends.

        Returns:
            How many connections they were sent on.
        """

        async def act() -> int:
            data = self._random.randbytes(size_bytes)
            return sum(relay.inject(data) for relay in self._relays)

        return self._on_loop(act)

    def repeat(self) -> int:
        """Send the last chunk that was forwarded from the server once more, on every connection.

        Returns:
            How many connections there was one on.
        """

        async def act() -> int:
            return sum(relay.inject(relay.last_chunk) for relay in self._relays)

        return self._on_loop(act)

    def refuse(self, on: bool = True) -> None:
        """Close every new connection as soon as it is made, before a byte has passed; or accept them again.

        Args:
            on: Whether to refuse. Connections that are open stay as they are.
        """

        async def act() -> None:
            self._faults.refusing = on

        self._on_loop(act)

    def heal(self) -> None:
        """End all faults that last: `delay`, `half_open` and `refuse`."""

        async def act() -> None:
            self._faults.end()

        self._on_loop(act)

    # On the loop.

    @staticmethod
    def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.close()

    def _on_loop(self, act: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Have a coroutine function carried out on the loop, and wait for what it returns."""
        if self._loop is None:
            raise ConfigurationError("this proxy is not open; use it in a with statement, or call open()")
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(act(), DEADLINE_S), self._loop)
        try:
            return future.result(DEADLINE_S * 1.5)
        except TimeoutError:
            future.cancel()
            raise LightningGrpcError(f"the fault proxy did not answer within {DEADLINE_S:.0f} s") from None

    async def _listen(self) -> str:
        if _split(self.target_address)[0]:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=CHUNK_BYTES)
            return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self._directory = tempfile.mkdtemp(prefix="lightning-grpc-proxy-")  # mode 0700, as the Works' own is
        path = f"{self._directory}/socket"
        self._server = await asyncio.start_unix_server(self._connected, path, limit=CHUNK_BYTES)
        return f"unix:{path}"

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        for relay in self._relays:
            relay.abort()
        for _ in range(_ACCEPTING_TURNS):
            await asyncio.sleep(0)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # aborted transports let go of their sockets

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self._faults.refusing:
                writer.transport.abort()
                return
            await self._serve(reader, writer)
        except asyncio.CancelledError:  # the proxy ends; asyncio.streams would complain about a cancelled task
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = _split(self.target_address)
        try:
            async with asyncio.timeout(DEADLINE_S):
                if host:
                    server = await asyncio.open_connection(host, int(port), limit=CHUNK_BYTES)
                else:
                    server = await asyncio.open_unix_connection(port, limit=CHUNK_BYTES)
        except OSError:  # nobody listens there, which the client is to see; TimeoutError is one too
            return
        relay = Relay((reader, writer), server, self._faults)
        self._relays.add(relay)
        self._connections += 1
        try:
            with contextlib.suppress(OSError):
                await relay.run()
        finally:
            self._relays.discard(relay)
            relay.abort()


def _split(address: str) -> tuple[str, str]:
    """Return host and port of an address; an empty host and the path for a unix socket.

    Raises:
        ConfigurationError: The address is neither.
    """
    if address.startswith("unix:"):
        path = address.removeprefix("unix:")
        return "", path.removeprefix("//") if path.startswith("///") else path
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigurationError(f"an address is unix:PATH or HOST:PORT, not {address!r}")
    return host.strip("[]"), port

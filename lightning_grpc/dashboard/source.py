"""Where a dashboard's events come from: a running app, followed over a connection that may break."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from typing import Any, Protocol

from lightning_grpc.dashboard.events import (
    CommandsListed,
    ConnectionLost,
    ConnectionMade,
    Described,
    Ended,
    LinesPrinted,
    MetricsSeen,
    Seen,
    StateChanged,
    StateReplaced,
)
from lightning_grpc.errors import AppEndedError, LightningGrpcError, ProtocolError
from lightning_grpc.service.async_client import AsyncAppClient
from lightning_grpc.service.following import StreamGivenUp
from lightning_grpc.state.replica import Replica, Version
from lightning_grpc.wire.logs import LogLine

PAUSE_S = 0.15
"""The least time between two frames of the state."""
MEASURE_S = 1.0
"""How often the app is asked for its metrics."""
LOOK_S = 0.25
"""The time between the two metrics of one look."""
_LIST_S = 15.0  # how often it is asked for its commands
_TAIL = 500  # lines of the past
_FLUSH_S = 0.1
_MOST_WAITING = 2000  # lines that wait to be flushed; the oldest are left out, and that is told
_BACKOFF_S = (0.1, 2.0)
_RUNS = 40

Emit = Callable[[Seen], None]


class Source(Protocol):
    """What gives a dashboard its events, and does what it wants."""

    async def run(self, emit: Emit) -> None:
        """Tell all there is to tell, until there is no more; only the end of the app, or being cancelled, ends it."""

    async def look(self, emit: Emit) -> None:
        """Tell, once, how everything is.

        Raises:
            LightningGrpcError: The app cannot be asked.
        """

    async def stop_work(self, name: str) -> None:
        """End a Work."""

    async def run_command(self, line: str) -> str:
        """Execute a command as it was typed; returns what is to be told of it."""

    async def close(self) -> None:
        """Close the connection."""


class Backoff:
    """How long to wait before the next try: longer each time, until something was heard."""

    def __init__(self) -> None:
        self._pause_s = _BACKOFF_S[0]

    def heard(self) -> None:
        """Note that the peer answers."""
        self._pause_s = _BACKOFF_S[0]

    async def pause(self) -> None:
        """Wait."""
        await asyncio.sleep(self._pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        self._pause_s = min(self._pause_s * 2, _BACKOFF_S[1])


class AppSource:
    """Follows a running app.

    Args:
        client: Its client.

    Threads: Belongs to a loop.
    """

    def __init__(self, client: AsyncAppClient) -> None:
        self._client = client

    async def run(self, emit: Emit) -> None:
        """See `Source.run`."""
        parts = {"metrics": self._measure(emit), "commands": self._list(emit), "logs": self._read(emit)}
        tasks = [asyncio.create_task(part, name=f"dashboard's {name}") for name, part in parts.items()]
        try:
            await self._follow(emit)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def look(self, emit: Emit) -> None:
        """See `Source.look`."""
        emit(Described(time.time(), await self._client.describe(), self._client.address))
        emit(ConnectionMade(time.time()))
        async with contextlib.aclosing(self._client.follow(Replica())) as versions:
            async for version in versions:
                if version is not None:
                    emit(StateReplaced(time.time(), version.revision, version.document))
                    break
        emit(MetricsSeen(time.time(), await self._client.metrics(runs=_RUNS)))
        await asyncio.sleep(LOOK_S)  # between two of them there are rates
        emit(MetricsSeen(time.time(), await self._client.metrics(runs=_RUNS)))
        emit(CommandsListed(time.time(), tuple(await self._client.commands())))
        lines = [line async for line in self._client.logs(tail=_TAIL)]
        emit(LinesPrinted(time.time(), tuple(lines)))

    async def stop_work(self, name: str) -> None:
        """See `Source.stop_work`."""
        await self._client.stop_work(name)

    async def run_command(self, line: str) -> str:
        """See `Source.run_command`."""
        from lightning_grpc.dashboard.command_line import parse

        name, arguments = parse(line, await self._client.commands())
        result = await self._client.run_command(name, **arguments)
        return f"{name} is done" + (f": {result!r}" if result is not None else "")

    async def close(self) -> None:
        """See `Source.close`."""
        await self._client.close()

    async def _follow(self, emit: Emit) -> None:
        """Follow the state, over as many streams as it takes, until the app ends."""
        replica, backoff = Replica(), Backoff()
        known: Version | None = None
        while True:
            try:
                emit(Described(time.time(), await self._client.describe(), self._client.address))
                async with contextlib.aclosing(self._client.follow(replica, pause_s=PAUSE_S)) as versions:
                    async for version in versions:
                        backoff.heard()
                        emit(ConnectionMade(time.time()))
                        if version is not None:
                            emit(_told(known, version))
                            known = version
                emit(Ended(time.time(), "the app has ended"))
                return
            except AppEndedError as error:
                emit(Ended(time.time(), str(error)))
                return
            except StreamGivenUp:
                pass  # another one begins with a snapshot
            except ProtocolError as error:
                replica.subscription.broken(str(error))
                emit(ConnectionLost(time.time(), str(error)))
            except LightningGrpcError as error:
                emit(ConnectionLost(time.time(), str(error)))
            await backoff.pause()

    async def _measure(self, emit: Emit) -> None:
        while True:
            try:
                emit(MetricsSeen(time.time(), await self._client.metrics(runs=_RUNS)))
            except ProtocolError:
                return  # an app of an earlier version has none
            except LightningGrpcError:
                pass  # whoever follows the state tells that it does not answer
            await asyncio.sleep(MEASURE_S)

    async def _list(self, emit: Emit) -> None:
        while True:
            with contextlib.suppress(LightningGrpcError):
                emit(CommandsListed(time.time(), tuple(await self._client.commands())))
            await asyncio.sleep(_LIST_S)

    async def _read(self, emit: Emit) -> None:
        await read_lines(lambda: self._client.logs(tail=_TAIL, follow=True), emit)


def _told(known: Version | None, version: Version) -> Seen:
    if known is None or version.first != known.revision + 1:
        return StateReplaced(time.time(), version.revision, version.document)
    return StateChanged(time.time(), version.first, version.revision, tuple(version.changes), version.document)


async def read_lines(logs: Callable[[], Any], emit: Emit) -> None:
    """Tell what is printed, some lines at a time; over as many streams as it takes, no line twice.

    Args:
        logs: Opens a stream of lines.
        emit: Is told.
    """
    lines = _Lines(emit)
    flushing = asyncio.create_task(lines.flush_again_and_again(), name="dashboard lines")
    backoff = Backoff()
    try:
        while True:
            with contextlib.suppress(LightningGrpcError):  # whoever follows the state tells of it
                async with contextlib.aclosing(logs()) as stream:
                    lines.begin()
                    async for line in stream:
                        backoff.heard()
                        lines.add(line)
            await backoff.pause()
    finally:
        flushing.cancel()
        lines.flush()


class _Lines:
    """Lines that wait to be told together."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._waiting: list[LogLine] = []
        self._dropped = 0
        self._newest_s: dict[str, float] = {}
        self._known_s: dict[str, float] = {}

    def begin(self) -> None:
        """Note that another stream begins, with lines of the past again."""
        self._known_s = dict(self._newest_s)

    def add(self, line: LogLine) -> None:
        """Add a line, unless it was read before, from a stream that broke."""
        if line.at_s and line.at_s <= self._known_s.get(line.component, 0.0):
            return
        self._newest_s[line.component] = max(self._newest_s.get(line.component, 0.0), line.at_s)
        if len(self._waiting) >= _MOST_WAITING:
            self._dropped += 1
            del self._waiting[0]
        self._waiting.append(line)

    def flush(self) -> None:
        """Tell what waits."""
        lines, self._waiting = self._waiting, []
        if self._dropped:
            lines.insert(0, LogLine("", "dropped", 0.0, f"{self._dropped} lines were left out"))
            self._dropped = 0
        if lines:
            self._emit(LinesPrinted(time.time(), tuple(lines)))

    async def flush_again_and_again(self) -> None:
        """Tell what waits, now and then."""
        while True:
            await asyncio.sleep(_FLUSH_S)
            self.flush()

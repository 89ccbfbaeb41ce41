"""Where a dashboard's events come from, if it watches a Work that is served by itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from lightning_grpc.coordinator.metrics import WorkMetrics
from lightning_grpc.dashboard.events import (
    ConnectionLost,
    ConnectionMade,
    Described,
    LinesPrinted,
    MetricsSeen,
    Seen,
    StateChanged,
    StateReplaced,
)
from lightning_grpc.dashboard.source import LOOK_S, MEASURE_S, Backoff, Emit, read_lines
from lightning_grpc.errors import ConfigurationError, LightningGrpcError
from lightning_grpc.service.descriptions import AppDescription, AppMetrics, ProcessUsage
from lightning_grpc.service.registry import running_works
from lightning_grpc.service.usage import UsageMeter
from lightning_grpc.standalone.async_work_client import AsyncWorkClient
from lightning_grpc.standalone.following import WorkChange
from lightning_grpc.state.delta import diff

_TAIL = 500
_LINES_S = 2.0  # for the lines of the past
_PATIENCE_S = 0.2  # a Work that is away for longer is shown to be


class WorkSource:
    """Follows a Work that is served by itself; when it is started anew, its new process.

    Args:
        client: Its client.

    Threads: Belongs to a loop.
    """

    def __init__(self, client: AsyncWorkClient) -> None:
        self._client = client
        self._seen: WorkChange | None = None
        self._name = ""
        self._meter = UsageMeter()

    async def run(self, emit: Emit) -> None:
        """See `Source.run`; a Work that has ended may be started anew, so this goes on until it is cancelled."""
        reading = asyncio.create_task(
            read_lines(lambda: self._client.logs(tail=_TAIL, follow=True), emit), name="dashboard's logs"
        )
        measuring = asyncio.create_task(self._measure(emit), name="dashboard's metrics")
        backoff = Backoff()
        try:
            while True:
                try:
                    await self._follow(emit, backoff)
                    emit(ConnectionLost(time.time(), "the Work has ended"))
                except LightningGrpcError as error:
                    emit(ConnectionLost(time.time(), str(error)))
                await backoff.pause()
        finally:
            for task in (reading, measuring):
                task.cancel()
            await asyncio.gather(reading, measuring, return_exceptions=True)

    async def look(self, emit: Emit) -> None:
        """See `Source.look`."""
        await self._describe(emit)
        emit(ConnectionMade(time.time()))
        async with contextlib.aclosing(self._client.watch()) as changes:
            first = await anext(changes, None)
            if first is not None:
                emit(self._told(first))
                self._tell_metrics(emit)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):  # between two of them there are rates
                        async for change in changes:
                            emit(self._told(change))
                self._tell_metrics(emit)
        lines: list[Any] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINES_S), contextlib.aclosing(self._client.logs(tail=_TAIL)) as printed:
                lines = [line async for line in printed]
        emit(LinesPrinted(time.time(), tuple(lines)))

    async def stop_work(self, name: str) -> None:
        """See `Source.stop_work`."""
        await self._client.stop(reason="asked by the dashboard")

    async def run_command(self, line: str) -> str:
        """Refuse it: a Work has no commands."""
        raise ConfigurationError("a Work by itself has no commands")

    async def close(self) -> None:
        """See `Source.close`."""
        await self._client.close()

    async def _follow(self, emit: Emit, backoff: Backoff) -> None:
        await self._describe(emit)
        async with contextlib.aclosing(self._client.watch(_PATIENCE_S)) as changes:
            async for change in changes:
                if self._seen is None or change.epoch != self._seen.epoch:
                    await self._describe(emit)
                backoff.heard()
                emit(ConnectionMade(time.time()))
                emit(self._told(change))

    async def _measure(self, emit: Emit) -> None:
        """Tell now and then what can be told of a Work from outside; see `_tell_metrics`."""
        while True:
            self._tell_metrics(emit)
            await asyncio.sleep(MEASURE_S)

    def _tell_metrics(self, emit: Emit) -> None:
        """Tell what is known of the Work: its newest revision, when it was heard, and what its process uses."""
        seen, now_s = self._seen, time.time()
        if seen is None:
            return
        usage = self._usage(seen.epoch)
        works = {self._name: WorkMetrics(seen.revision, silent_s=self._client.silent_s)}
        usages = {self._name: usage} if usage is not None else {}
        emit(MetricsSeen(now_s, AppMetrics(now_s, seen.revision, 0, None, (), works, usages, (), usage)))

    def _usage(self, epoch: int) -> ProcessUsage | None:
        """Return what the Work's process uses, if it is one of this user on this machine that serves nothing else."""
        with contextlib.suppress(ConfigurationError):  # nobody who can use the runtime directory has registered there
            pids = [entry.pid for entry in running_works() if (entry.names, entry.epoch) == ((self._name,), epoch)]
            return next(iter(self._meter.read(pids).values()), None)
        return None

    async def _describe(self, emit: Emit) -> None:
        told = await self._client.describe()
        self._name = told.name
        # An epoch is when the process began, in nanoseconds; for other implementations it need not be.
        began_s = told.epoch / 1e9 if 1e18 < told.epoch < 1e19 else time.time()
        app = AppDescription(told.name, told.epoch, told.revision, "running", 0, began_s, 0)
        emit(Described(time.time(), app, self._client.address, work=told.name))

    def _told(self, change: WorkChange) -> Seen:
        seen, self._seen = self._seen, change
        if seen is None or seen.epoch != change.epoch or change.revision != seen.revision + 1:
            return StateReplaced(time.time(), change.revision, change.state)
        changes = tuple(diff(seen.state, change.state))
        return StateChanged(time.time(), change.revision, change.revision, changes, change.state)

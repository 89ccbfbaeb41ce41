"""1,000 Works that each change twice a second: what following them takes of the coordinator's process."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections.abc import Callable
from typing import Any

import grpc
import psutil

import lightning_grpc as L
from bench.apps import Loop, Numbers
from bench.case import Case, Measurement, Row, absolute
from bench.hosts import address_of, hosted
from lightning_grpc.runtimes.base import Exit, WorkHandle
from lightning_grpc.v1 import work_service_pb2, work_service_pb2_grpc

WORKS = 1000


class HostedRuntime:
    """A runtime whose Works are served already, by the processes of `bench.hosts`."""

    token: str | None = None

    def __init__(self, directory: str, epochs: list[int]) -> None:
        self._directory = directory
        self._epochs = epochs
        self._handles: list[WorkHandle] = []

    def pack(self, work: L.LightningWork) -> bytes:
        """Take down the Work's number."""
        return work.name.rpartition("_")[2].encode()

    async def start(self, name: str, package: bytes) -> WorkHandle:
        """Return where the Work is."""
        index = int(package)
        exited: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        handle = WorkHandle(address_of(self._directory, index), self._epochs[index], None, exited)
        self._handles.append(handle)
        return handle

    async def signal(self, handle: WorkHandle, signum: int) -> None:
        """Say that the Work is gone."""
        if not handle.exited.done():
            handle.exited.set_result(Exit(-signal.Signals(signum)))

    async def close(self) -> None:
        """Say that all Works are gone."""
        for handle in self._handles:
            await self.signal(handle, signal.SIGKILL)


class _Meter:
    """Notes the CPU time and memory of this process over a while."""

    def __init__(self, count_changes: Callable[[], int]) -> None:
        self._process = psutil.Process()
        self._count_changes = count_changes
        self._begin_s, self._busy_s, self._changes = time.perf_counter(), time.process_time(), count_changes()

    def elapsed_s(self) -> float:
        return time.perf_counter() - self._begin_s

    def read(self) -> Measurement:
        elapsed_s = self.elapsed_s()
        return {
            "share": (time.process_time() - self._busy_s) / elapsed_s,
            "rss_mib": self._process.memory_info().rss / 2**20,
            "changes_per_s": (self._count_changes() - self._changes) / elapsed_s,
        }


def ours(quick: bool) -> Measurement:
    """Follow them with an app whose Flow does nothing but look at the clock."""
    seconds = 4.0 if quick else 10.0
    works = {f"work_{index}": Numbers(parallel=True) for index in range(WORKS)}
    meter: _Meter | None = None
    result: Measurement = {}
    next_look_s = 0.0

    def body(flow: Loop) -> None:
        nonlocal meter, result, next_look_s
        now_s = time.perf_counter()
        if now_s < next_look_s:
            return
        next_look_s = now_s + 0.5
        if meter is None:
            if all(work.x for work in works.values()):
                meter = _Meter(lambda: sum(work.x for work in works.values()))
        elif meter.elapsed_s() >= seconds:
            result = meter.read()
            flow.stop()

    with tempfile.TemporaryDirectory() as directory, hosted(directory, WORKS) as epochs:
        L.LightningApp(Loop(body, **works)).run(HostedRuntime(directory, epochs))
    return result


async def _follow(addresses: list[str], seconds: float) -> Measurement:
    """Follow them with nothing but generated stubs."""
    seen = [0] * len(addresses)
    changes = 0

    async def follow(index: int, channel: grpc.aio.Channel) -> None:
        nonlocal changes
        stub: Any = work_service_pb2_grpc.WorkServiceStub(channel)  # type: ignore[no-untyped-call]
        async for response in stub.StateDelta(work_service_pb2.StateDeltaRequest()):
            seen[index] = 1
            changes += len(response.deltas.deltas)

    channels = [grpc.aio.insecure_channel(address) for address in addresses]
    tasks = [asyncio.create_task(follow(*each)) for each in enumerate(channels)]
    while not all(seen):  # noqa: ASYNC110 - half a second more or less is no matter
        await asyncio.sleep(0.5)
    await asyncio.sleep(1.0)
    meter = _Meter(lambda: changes)
    await asyncio.sleep(seconds)
    result = meter.read()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*(channel.close() for channel in channels))
    return result


def raw(quick: bool) -> Measurement:
    """Follow the same Works over bare stubs, one channel each."""
    with tempfile.TemporaryDirectory() as directory, hosted(directory, WORKS):
        addresses = [address_of(directory, index) for index in range(WORKS)]
        return asyncio.run(_follow(addresses, 4.0 if quick else 10.0))


CASE = Case(
    name="thousand",
    rows=(
        Row(
            "1,000 Works, 2 changes a second each: coordinator's share of a core",
            "share",
            "",
            absolute("share"),
            0.6,
            "",
        ),
        Row("the same: the coordinator's memory", "rss_mib", "MiB", absolute("rss_mib"), 160, "MiB"),
    ),
    ours=ours,
    raw=raw,
    raw_is="an asyncio client reads the same 1,000 streams over generated stubs and keeps nothing",
)

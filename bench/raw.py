"""The same payloads over bare generated stubs between two processes: what gRPC itself takes.

Both sides are asyncio, without anything of this package but the generated code. Run as a module, this is the
server: ``python -m bench.raw ADDRESS push N INTERVAL_S`` pushes a change with the time it was made, again and
again; ``... answer`` pushes a change after every call of Run.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc

from lightning_grpc.v1 import value_pb2, work_service_pb2, work_service_pb2_grpc


def _frame(revision: int) -> Any:
    """Return a frame with one change: the time of day."""
    path = [value_pb2.Key(text="vars"), value_pb2.Key(text="written_at_s")]
    change = value_pb2.Change(path=path, set=value_pb2.Value(float_value=time.time()))
    delta = work_service_pb2.Delta(revision=revision, changes=[change])
    return work_service_pb2.StateDeltaResponse(deltas=work_service_pb2.DeltaBatch(epoch=1, deltas=[delta]))


class _Pusher(work_service_pb2_grpc.WorkServiceServicer):
    def __init__(self, n: int, interval_s: float) -> None:
        self._n = n
        self._interval_s = interval_s

    async def StateDelta(self, request: Any, context: Any) -> AsyncIterator[Any]:
        for revision in range(self._n):
            await asyncio.sleep(self._interval_s)
            yield _frame(revision)


class _Answerer(work_service_pb2_grpc.WorkServiceServicer):
    def __init__(self) -> None:
        self._runs: asyncio.Queue[int] = asyncio.Queue()
        self._n = 0

    async def Run(self, request: Any, context: Any) -> Any:
        self._n += 1
        self._runs.put_nowait(self._n)
        return work_service_pb2.RunResponse()

    async def StateDelta(self, request: Any, context: Any) -> AsyncIterator[Any]:
        while True:
            yield _frame(await self._runs.get())


async def _serve(address: str, servicer: Any) -> None:
    server = grpc.aio.server()
    work_service_pb2_grpc.add_WorkServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(address)
    await server.start()
    print("up", flush=True)
    await server.wait_for_termination()


@contextlib.contextmanager
def _served(*arguments: str) -> Iterator[str]:
    """Have a server process for a while; gives its address."""
    with tempfile.TemporaryDirectory() as directory:
        address = f"unix:{Path(directory) / 'raw'}"
        command = [sys.executable, "-m", "bench.raw", address, *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                server.stdout.readline()
                yield address
            finally:
                server.kill()


async def _receive(address: str) -> list[float]:
    latencies_s: list[float] = []
    async with grpc.aio.insecure_channel(address) as channel:
        stub = work_service_pb2_grpc.WorkServiceStub(channel)  # type: ignore[no-untyped-call]
        async for response in stub.StateDelta(work_service_pb2.StateDeltaRequest()):
            now_s = time.time()
            latencies_s.append(now_s - response.deltas.deltas[0].changes[0].set.float_value)
    return latencies_s


async def _call(address: str, n: int) -> float:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = work_service_pb2_grpc.WorkServiceStub(channel)  # type: ignore[no-untyped-call]
        stream = stub.StateDelta(work_service_pb2.StateDeltaRequest())
        begin_s = 0.0
        for index in range(n + 1):
            await stub.Run(work_service_pb2.RunRequest(call_id=str(index), call_hash="run:1"))
            await stream.read()
            begin_s = begin_s or time.perf_counter()  # the first one opens the connection
        stream.cancel()
        return n / (time.perf_counter() - begin_s)


def push_latencies_s(n: int, interval_s: float) -> list[float]:
    """Return the time from a frame's making to its receipt, for `n` frames."""
    with _served("push", str(n), str(interval_s)) as address:
        return asyncio.run(_receive(address))


def round_trips_per_s(n: int) -> float:
    """Return how often a second a call can be made, answered, and followed by a push."""
    with _served("answer") as address:
        return asyncio.run(_call(address, n))


if __name__ == "__main__":
    _, where, what, *rest = sys.argv
    asyncio.run(_serve(where, _Pusher(int(rest[0]), float(rest[1])) if what == "push" else _Answerer()))

"""Many Works that write now and then, served by a few processes, each Work at a socket of its own.

Run as a module, this is one of the processes: ``python -m bench.hosts DIRECTORY FIRST COUNT``. It serves the
Works FIRST to FIRST + COUNT - 1, says so in one line with their epoch, and ends when its input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator

from bench.apps import Numbers
from lightning_grpc.wire.protocol import WORK_SERVICE
from lightning_grpc.wire.server import Server
from lightning_grpc.worker.output import OutputLog
from lightning_grpc.worker.publisher import Publisher
from lightning_grpc.worker.runner import Runner
from lightning_grpc.worker.service import WorkServicer

CHANGES_PER_S = 2.0
PROCESSES = 4


def address_of(directory: str, index: int) -> str:
    """Return the address of one Work."""
    return f"unix:{directory}/{index}"


def _write(loop: asyncio.AbstractEventLoop, due_s: float, work: Numbers) -> None:
    work.x += 1
    loop.call_at(due_s + 1 / CHANGES_PER_S, _write, loop, due_s + 1 / CHANGES_PER_S, work)


def _stay(grace_s: float, reason: str) -> None:
    """Do not end: the other Works of the process go on."""


async def _host(directory: str, first: int, count: int) -> None:
    loop = asyncio.get_running_loop()
    epoch = time.time_ns()
    servers = []
    for index in range(first, first + count):
        work = Numbers(parallel=True)
        publisher = Publisher(work, epoch)
        servicer = WorkServicer(work, publisher, Runner(work, publisher), _stay, OutputLog(work.name))
        server = Server([servicer.handlers()], [WORK_SERVICE], None)
        await server.start(address_of(directory, index))
        publisher.start()
        servers.append(server)
        due_s = loop.time() + (index - first) / count / CHANGES_PER_S
        loop.call_at(due_s, _write, loop, due_s, work)
    print(epoch, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    await asyncio.gather(*(server.stop(0.0) for server in servers))


@contextlib.contextmanager
def hosted(directory: str, works: int) -> Iterator[list[int]]:
    """Have that many Works served for a while; gives their epochs."""
    with contextlib.ExitStack() as stack:
        counts = [works // PROCESSES + (index < works % PROCESSES) for index in range(PROCESSES)]
        processes = []
        for index, count in enumerate(counts):
            command = [sys.executable, "-m", "bench.hosts", directory, str(sum(counts[:index])), str(count)]
            processes.append(
                stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            )
            stack.callback(processes[-1].kill)
        epochs: list[int] = []
        for process, count in zip(processes, counts, strict=True):
            assert process.stdout is not None
            epochs += [int(process.stdout.readline())] * count
        yield epochs


if __name__ == "__main__":
    asyncio.run(_host(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))

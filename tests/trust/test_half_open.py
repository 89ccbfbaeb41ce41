"""Ten thousand connections that say nothing: who is served already is served on, and newcomers when they are gone."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sys
from pathlib import Path

import psutil
import pytest
from neighbor import DEADLINE_S, Neighbor, in_time
from served_works import SMALL, serving

PROGRAM = Path(__file__).with_name("half_open.py")
MANY = 10_000
SIEGE_S = 150
"""How long all of that may take; the server waits 10 s for each of them."""
FEW = 5
"""Files more or less, which a server opens for itself."""


@contextlib.asynccontextmanager
async def holding(address, count):
    """Another process that holds connections to an address; yields it, and how many there are."""
    host, _, port = address.rpartition(":")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        host,
        port,
        str(count),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process, int(await process.stdout.readline())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def closed(process):
    """How many of the connections the server has closed."""
    process.stdin.write(b"\n")
    await process.stdin.drain()
    return int(await process.stdout.readline())


class Guarded:
    token, tls = None, None

    def __init__(self, served):
        self.address = served.address


@pytest.mark.slow
@pytest.mark.timeout(SIEGE_S + 20)
def test_ten_thousand_connections_that_say_nothing_do_not_harm_the_others():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < MANY + 1_000:
        pytest.skip(f"this machine lets a process open only {hard} files")

    async def besiege():
        with serving(f"{SMALL}:Echo") as served:
            server = psutil.Process(served.pid)
            async with Neighbor(Guarded(served)) as neighbor:
                before = server.num_fds()
                async with holding(served.address, MANY) as (process, count):
                    assert count == MANY
                    await neighbor.is_served()
                    await neighbor.is_served(fresh=True)
                    assert server.num_fds() < hard
                    memory = server.memory_info().rss
                    async with asyncio.timeout(DEADLINE_S):
                        while server.num_fds() > before + FEW:  # it hangs up on them, by and by
                            await neighbor.is_served()
                    assert await closed(process) >= MANY - FEW
                await neighbor.is_served(fresh=True)
            assert memory < 2 << 30

    in_time(besiege(), SIEGE_S)


def test_more_connections_than_there_are_files_leave_the_first_ones_alone(tmp_path):
    few = 200
    limited = tmp_path / "limited.py"
    works = Path(SMALL).read_text(encoding="utf-8")
    limited.write_text(f"{works}\nimport resource\nresource.setrlimit(resource.RLIMIT_NOFILE, ({few}, {few}))\n")

    async def besiege():
        with serving(f"{limited}:Echo") as served:
            async with Neighbor(Guarded(served)) as neighbor:
                async with holding(served.address, 2 * few) as (process, count):
                    assert count > few // 2
                    await neighbor.is_served()
                    assert psutil.Process(served.pid).num_fds() < few
                    async with asyncio.timeout(DEADLINE_S):
                        while await closed(process) < count - few:
                            await neighbor.is_served()
                    await neighbor.is_served()
                async with asyncio.timeout(DEADLINE_S):
                    while psutil.Process(served.pid).num_fds() > few // 4:
                        await neighbor.is_served()

    in_time(besiege())

"""Who reads nothing costs nothing, and ends converged (issue: exactness, point 5)."""

from __future__ import annotations

import asyncio
import math
import statistics
import time

import psutil
import pytest
from exact_works import Writer
from follower import DEADLINE_S, serving

from lightning_grpc.state.delta import apply
from lightning_grpc.state.subscription import Delta, Snapshot

WINDOW_S = 2.5
"""How long the Work is watched without the slow subscriber, and with it at least."""
STALLS_S = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 1.5)
"""The quick subscriber is late, too, now and then on a busy machine, and gets larger frames then."""
WINDOWS_BEFORE = 3
"""One alone may be the only quiet one of a busy machine."""
A_MINUTE_S = 60.0
GROWTH_BYTES = 10 << 20
TIMES_LATER = 4
"""How much later the others' frames may come: what else the machine does meanwhile is not known."""
SOON_S = 0.002
QUIET_AGAIN_S = 30.0
"""So long it may take until the machine has nothing else to do for a while; a slow subscriber is there all along."""


class Reader:
    """Reads a stream to the end of the Work's run."""

    def __init__(self, stream):
        self.stream = stream
        self.document = None
        self.revision = 0
        self.latencies_s = []

    async def read(self):
        async with asyncio.timeout(DEADLINE_S):
            for frame in await anext(self.stream):
                if isinstance(frame, Snapshot):
                    assert frame.revision >= self.revision
                    self.document = frame.document
                else:
                    assert frame.revision == self.revision + isinstance(frame, Delta)
                    apply(self.document, getattr(frame, "changes", ()))
                    if isinstance(frame, Delta):
                        self.latencies_s.append(time.time() - frame.made_at_s)
                self.revision = frame.revision

    @property
    def has_seen_the_end(self):
        entry = self.document["calls"].get("run:1")
        return bool(entry) and entry["statuses"][-1]["stage"] == "succeeded"


async def read_for(reader, seconds, process):
    """Read for a while; returns how late half of the frames were at most, and the most memory that the process took."""
    reader.latencies_s, most = [], 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await reader.read()
        most = max(most, process.memory_info().rss)
    return statistics.median(reader.latencies_s or [math.inf]), most


@pytest.mark.slow
@pytest.mark.timeout(A_MINUTE_S + 120)
@pytest.mark.parametrize(("size", "seconds"), [(10_000, A_MINUTE_S), (10, WINDOW_S)])
def test_a_subscriber_that_reads_nothing_costs_no_memory_and_no_one_elses_latency_and_ends_converged(
    size, seconds, tmp_path
):
    enough = tmp_path / "enough"

    async def check():
        async with serving(Writer()) as (handle, connect):
            process = psutil.Process(handle.pid)
            quick = Reader((await connect()).state_delta(handle.epoch, 0))
            await quick.read()
            channel = await connect()
            await channel.run("1", "run:1", (size, str(enough), seconds + 2 * DEADLINE_S), {}, {})
            for late_s in STALLS_S:  # buffers, frames and the log get as large as they get
                await read_for(quick, 0.5, process)
                await asyncio.sleep(late_s)
            before = [await read_for(quick, WINDOW_S, process) for _ in range(WINDOWS_BEFORE)]
            late_before_s, memory_before = map(max, zip(*before, strict=True))
            slow = Reader((await connect()).state_delta(handle.epoch, 0))
            await slow.read()
            allowed_s = TIMES_LATER * max(late_before_s, SOON_S)
            late_during_s, memory_during = math.inf, 0
            ends_s = time.monotonic() + seconds
            while time.monotonic() < ends_s + (QUIET_AGAIN_S if late_during_s >= allowed_s else 0.0):
                late_s, memory = await read_for(quick, WINDOW_S, process)
                late_during_s, memory_during = min(late_s, late_during_s), max(memory, memory_during)
            enough.touch()
            while not quick.has_seen_the_end:
                await quick.read()
            while slow.revision < quick.revision:
                await slow.read()
            assert slow.document == quick.document
            assert memory_during - memory_before < GROWTH_BYTES, (memory_before, memory_during)
            assert late_during_s < allowed_s
            for reader in (quick, slow):
                await reader.stream.aclose()

    asyncio.run(check())

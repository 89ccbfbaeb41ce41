"""A signal reaches a Work whose main thread it does not wake (issue: End).

A signal that arrives right before the main thread goes to sleep does not wake it. That moment is some microseconds
long. Here it lasts: the main thread blocks the signal, so that the system hands it to another thread, as it may.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time

from followers import following

from lightning_grpc import LightningWork
from lightning_grpc.runtimes.local import LocalRuntime
from lightning_grpc.wire.client import WorkChannel

DEADLINE_S = 30


class Deaf(LightningWork):
    """Its main thread is not woken by SIGTERM."""

    def run(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


@contextlib.asynccontextmanager
async def sleeping():
    """A Work of an app, whose main thread sleeps and is not woken by SIGTERM."""
    runtime = LocalRuntime()
    try:
        handle = await runtime.start("root.w", runtime.pack(Deaf()))
        channel = WorkChannel(handle.address, "root.w", runtime.token)
        await channel.run("1", "run:1", (), {}, {})
        async with following(channel, handle.epoch) as follower:
            await follower.until(lambda f: f.stage("run:1") == "succeeded")
        yield runtime, handle, channel
        await channel.close()
    finally:
        await runtime.close()


def test_sigterm_ends_a_work_that_it_does_not_wake():
    async def check():
        async with sleeping() as (runtime, handle, _):
            await runtime.signal(handle, signal.SIGTERM)
            assert (await asyncio.wait_for(handle.exited, DEADLINE_S)).code == 0

    asyncio.run(check())


def test_stop_ends_a_work_that_its_signal_does_not_wake():
    async def check():
        async with sleeping() as (_, handle, channel):
            await channel.stop(600.0, "the test is over")
            assert (await asyncio.wait_for(handle.exited, DEADLINE_S)).code == 0

    asyncio.run(check())


class Sleeper(LightningWork):
    """Sleeps in its run, and is not woken by SIGTERM."""

    def __init__(self):
        super().__init__(parallel=True)
        self.entered = False
        self.left = False

    def run(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        self.entered = True
        try:
            time.sleep(1000)
        finally:
            self.left = True


def test_sigterm_ends_a_run_that_sleeps_and_that_it_does_not_wake():
    async def check():
        runtime = LocalRuntime()
        try:
            handle = await runtime.start("root.w", runtime.pack(Sleeper()))
            channel = WorkChannel(handle.address, "root.w", runtime.token)
            async with following(channel, handle.epoch) as follower:
                await channel.run("1", "run:1", (), {}, {})
                await follower.until(lambda f: f.vars["entered"])
                await runtime.signal(handle, signal.SIGTERM)
                await follower.to_the_end()
                assert follower.vars["left"]
                assert follower.stage("run:1") == "stopped"
            assert (await asyncio.wait_for(handle.exited, DEADLINE_S)).code == 0
            await channel.close()
        finally:
            await runtime.close()

    asyncio.run(check())

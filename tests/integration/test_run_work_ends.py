"""How a Work that is served by itself ends: in order, with what is under way (issue: Serve, drain)."""

from __future__ import annotations

import asyncio
import contextlib

import grpc
import pytest
from followers import following
from grpc_health.v1 import health_pb2, health_pb2_grpc
from served_works import SMALL, serving

from lightning_grpc.errors import TransportError
from lightning_grpc.wire.client import WorkChannel
from lightning_grpc.wire.protocol import WORK_SERVICE

DEADLINE_S = 40


@contextlib.asynccontextmanager
async def connected(served):
    channel = WorkChannel(served.address, served.name)
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield channel
    finally:
        await channel.close()


@contextlib.asynccontextmanager
async def running(served):
    """A channel, and what follows the Work, which has just begun a run."""
    async with connected(served) as channel, following(channel, served.epoch) as follower:
        await channel.run("1", "run:1", (), {}, {}, caller="ada")
        await follower.until(lambda f: f.vars["entered"] == 1)
        yield channel, follower


async def wait_until_it_drains(served):
    """Wait until health checks say that the server is going away."""
    async with grpc.aio.insecure_channel(served.address) as channel:
        request = health_pb2.HealthCheckRequest(service=WORK_SERVICE)
        async for answer in health_pb2_grpc.HealthStub(channel).Watch(request, timeout=DEADLINE_S):
            if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
                return


def exit_code(served):
    return asyncio.to_thread(served.wait)


def test_the_run_under_way_is_finished_and_its_end_is_the_last_revision():
    async def check(served):
        async with running(served) as (channel, follower):
            served.terminate()
            await wait_until_it_drains(served)
            assert (await channel.describe()).name == "Waiting"  # it answers as long as it is there
            await channel.update({"stop": (True, follower.revision)})
            await follower.to_the_end()
            assert follower.stage("run:1") == "succeeded"
            assert follower.vars["left"] == 1
            assert await exit_code(served) == 0

    with serving(f"{SMALL}:Waiting", "--drain", "1m") as served:
        asyncio.run(check(served))


def test_while_it_drains_new_runs_are_refused_and_known_ones_are_known():
    async def check(served):
        async with running(served) as (channel, follower):
            served.terminate()
            await wait_until_it_drains(served)
            with pytest.raises(TransportError, match=r"Waiting is ending \(UNAVAILABLE\)"):
                await channel.run("2", "run:2", (), {}, {})
            answer = await channel.run("1", "run:1", (), {}, {}, caller="ada")
            assert (answer.already_known, answer.final_status) == (True, None)
            await channel.update({"stop": (True, follower.revision)})
            assert await exit_code(served) == 0

    with serving(f"{SMALL}:Waiting", "--drain", "1m") as served:
        asyncio.run(check(served))


def test_runs_that_wait_are_not_begun_and_their_entries_say_so():
    async def check(served):
        async with running(served) as (channel, follower):
            for number in (2, 3):
                await channel.run(f"{number}", f"run:{number}", (), {}, {}, caller="grace")
            served.terminate()
            await wait_until_it_drains(served)
            await channel.update({"stop": (True, follower.revision)})
            await follower.to_the_end()
            assert follower.vars["entered"] == 1
            for number in (2, 3):
                entry = follower.document["calls"][f"run:{number}"]
                assert [status["stage"] for status in entry["statuses"]] == ["pending", "stopped"]
                assert entry["statuses"][-1]["message"].startswith("not executed: ")
                assert entry["caller"] == "grace"
            assert await exit_code(served) == 0

    with serving(f"{SMALL}:Waiting", "--drain", "1m") as served:
        asyncio.run(check(served))


@pytest.mark.parametrize("end", ["terminate", "interrupt"])
def test_a_run_that_takes_longer_than_the_drain_is_interrupted(end):
    async def check(served):
        async with running(served) as (_, follower):
            getattr(served, end)()
            await follower.to_the_end()
            assert follower.stage("run:1") == "stopped"
            assert "not over after 0.2 s" in follower.document["calls"]["run:1"]["statuses"][-1]["message"]
            assert follower.vars["left"] == 1  # its finally block was executed
            assert await exit_code(served) == 0

    with serving(f"{SMALL}:Waiting", "--drain", "200ms") as served:
        asyncio.run(check(served))
        assert served.err == ""


CANCELLED_BY_OLDER_GRPCIO = """\
Traceback (most recent call last):
  File "src/python/grpcio/grpc/_cython/_cygrpc/aio/server.pyx.pxi", line 787, in grpc._cython.cygrpc._schedule_rpc_coro
asyncio.exceptions.CancelledError
"""


@pytest.mark.parametrize("end", ["terminate", "interrupt"])
def test_a_second_signal_ends_the_drain(end):
    async def check(served):
        async with running(served) as (_, follower):
            getattr(served, end)()
            await wait_until_it_drains(served)
            assert not follower.has_ended
            getattr(served, end)()
            await follower.to_the_end()
            assert follower.stage("run:1") == "stopped"
            assert "second signal" in follower.document["calls"]["run:1"]["statuses"][-1]["message"]
            assert await exit_code(served) == 0

    with serving(f"{SMALL}:Waiting", "--drain", "10m") as served:
        asyncio.run(check(served))
        assert served.err in ("", CANCELLED_BY_OLDER_GRPCIO)


def test_a_run_that_does_not_let_go_is_left_by_force_with_71():
    async def check(served):
        with contextlib.suppress(TransportError):  # by force means that its streams break off
            async with running(served):
                served.terminate()
                assert await exit_code(served) == 71

    with serving(f"{SMALL}:Stubborn", "--drain", "0s") as served:
        asyncio.run(check(served))


def test_stop_ends_it_at_once_and_in_order():
    async def check(served):
        async with running(served) as (channel, follower):
            await channel.stop(DEADLINE_S, "the test is over")
            await follower.to_the_end()
            assert follower.document["calls"]["run:1"]["statuses"][-1]["message"] == "the test is over"
            assert await exit_code(served) == 0

    with serving(f"{SMALL}:Waiting", "--drain", "10m") as served:
        asyncio.run(check(served))


@pytest.mark.parametrize("end", ["terminate", "interrupt"])
def test_a_work_that_has_nothing_to_do_ends_at_once(end):
    with serving(f"{SMALL}:Counter", "--drain", "10m") as served:
        getattr(served, end)()
        assert served.wait() == 0


@pytest.mark.parametrize("end", ["terminate", "interrupt", "stop"])
def test_a_signal_that_does_not_wake_the_main_thread_is_handled_all_the_same(end):
    async def check(served):
        async with connected(served) as channel, following(channel, served.epoch) as follower:
            await channel.run("1", "run:1", (), {}, {})
            await follower.until(lambda f: f.stage("run:1") == "succeeded")
            if end == "stop":
                await channel.stop(600.0, "the test is over")
            else:
                getattr(served, end)()
            assert await exit_code(served) == 0

    with serving(f"{SMALL}:Deaf", "--drain", "10m") as served:
        asyncio.run(check(served))


@pytest.mark.parametrize("end", ["terminate", "interrupt"])
def test_one_signal_interrupts_once_however_late_it_is_handled(end):
    async def check(served):
        async with running(served) as (_, follower):
            getattr(served, end)()
            await wait_until_it_drains(served)
            getattr(served, end)()
            await follower.to_the_end()
            assert follower.stage("run:1") == "stopped"
            assert follower.vars["left"] == 1000  # its finally block was not interrupted
            assert await exit_code(served) == 0

    with serving(f"{SMALL}:Busy", "--drain", "10m") as served:
        asyncio.run(check(served))

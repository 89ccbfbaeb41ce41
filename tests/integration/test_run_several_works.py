"""Several Works behind one address: each in a process of its own (issue: Serve)."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
import os
import signal

import grpc
import psutil
import pytest
from followers import following
from grpc_health.v1 import health_pb2, health_pb2_grpc
from served_works import HERE, SMALL, serving, start

from lightning_grpc.errors import ProtocolError, TransportError
from lightning_grpc.wire.client import WorkChannel
from lightning_grpc.wire.health import NOT_SERVING, SERVING
from lightning_grpc.wire.protocol import work_grpc, work_pb
from lightning_grpc.wire.status import facts_of

DEADLINE_S = 40
BOTH = ("--work", f"{SMALL}:Waiting=left", "--work", f"{SMALL}:Waiting=right", "--drain", "1m")


@contextlib.asynccontextmanager
async def connected(served, work):
    channel = WorkChannel(served.address, work or "the server", work=work)
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield channel
    finally:
        await channel.close()


class HealthWatch:
    """What health checkers are told, by name."""

    def __init__(self):
        self._seen = collections.defaultdict(list)
        self._changed = asyncio.Event()

    async def follow(self, stub, name):
        async for answer in stub.Watch(health_pb2.HealthCheckRequest(service=name), timeout=DEADLINE_S):
            self._seen[name].append(answer.status)
            self._changed.set()

    def seen(self, name):
        return self._seen[name]

    async def until_told(self, name):
        """Wait for the first status."""
        while not self._seen[name]:
            self._changed.clear()
            await self._changed.wait()

    async def until(self, name, *statuses):
        """Wait until some statuses were the last ones that were told."""
        while self._seen[name][-len(statuses) :] != list(statuses):
            self._changed.clear()
            await self._changed.wait()


@contextlib.asynccontextmanager
async def watching_health(served, *names):
    health = HealthWatch()
    async with grpc.aio.insecure_channel(served.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        tasks = [asyncio.create_task(health.follow(stub, name), name=f"health of {name}") for name in names]
        try:
            async with asyncio.timeout(DEADLINE_S):
                for name in names:
                    await health.until_told(name)
                yield health
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def epoch_of(served, work):
    return next(each["epoch"] for each in served.works if each["name"] == work)


@contextlib.asynccontextmanager
async def running(served, work):
    """A channel to a Work, and what follows it, which has just begun a run."""
    async with connected(served, work) as channel, following(channel, epoch_of(served, work)) as follower:
        await channel.run("1", "run:1", (), {}, {})
        await follower.until(lambda f: f.vars["entered"] == 1)
        yield channel, follower


async def kill(served, work):
    """Kill the process of a Work, and follow it until the stream breaks off."""
    async with running(served, work) as (_, follower):
        os.kill(follower.vars["pid"], signal.SIGKILL)
        await follower.to_the_end()


async def until_refused(call):
    """Repeat a call until the Work is not there for it; returns the words."""
    while True:
        try:
            await call()
        except TransportError as error:
            return str(error)


async def runs_are_refused(channel):
    """Ask for runs until they are refused; returns the words."""
    numbers = itertools.count(2)
    return await until_refused(lambda: channel.run(str(next(numbers)), "run:other", (), {}, {}))


def test_two_works_run_at_the_same_time():
    async def check(served):
        async with running(served, "left") as (left, left_follower), running(served, "right") as (_, right_follower):
            await left.update({"stop": (True, left_follower.revision)})
            await left_follower.until(lambda f: f.stage("run:1") == "succeeded")
            assert right_follower.stage("run:1") == "running"

    with serving(None, *BOTH) as served:
        assert [work["name"] for work in served.works] == ["left", "right"]
        asyncio.run(check(served))


def test_a_call_that_names_no_work_or_none_of_these_is_refused_and_told_the_names():
    async def check(served):
        for name, message in (("", "several Works are served here"), ("up", "no Work called 'up'")):
            async with connected(served, name) as channel:
                with pytest.raises(ProtocolError, match=f"{message}.*left, right"):
                    await channel.describe()
                with pytest.raises(ProtocolError, match=f"{message}.*left, right"):
                    await anext(channel.state_delta(0, 0))

    with serving(None, *BOTH) as served:
        asyncio.run(check(served))


def test_what_a_work_refuses_is_refused_with_its_words_and_its_reason():
    async def check(served):
        async with connected(served, "left") as channel:
            with pytest.raises(ProtocolError, match=r"no attribute nonsense.*\(INVALID_ARGUMENT\)"):
                await channel.run("1", "run:1", (), {}, {"nonsense": 1})
        async with grpc.aio.insecure_channel(served.address) as channel:
            request = work_pb.RunRequest(call_id="1", call_hash="run:1", epoch=1)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await work_grpc.WorkServiceStub(channel).Run(request, metadata=[("work-name", "left")], timeout=30)
            assert facts_of(refused.value) == ("EPOCH_MISMATCH", {"epoch": str(epoch_of(served, "left"))})

    with serving(None, *BOTH) as served:
        asyncio.run(check(served))


def test_all_works_drain_and_their_last_revisions_arrive():
    async def check(served):
        async with (
            running(served, "left") as (left, left_follower),
            running(served, "right") as (right, right_follower),
        ):
            served.terminate()
            for channel, follower in ((left, left_follower), (right, right_follower)):
                assert "is ending" in await runs_are_refused(channel)
                await channel.update({"stop": (True, follower.revision)})
                await follower.to_the_end()
                assert follower.stage("run:1") == "succeeded"
            assert await asyncio.to_thread(served.wait) == 0

    with serving(None, *BOTH) as served:
        asyncio.run(check(served))
        assert served.err == ""


def test_a_second_signal_interrupts_the_runs_of_all():
    async def check(served):
        async with running(served, "left") as (_, left), running(served, "right") as (_, right):
            served.interrupt()
            for work in ("left", "right"):  # two signals that come before one was noticed are one
                async with connected(served, work) as channel:
                    assert "is ending" in await runs_are_refused(channel)
            served.interrupt()
            for follower in (left, right):
                await follower.to_the_end()
                assert follower.stage("run:1") == "stopped"
            assert await asyncio.to_thread(served.wait) == 0

    with serving(None, *BOTH) as served:
        asyncio.run(check(served))


GATED = """
import os, time
from pathlib import Path
import small_work

gate = Path(os.environ["GATE"])
while not gate.exists():  # each process that is made for the Work comes to this
    time.sleep(0.01)


class Waiting(small_work.Waiting):
    pass
"""


def test_a_work_whose_process_dies_is_started_again_and_the_other_one_does_not_notice(tmp_path):
    gate = tmp_path / "gate"
    gate.touch()
    (tmp_path / "gated.py").write_text(GATED)
    left = f"{tmp_path / 'gated.py'}:Waiting=left"
    environment = {"GATE": str(gate), "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}

    async def check(served):
        async with (
            watching_health(served, "left", "right", "") as health,
            running(served, "right") as (other, right),
            connected(served, "left") as channel,
        ):
            gate.unlink()
            with pytest.raises(TransportError, match="its process does not answer"):
                await kill(served, "left")
            assert "try again later" in await until_refused(channel.describe)
            await health.until("left", NOT_SERVING)
            gate.touch()
            epoch = 0
            while not epoch:
                with contextlib.suppress(TransportError):
                    epoch = (await channel.describe()).epoch
            assert epoch > epoch_of(served, "left")
            await health.until("left", NOT_SERVING, SERVING)
            assert health.seen("right") == health.seen("") == [SERVING]
            assert right.stage("run:1") == "running"
            await other.update({"stop": (True, right.revision)})

    with serving(None, "--work", left, *BOTH[2:], env=environment) as served:
        asyncio.run(check(served))
        served.terminate()
        assert served.wait() == 0
        assert "left: its process was ended by SIGKILL; it is started again" in served.err


def test_a_work_that_is_stopped_stays_stopped_and_the_server_ends_with_the_last_one():
    async def check(served):
        async with connected(served, "left") as left, connected(served, "right") as right:
            await left.stop(DEADLINE_S, "the test says so")
            while "it was asked to end, and has" not in await until_refused(left.describe):
                pass
            async with watching_health(served, "left", "right") as health:
                await health.until("left", NOT_SERVING)
                await health.until("right", SERVING)
            assert (await right.describe()).name == "right"
            await right.stop(DEADLINE_S, "the test says so")
            assert await asyncio.to_thread(served.wait) == 0

    with serving(None, *BOTH) as served:
        asyncio.run(check(served))


def test_a_server_that_is_killed_leaves_no_work_behind():
    with serving(None, *BOTH) as served:
        family = psutil.Process(served.pid).children(recursive=True)
        assert len(family) == 3
        os.kill(served.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(family, timeout=DEADLINE_S)
        assert alive == []


def test_a_server_whose_works_cannot_be_started_again_ends_with_words():
    with serving(None, *BOTH) as served:
        (fork_server,) = psutil.Process(served.pid).children()
        fork_server.kill()
        assert served.wait() == 1
        assert "did not start" in served.err
        assert "Traceback" not in served.err


def test_several_works_listen_on_a_socket_that_is_gone_afterwards(tmp_path):
    path = tmp_path / "w.sock"

    async def check(served):
        async with connected(served, "right") as channel:
            assert (await channel.describe()).name == "right"

    with serving(None, *BOTH, "--bind", f"unix:{path}") as served:
        assert path.stat().st_mode & 0o777 == 0o600
        asyncio.run(check(served))
        served.terminate()
        assert served.wait() == 0
        assert not path.exists()


def test_several_works_at_an_address_that_is_taken_are_refused_with_words():
    with serving(None, *BOTH) as served:
        process = start(*BOTH, "--bind", served.address)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, out) == (1, "")
        assert f"cannot listen on {served.address}" in err

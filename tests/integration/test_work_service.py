"""WorkService as a client sees it: a real process, real gRPC (issue: Protocol)."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from importer import Importer
from sample_works import Counter, Keeper, Pair

from lightning_grpc.errors import ConfigurationError, ProtocolError
from lightning_grpc.runtimes.local import LocalRuntime
from lightning_grpc.state.delta import apply
from lightning_grpc.state.digest import digest
from lightning_grpc.state.subscription import Accepted, Bookmark, Delta, Snapshot, Subscription
from lightning_grpc.wire.auth import credentials
from lightning_grpc.wire.client import WorkChannel

DEADLINE_S = 30


class Follower:
    """Follows a Work's state on one channel, as any client would."""

    def __init__(self, channel, handle):
        self.channel = channel
        self.handle = handle
        self.subscription = Subscription(handle.epoch)
        self.document = None
        self.revisions = []
        self.bookmarks = 0

    async def follow_until(self, condition, deadline_s=DEADLINE_S):
        async with asyncio.timeout(deadline_s):
            stream = self.channel.state_delta(self.handle.epoch, self.subscription.opened())
            async with contextlib.aclosing(stream):
                async for frames in stream:
                    for frame in frames:
                        self.take(frame)
                    if self.document is not None and condition(self):
                        return

    def take(self, frame):
        assert isinstance(self.subscription.receive(frame), Accepted)
        if isinstance(frame, Snapshot):
            self.document = frame.document
        elif isinstance(frame, Delta):
            apply(self.document, frame.changes)
            self.revisions.append(frame.revision)
        elif isinstance(frame, Bookmark):
            assert frame.digest is None or frame.digest == digest(self.document)
            self.bookmarks += frame.digest is not None

    def __getattr__(self, name):
        return self.document["vars"][name]


@contextlib.asynccontextmanager
async def serving(work):
    runtime = LocalRuntime()
    try:
        handle = await runtime.start("root.w", runtime.pack(work))
        channel = WorkChannel(handle.address, "root.w", runtime.token)
        try:
            yield runtime, handle, channel
        finally:
            await channel.close()
    finally:
        await runtime.close()


def succeeded(follower):
    return any(
        isinstance(entry, dict) and entry["statuses"][-1]["stage"] == "succeeded"
        for entry in follower.document["calls"].values()
    )


def test_describe_tells_who_the_work_is():
    async def check():
        async with serving(Counter()) as (_, handle, channel):
            description = await channel.describe()
            assert description.class_name == "Counter"
            assert description.epoch == handle.epoch
            assert [(attribute.name, attribute.type) for attribute in description.attributes] == [("counter", "int")]
            assert description.run_signature == "(n=1)"
            assert description.protocol_version.major == 1

    asyncio.run(check())


def test_revisions_are_contiguous_and_bookmarks_prove_the_state():
    async def check():
        async with serving(Pair()) as (_, handle, channel):
            follower = Follower(channel, handle)
            await follower.follow_until(lambda _: True)  # from here on it gets deltas
            await channel.run("1", "run:1", (0.5,), {}, {})
            await follower.follow_until(lambda f: succeeded(f) and f.bookmarks >= 2, 50)  # the second comes after 20 s
            assert follower.revisions == list(range(follower.revisions[0], follower.revisions[-1] + 1))
            assert follower.a == follower.b

    asyncio.run(check())


def test_a_repeated_call_id_is_executed_once():
    async def check():
        async with serving(Counter()) as (_, handle, channel):
            assert (await channel.run("7", "run:7", (5,), {}, {})).already_known is False
            assert (await channel.run("7", "run:7", (5,), {}, {})).already_known is True
            assert (await channel.run("8", "run:8", (1,), {}, {})).already_known is False
            follower = Follower(channel, handle)
            await follower.follow_until(lambda f: "run:8" in f.document["calls"] and f.counter >= 6 and succeeded(f))
            assert follower.counter == 6

    asyncio.run(check())


def test_a_stream_is_resumed_by_revision_with_nothing_lost_or_repeated():
    async def check():
        async with serving(Counter()) as (_, handle, channel):
            follower = Follower(channel, handle)
            await follower.follow_until(lambda _: True)
            await channel.run("1", "run:1", (500_000,), {}, {})  # in fewer revisions than are kept
            for stop in (1000, 10_000, 100_000):
                await follower.follow_until(lambda f, stop=stop: f.counter >= stop)
            await follower.follow_until(succeeded)
            assert follower.counter == 500_000
            assert follower.subscription.resyncs == 0
            assert follower.revisions == list(range(follower.revisions[0], follower.revisions[-1] + 1))

    asyncio.run(check())


def test_a_subscriber_whose_history_is_gone_receives_a_snapshot():
    async def check():
        async with serving(Counter()) as (_, handle, channel):
            await channel.run("1", "run:1", (10,), {}, {})
            stream = channel.state_delta(handle.epoch, 10_000)
            async with contextlib.aclosing(stream):
                frames = await anext(stream)
            assert isinstance(frames[0], Snapshot)

    asyncio.run(check())


def test_two_subscribers_see_the_same_state():
    async def check():
        async with serving(Counter()) as (runtime, handle, channel):
            other_channel = WorkChannel(handle.address, "root.w", runtime.token)
            followers = [Follower(channel, handle), Follower(other_channel, handle)]
            await channel.run("1", "run:1", (300_000,), {}, {})
            await asyncio.gather(*(follower.follow_until(succeeded) for follower in followers))
            await other_channel.close()
            assert followers[0].document == followers[1].document

    asyncio.run(check())


def test_a_state_of_thirty_mebibytes_passes_in_parts():
    async def check():
        text = "x" * (30 << 20)
        async with serving(Keeper()) as (_, handle, channel):
            await channel.run("1", "run:1", (text,), {}, {}, deadline_s=DEADLINE_S)
            follower = Follower(channel, handle)
            await follower.follow_until(succeeded, 50)
            assert follower.value == text
            late = Follower(channel, handle)
            await late.follow_until(lambda f: f.document is not None)
            assert late.value == text

    asyncio.run(check())


def test_another_epoch_is_refused():
    async def check():
        async with serving(Counter()) as (_, handle, channel):
            with pytest.raises(ProtocolError, match="FAILED_PRECONDITION"):
                await channel.run("1", "run:1", (), {}, {}, epoch=handle.epoch - 1)
            with pytest.raises(ProtocolError, match="started anew"):
                await anext(channel.state_delta(handle.epoch + 1, 5))

    asyncio.run(check())


def test_a_call_with_an_unknown_attribute_is_refused_and_the_work_serves_on():
    async def check():
        async with serving(Counter()) as (_, _handle, channel):
            with pytest.raises(ProtocolError, match="no attribute nonsense"):
                await channel.run("1", "run:1", (), {}, {"nonsense": 1})
            assert (await channel.describe()).class_name == "Counter"

    asyncio.run(check())


@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_a_caller_without_the_token_is_refused(token):
    async def check():
        async with serving(Counter()) as (_, handle, _channel):
            stranger = WorkChannel(handle.address, "root.w", token)
            with pytest.raises(ConfigurationError, match="token"):
                await stranger.describe()
            with pytest.raises(ConfigurationError, match="token"):
                await anext(stranger.state_delta(0, 0))
            await stranger.close()

    asyncio.run(check())


def test_health_and_reflection_are_served():
    async def check():
        async with serving(Counter()) as (runtime, handle, _channel):
            metadata = credentials(runtime.token)
            async with grpc.aio.insecure_channel(handle.address) as channel:
                health = health_pb2_grpc.HealthStub(channel)
                for service in ("", "lightning_grpc.v1.WorkService"):
                    request = health_pb2.HealthCheckRequest(service=service)
                    answer = await health.Check(request, metadata=metadata, timeout=DEADLINE_S)
                    assert answer.status == health_pb2.HealthCheckResponse.SERVING
                reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
                request = reflection_pb2.ServerReflectionRequest(list_services="")
                call = reflection.ServerReflectionInfo(iter([request]), metadata=metadata, timeout=DEADLINE_S)
                answer = await call.read()
                names = {service.name for service in answer.list_services_response.service}
                assert {"lightning_grpc.v1.WorkService", "grpc.health.v1.Health"} <= names

    asyncio.run(check())


def test_a_works_process_imports_nothing_of_this_package_that_all_of_them_could_share():
    async def check():
        async with serving(Importer()) as (_, handle, channel):
            follower = Follower(channel, handle)
            await channel.run("1", "run:1", (), {}, {})
            await follower.follow_until(lambda f: f.imported is not None)
            assert follower.imported == []

    asyncio.run(check())


def test_the_socket_is_private():
    async def check():
        async with serving(Counter()) as (_, handle, _channel):
            directory = Path(handle.address.removeprefix("unix:")).parent
            assert directory.stat().st_mode & 0o777 == 0o700

    asyncio.run(check())


def test_stop_sends_the_last_revision_and_ends_the_process():
    async def check():
        async with serving(Pair()) as (_, handle, channel):
            follower = Follower(channel, handle)
            await channel.run("1", "run:1", (60.0,), {}, {})
            await follower.follow_until(lambda f: f.a > 100)
            stopped = asyncio.create_task(
                follower.follow_until(lambda f: f.document["calls"]["run:1"]["statuses"][-1]["stage"] == "stopped")
            )
            await asyncio.sleep(0)  # the stream is opened first
            await channel.stop(DEADLINE_S, "the test is over")
            await stopped
            assert follower.document["calls"]["run:1"]["statuses"][-1]["message"] == "the test is over"
            assert (await asyncio.wait_for(handle.exited, DEADLINE_S)).code == 0

    asyncio.run(check())

"""The app's own gRPC service: what it answers, and when it refuses to."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from served_apps import Board, Served, in_time, until

from lightning_grpc.errors import ConfigurationError, NoAnswerError
from lightning_grpc.state.delta import Delete, Set, Splice, apply
from lightning_grpc.state.digest import digest
from lightning_grpc.state.subscription import Bookmark, Delta, Snapshot
from lightning_grpc.state.values import same
from lightning_grpc.wire.app_protocol import APP_SERVICE, app_grpc, app_pb
from lightning_grpc.wire.auth import credentials
from lightning_grpc.wire.codec import encode_change, encode_value
from lightning_grpc.wire.status import facts_of, reason_of


async def frames_until(channel, enough, *, epoch=0, after=0):
    """Return the frames of one stream up to the first that is enough."""
    heard = []
    async with contextlib.aclosing(channel.watch(epoch, after)) as stream:
        async for frames in stream:
            for frame in frames:
                heard.append(frame)
                if enough(frame):
                    return heard
    raise AssertionError(f"the stream ended after {heard}")


def documents(frames, base=None):
    """Yield each revision of some frames with the document as of it; the same object each time."""
    document = base
    for frame in frames:
        if isinstance(frame, Snapshot):
            document = frame.document
        elif isinstance(frame, Delta):
            apply(document, frame.changes)
        yield frame.revision, document


@contextlib.asynccontextmanager
async def stub(served, token=None, address=None):
    """A stub of the generated code, with the metadata that carries a token."""
    async with grpc.aio.insecure_channel(address or served.entry.address) as channel:
        yield app_grpc.AppServiceStub(channel), credentials(token if token is not None else served.entry.read_token())


def test_a_stream_from_the_beginning_shows_the_apps_state_at_every_revision():
    async def watch(served):
        opened = asyncio.Event()

        def enough(frame):
            opened.set()
            return frame.revision >= 60

        async with served.channel() as channel:
            watching = asyncio.ensure_future(frames_until(channel, enough))
            await opened.wait()
            while served.app.revision < 60:
                await channel.update([Set(("vars", "n"), served.root.n + 1)], 0, 0, 10)
                await channel.update([Splice(("vars", "items"), 0, 0, [served.app.revision])], 0, 0, 10)
            return await watching

    with Served() as served:
        frames = in_time(watch(served))
        compared = 0
        for revision, document in documents(frames):
            if revision in served.states:
                assert same(document, served.states[revision])
                compared += 1
        assert compared > 20
        assert [frame.revision for frame in frames if isinstance(frame, Delta)][-1] >= 60


def test_a_stream_is_resumed_after_any_revision_and_shows_the_same():
    async def check(served):
        async with served.channel() as channel:
            first = (await frames_until(channel, lambda frame: True))[0]
            while served.app.revision < first.revision + 20:
                await channel.update([Set(("vars", "n"), served.root.n + 1)], 0, 0, 10)
            newest, state = served.settled()
            whole = await frames_until(channel, lambda frame: frame.revision >= newest, after=first.revision)
            for after in range(first.revision, newest):
                frames = await frames_until(
                    channel, lambda frame: frame.revision >= newest, epoch=first.epoch, after=after
                )
                assert [frame.revision for frame in frames] == list(range(after + 1, newest + 1))
                assert frames == whole[after - first.revision :]
            *_, (_, document) = documents(whole, first.document)
            assert same(document, state)

    with Served() as served:
        in_time(check(served))


def test_the_digests_in_the_stream_are_those_of_the_state():
    def has_digest(frame):
        return isinstance(frame, Bookmark) and frame.digest is not None

    async def check(served):
        async with served.channel() as channel:
            for n in (1, 2):
                frames = await frames_until(channel, has_digest)
                *_, (_, document) = documents(frames)
                assert frames[-1].digest == digest(document)
                await channel.update([Set(("flows", "leaf", "vars", "table", "a", 1), n)], 0, 0, 10)

    with Served() as served:
        in_time(check(served))


def test_the_state_is_that_of_the_newest_revision_with_what_was_just_updated():
    async def check(served):
        async with served.channel() as channel:
            for n in range(1, 30):
                revision = await channel.update([Set(("vars", "n"), n)], 0, 0, 10)
                snapshot = await channel.state(10)
                assert snapshot.revision >= revision
                assert snapshot.document["vars"]["n"] == n
                if n == 15:
                    await frames_until(channel, lambda frame: True)  # from now on the app keeps a log
            revision, state = served.settled()
            assert await channel.state(10) == Snapshot(served.entry.epoch, revision, state)

    with Served() as served:
        in_time(check(served))


def test_a_state_that_is_too_large_for_one_message_arrives_in_parts():
    async def check(served):
        async with served.channel() as channel:
            text = "x" * 3_000_000
            await channel.update([Set(("vars", "text"), text)], 0, 0, 10)
            assert (await channel.state(10)).document["vars"]["text"] == text
            (frame,) = await frames_until(channel, lambda frame: True)
            assert frame.document["vars"]["text"] == text

    with Served() as served:
        in_time(check(served))


LEAF = ("flows", "leaf", "vars")


@pytest.mark.parametrize(
    ("changes", "code", "reason", "words"),
    [
        ([Set(("vars", "nothing"), 1)], "INVALID_ARGUMENT", "UPDATE_REFUSED", "has no such attribute; it has"),
        ([Set(("vars", "_hidden"), 1)], "INVALID_ARGUMENT", "UPDATE_REFUSED", "has no such attribute"),
        ([Set(("flows", "other", "vars", "n"), 1)], "INVALID_ARGUMENT", "UPDATE_REFUSED", "has no 'other' among"),
        ([Set(("calls", "x"), 1)], "INVALID_ARGUMENT", "UPDATE_REFUSED", "has no such attribute"),
        ([Set((*LEAF, "table", "a", 9), 1)], "INVALID_ARGUMENT", "UPDATE_REFUSED", "does not fit"),
        ([Delete((*LEAF, "n"))], "INVALID_ARGUMENT", "UPDATE_REFUSED", "cannot be deleted"),
        ([Set(("vars", "n"), 7), Set(("vars", "nothing"), 1)], "INVALID_ARGUMENT", "UPDATE_REFUSED", "no such"),
    ],
)
def test_an_update_that_does_not_fit_is_refused_with_a_reason_and_nothing_of_it_is_made(changes, code, reason, words):
    async def check(served):
        async with stub(served) as (service, metadata):
            request = app_pb.UpdateStateRequest(changes=map(encode_change, changes))
            with pytest.raises(grpc.RpcError) as refused:
                await service.UpdateState(request, metadata=metadata, timeout=10)
            assert refused.value.code().name == code
            assert reason_of(refused.value) == reason
            assert words in refused.value.details()
            assert facts_of(refused.value)[1]["path"].startswith("[")

    with Served() as served:
        before = served.app.state
        in_time(check(served))
        assert same(served.app.state, before)


def test_an_update_without_a_meaning_is_refused():
    no_value = app_pb.UpdateStateRequest(changes=[encode_change(Set(("vars", "n"), 1))])
    no_value.changes[0].set.Clear()
    no_path = app_pb.UpdateStateRequest(changes=[encode_change(Set(("vars",), 1))])
    del no_path.changes[0].path[:]

    async def check(served):
        async with stub(served) as (service, metadata):
            for request in (no_value, no_path):
                with pytest.raises(grpc.RpcError) as refused:
                    await service.UpdateState(request, metadata=metadata, timeout=10)
                assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
                assert reason_of(refused.value) == "MESSAGE_INVALID"

    with Served() as served:
        in_time(check(served))
        assert served.root.n == 0


def test_an_update_for_an_older_state_is_refused_if_what_it_changes_has_changed_since():
    async def check(served):
        async with stub(served) as (service, metadata):

            async def update(n, base):
                change = encode_change(Set(("flows", "leaf", "vars", "n"), n))
                request = app_pb.UpdateStateRequest(changes=[change], base_revision=base)
                return (await service.UpdateState(request, metadata=metadata, timeout=10)).revision

            first = await update(1, 0)
            second = await update(2, served.app.revision)
            with pytest.raises(grpc.RpcError) as refused:
                await update(3, first)
            assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            assert reason_of(refused.value) == "UPDATE_OUTDATED"
            assert await update(4, second) > second

    with Served() as served:
        in_time(check(served))
        assert served.root.leaf.n == 4


def test_a_request_for_another_run_of_the_app_is_refused():
    async def check(served):
        async with stub(served) as (service, metadata):
            other = served.entry.epoch + 1
            with pytest.raises(grpc.RpcError) as update:
                await service.UpdateState(app_pb.UpdateStateRequest(epoch=other), metadata=metadata, timeout=10)
            with pytest.raises(grpc.RpcError) as command:
                await service.RunCommand(app_pb.RunCommandRequest(epoch=other), metadata=metadata, timeout=10)
            call = service.WatchState(app_pb.WatchStateRequest(epoch=other), metadata=metadata, timeout=10)
            with pytest.raises(grpc.RpcError) as watch:
                await call.read()
            for refused in (update, command, watch):
                assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
                assert facts_of(refused.value) == ("EPOCH_MISMATCH", {"epoch": str(served.entry.epoch)})

    with Served() as served:
        in_time(check(served))


@pytest.mark.parametrize("token", ["", "wrong"])
def test_nothing_is_answered_without_the_right_token(token):
    async def check(served):
        async with stub(served, token) as (service, metadata):
            with pytest.raises(grpc.RpcError) as unary:
                await service.DescribeApp(app_pb.DescribeAppRequest(), metadata=metadata, timeout=10)
            with pytest.raises(grpc.RpcError) as stream:
                await service.WatchState(app_pb.WatchStateRequest(), metadata=metadata, timeout=10).read()
            async with grpc.aio.insecure_channel(served.entry.address) as channel:
                health = health_pb2_grpc.HealthStub(channel)
                with pytest.raises(grpc.RpcError) as check:
                    await health.Check(health_pb2.HealthCheckRequest(), metadata=metadata, timeout=10)
            for refused in (unary, stream, check):
                assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED

    with Served() as served:
        in_time(check(served))


def test_health_and_reflection_stand_beside_the_service():
    async def check(served):
        metadata = credentials(served.entry.read_token())
        async with grpc.aio.insecure_channel(served.entry.address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            answer = await health.Check(
                health_pb2.HealthCheckRequest(service=APP_SERVICE), metadata=metadata, timeout=10
            )
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
            asked = reflection_pb2.ServerReflectionRequest(list_services="")
            call = reflection.ServerReflectionInfo(iter([asked]), metadata=metadata, timeout=10)
            listed = await call.read()
            assert APP_SERVICE in [each.name for each in listed.list_services_response.service]

    with Served() as served:
        in_time(check(served))


def test_a_flow_that_does_not_get_to_a_request_is_told_by_deadline_exceeded_with_words():
    async def check(served):
        async with served.channel() as channel, stub(served) as (service, metadata):
            watching = channel.watch(0, 0)
            await anext(watching)
            served.root.hold(1)
            await channel.update([Set(("vars", "n"), 1)], 0, 0, 10)
            until(served.root._entered.is_set, "the run hangs")
            reason = ""
            while not reason:  # there is none if our own deadline came first
                with pytest.raises(grpc.RpcError) as late:
                    await service.ListWorks(app_pb.ListWorksRequest(), metadata=metadata, timeout=1)
                assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
                reason = reason_of(late.value)
            assert reason == "NO_ANSWER"
            assert "the app's Flow did not get to this" in late.value.details()
            words = ""
            while "Flow did not get to this" not in words:
                with pytest.raises(NoAnswerError) as late:
                    await channel.update([Set(("vars", "n"), 99)], 0, 0, 1)
                words = str(late.value)
            assert (await channel.describe(10)).stage == "running"  # what needs no Flow is answered
            assert (await channel.state(10)).document["vars"]["n"] == 1
            await watching.aclose()
            served.root.go_on()
            assert len(await channel.works(10)) == 0
            assert served.root.n == 1  # what was not begun in time is not done later

    with Served() as served:
        in_time(check(served))


def test_ten_watchers_see_the_same():
    async def check(served):
        async with contextlib.AsyncExitStack() as stack:
            channels = [await stack.enter_async_context(served.channel()) for _ in range(10)]
            opened = asyncio.Semaphore(0)

            async def watch(channel):
                heard, document = [], None
                async with contextlib.aclosing(channel.watch(0, 0)) as stream:
                    async for frames in stream:
                        if not heard:
                            opened.release()
                        for frame in frames:
                            heard.append(frame.revision)
                            ((_, document),) = documents([frame], document)
                            if document["vars"]["n"] == 50:
                                return heard, document
                raise AssertionError("the stream ended")

            watching = [asyncio.ensure_future(watch(channel)) for channel in channels]
            for _ in channels:
                await opened.acquire()
            for n in range(1, 51):
                await channels[0].update([Set(("vars", "n"), n)], 0, 0, 10)
            results = await asyncio.gather(*watching)
            for revisions, document in results:
                assert same(document, results[0][1])
                assert sorted(set(revisions)) == list(range(revisions[0], revisions[-1] + 1))

    with Served() as served:
        in_time(check(served))


def test_the_end_of_the_app_ends_the_streams_after_the_last_revision():
    async def watch(served, opened):
        async with served.channel() as channel:
            heard = []
            async with contextlib.aclosing(channel.watch(0, 0)) as stream:
                async for frames in stream:
                    heard += frames
                    opened.set()
            return heard

    with Served() as served:
        opened = threading.Event()
        watched = []
        watcher = threading.Thread(target=lambda: watched.append(in_time(watch(served, opened))))
        watcher.start()
        until(opened.is_set, "the stream is open")
        with served.client() as client:
            client.update("root.leave", True)
        watcher.join(30)
        served.thread.join(30)
        *_, (revision, document) = documents(watched[0])
        assert document["app_state"] == {"stage": "stopping"}
        assert same(document, served.app.state)
        assert revision == served.app.revision


def test_it_is_served_on_loopback_too_when_asked_with_the_same_token():
    async def check(served):
        _, tcp = served.entry.addresses
        assert tcp.startswith("127.0.0.1:")
        async with served.channel(tcp) as channel:
            assert (await channel.describe(10)).name == served.app.name
        async with stub(served, "", tcp) as (service, _):
            with pytest.raises(grpc.RpcError) as refused:
                await service.DescribeApp(app_pb.DescribeAppRequest(), timeout=10)
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED

    with Served(service_address="127.0.0.1:0") as served:
        in_time(check(served))


@pytest.mark.parametrize(
    "address", ["0.0.0.0:0", "192.168.1.5:80", "example.org:80", "127.0.0.1", "unix:/tmp/x", "[::]:0"]
)
def test_an_address_that_is_not_on_loopback_is_refused(address):
    served = Served(service_address=address)
    with pytest.raises(ConfigurationError, match=r"TLS|HOST:PORT"):
        served.app.run()


def test_a_command_is_executed_and_what_it_returns_or_raises_comes_back():
    async def check(served):
        async with stub(served) as (service, metadata):

            async def run(name, **arguments):
                encoded = {key: encode_value(value) for key, value in arguments.items()}
                request = app_pb.RunCommandRequest(name=name, arguments=encoded)
                return (await service.RunCommand(request, metadata=metadata, timeout=10)).result

            assert (await run("add", number=3, times=2)).int_value == 6
            for arguments, code, reason in (
                (("nothing", {}), "NOT_FOUND", "COMMAND_UNKNOWN"),
                (("add", {}), "INVALID_ARGUMENT", "ARGUMENT_INVALID"),
                (("fail", {}), "UNKNOWN", "COMMAND_FAILED"),
            ):
                with pytest.raises(grpc.RpcError) as refused:
                    await run(arguments[0], **arguments[1])
                assert (refused.value.code().name, reason_of(refused.value)) == (code, reason)
            listed = await service.ListCommands(app_pb.ListCommandsRequest(), metadata=metadata, timeout=10)
            assert [each.name for each in listed.commands] == ["add", "fail", "name", "roar"]

    with Served() as served:
        in_time(check(served))
        assert served.root.n == 6


def test_an_app_that_is_not_to_be_served_is_not():
    root = Board()
    root.leave = True
    served = Served(root, serve=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lightning_grpc.service.app_service.Registration", None)
        served.app.run()
    assert served.app.stage.value == "stopping"

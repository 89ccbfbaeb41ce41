"""A stream goes on where the last one ended, or says that it cannot (issue: exactness, point 4)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

import grpc
import pytest
from exact_works import Writer
from follower import DEADLINE_S, serving
from patience import patient_clients

from lightning_grpc.errors import ProtocolError
from lightning_grpc.runtimes.local import LocalRuntime
from lightning_grpc.state.delta import apply
from lightning_grpc.state.subscription import Delta, Snapshot
from lightning_grpc.wire.auth import credentials
from lightning_grpc.wire.client import WorkChannel
from lightning_grpc.wire.protocol import work_grpc, work_pb


async def written(channel, handle, *sizes):
    """Have the Work run once per size, one after the other, and return the document and the revision after that."""
    for number, size in enumerate(sizes):
        await channel.run(f"{number}", f"run:{number}", (size,), {}, {})
    document = revision = None
    async with asyncio.timeout(DEADLINE_S), contextlib.aclosing(channel.state_delta(handle.epoch, 0)) as stream:
        async for frames in stream:
            for frame in frames:
                if isinstance(frame, Snapshot):
                    document = frame.document
                elif isinstance(frame, Delta):
                    apply(document, frame.changes)
                revision = frame.revision
            last = document and document["calls"].get(f"run:{len(sizes) - 1}")
            if last and last["statuses"][-1]["stage"] == "succeeded":
                return document, revision
    raise AssertionError("the stream ended")


async def resumed(channel, handle, after, until):
    """Return the frames of a stream that goes on after a revision, up to another one."""
    heard = []
    async with asyncio.timeout(DEADLINE_S), contextlib.aclosing(channel.state_delta(handle.epoch, after)) as stream:
        async for frames in stream:
            heard += frames
            if heard and heard[-1].revision >= until:
                return heard
    raise AssertionError("the stream ended")


def test_a_stream_resumed_from_any_revision_goes_on_with_the_next():
    async def check():
        async with serving(Writer()) as (handle, connect):
            channel = await connect()
            document, newest = await written(channel, handle, *[10] * 20)
            assert newest > 20
            for after in range(1, newest):
                frames = await resumed(channel, handle, after, newest)
                assert all(isinstance(frame, Delta) for frame in frames)
                assert [frame.revision for frame in frames] == list(range(after + 1, newest + 1))
            whole = await resumed(channel, handle, 0, newest)
            assert whole == [Snapshot(handle.epoch, newest, document)]

    asyncio.run(check())


def test_a_stream_resumed_from_the_newest_revision_goes_on_with_what_is_written_next():
    async def check():
        async with serving(Writer()) as (handle, connect):
            channel = await connect()
            _, newest = await written(channel, handle, 10)
            waiting = asyncio.ensure_future(resumed(channel, handle, newest, newest + 1))
            await channel.run("more", "run:more", (11,), {}, {})
            frames = [frame for frame in await waiting if isinstance(frame, Delta)]
            assert frames[0].revision == newest + 1

    asyncio.run(check())


def test_history_that_is_gone_gives_a_snapshot():
    async def check():
        async with serving(Writer()) as (handle, connect):
            channel = await connect()
            document, newest = await written(channel, handle, *[1 << 20] * 8)
            for after in (1, 2, newest + 1, 2**63):
                frames = await resumed(channel, handle, after, newest)
                assert frames[0] == Snapshot(handle.epoch, newest, document)
            frames = await resumed(channel, handle, newest - 1, newest)
            assert [(type(frame), frame.revision) for frame in frames] == [(Delta, newest)]

    asyncio.run(check())


def test_a_stream_whose_history_is_gone_while_it_is_not_read_goes_on_with_a_snapshot_and_never_skips():
    async def check():
        async with serving(Writer()) as (handle, connect):
            quick, slow = await connect(), await connect()
            stream = slow.state_delta(handle.epoch, 0)
            (first,) = await anext(stream)
            document, newest = await written(quick, handle, *[4 << 20] * 12)
            mine, revision = first.document, first.revision
            async with asyncio.timeout(DEADLINE_S), contextlib.aclosing(stream):
                kinds = set()
                while revision < newest:
                    for frame in await anext(stream):
                        kinds.add(type(frame))
                        if isinstance(frame, Snapshot):
                            assert frame.revision > revision
                            mine = frame.document
                        else:
                            assert frame.revision == revision + isinstance(frame, Delta)
                            apply(mine, getattr(frame, "changes", ()))
                        revision = frame.revision
            assert Snapshot in kinds
            assert (mine, revision) == (document, newest)

    asyncio.run(check())


@pytest.mark.parametrize("age", [-1, 1])
@pytest.mark.parametrize("after", [0, 3, 10_000])
def test_another_epoch_is_refused_whatever_the_revision(age, after):
    async def check():
        async with serving(Writer()) as (handle, connect):
            channel = await connect()
            with pytest.raises(ProtocolError, match=f"is at epoch {handle.epoch}, not {handle.epoch + age}"):
                await anext(channel.state_delta(handle.epoch + age, after))
            assert (await anext(channel.state_delta(handle.epoch, 0)))[0].epoch == handle.epoch

    asyncio.run(check())


def test_a_new_process_has_a_higher_epoch_and_refuses_who_followed_the_old_one():
    async def check():
        runtime = LocalRuntime()
        try:
            package = runtime.pack(Writer())
            old = await runtime.start("root.w", package)
            os.kill(old.pid, signal.SIGKILL)
            await asyncio.wait_for(old.exited, DEADLINE_S)
            new = await runtime.start("root.w", package)
            assert new.epoch > old.epoch
            with patient_clients():
                channel = WorkChannel(new.address, "root.w", runtime.token)
            with pytest.raises(ProtocolError, match="started anew"):
                await anext(channel.state_delta(old.epoch, 2))
            await channel.close()
            async with grpc.aio.insecure_channel(new.address) as plain:
                stub = work_grpc.WorkServiceStub(plain)
                request = work_pb.StateDeltaRequest(epoch=old.epoch, after_revision=2)
                call = stub.StateDelta(request, metadata=credentials(runtime.token), timeout=DEADLINE_S)
                with pytest.raises(grpc.RpcError) as caught:
                    await call.read()
            assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        finally:
            await runtime.close()

    asyncio.run(check())

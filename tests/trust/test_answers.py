"""Servers that mean ill to their clients: what they answer ends in an error of this package, in bounded memory."""

from __future__ import annotations

import contextlib

import grpc
import pytest
from neighbor import DEADLINE_S, in_time
from test_messages import GARBAGE, nested

from lightning_grpc.errors import LightningGrpcError, ProtocolError
from lightning_grpc.wire.client import WorkChannel
from lightning_grpc.wire.codec import MAX_FRAME_BYTES
from lightning_grpc.wire.protocol import work_pb

FRAMES = {
    "garbage": b"\xff" * 20,
    "a document that is no dict": work_pb.StateDeltaResponse(
        snapshot=work_pb.Snapshot(revision=1, document={"int_value": 1})
    ).SerializeToString(),
    "a delta without an operation": work_pb.StateDeltaResponse(
        deltas=work_pb.DeltaBatch(deltas=[work_pb.Delta(revision=1, changes=[{}])])
    ).SerializeToString(),
    "a part within a part": work_pb.StateDeltaResponse(
        chunk=work_pb.Chunk(
            data=work_pb.StateDeltaResponse(chunk=work_pb.Chunk(data=b"", last=True)).SerializeToString(), last=True
        )
    ).SerializeToString(),
}


@contextlib.asynccontextmanager
async def answering(unary=b"", stream=(), status=None, repeat=1):
    """A server that answers every call with the same bytes; `stream` is sent `repeat` times, or with no end (0)."""

    async def answer(request, context):
        if status is not None:
            await context.abort(grpc.StatusCode.INTERNAL, "no", (("grpc-status-details-bin", status),))
        return unary

    async def send(request, context):
        sent = 0
        while not repeat or sent < repeat:
            for message in stream:
                yield message
            sent += 1

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            if details.method.endswith(("StateDelta", "Logs")):
                return grpc.unary_stream_rpc_method_handler(send)
            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = WorkChannel(f"127.0.0.1:{port}", "root.w")
    try:
        yield channel
    finally:
        await channel.close()
        await server.stop(0)


async def follow(channel):
    async with contextlib.aclosing(channel.state_delta(0, 0)) as stream:
        async for _ in stream:
            pass


@pytest.mark.parametrize("garbage", GARBAGE)
def test_an_answer_that_cannot_be_parsed_is_an_error(garbage):
    async def ask():
        async with answering(unary=GARBAGE[garbage]) as channel:
            with pytest.raises(LightningGrpcError, match=r"^root\.w"):
                await channel.describe(DEADLINE_S)

    in_time(ask())


@pytest.mark.parametrize("frame", FRAMES)
def test_a_frame_that_means_nothing_is_an_error(frame):
    async def ask():
        async with answering(stream=[FRAMES[frame]]) as channel:
            with pytest.raises(LightningGrpcError):
                await follow(channel)

    in_time(ask())


def test_a_frame_nested_too_deep_is_an_error():
    async def ask():
        async with answering(stream=[nested(20_000)]) as channel:
            with pytest.raises(LightningGrpcError):
                await follow(channel)

    in_time(ask())


@pytest.mark.slow
def test_a_frame_whose_parts_never_end_is_given_up():
    part = work_pb.StateDeltaResponse(chunk=work_pb.Chunk(data=bytes(3 << 20))).SerializeToString()

    async def ask():
        async with answering(stream=[part], repeat=0) as channel:
            with pytest.raises(ProtocolError, match=f"a frame of more than {MAX_FRAME_BYTES >> 20} MiB"):
                await follow(channel)

    in_time(ask())


@pytest.mark.parametrize("status", [b"\xff" * 20, b"\x1a\x02\x0a\x7f", bytes(5)])
def test_details_of_an_error_that_are_garbled_do_not_hide_the_error(status):
    async def ask():
        async with answering(status=status) as channel:
            with pytest.raises(ProtocolError, match=r"root\.w: no \(INTERNAL\)"):
                await channel.describe(DEADLINE_S)

    in_time(ask())


def test_a_server_of_another_major_version_is_told():
    answer = work_pb.DescribeResponse(protocol_version=work_pb.ProtocolVersion(major=2**32 - 1)).SerializeToString()

    async def ask():
        async with answering(unary=answer) as channel:
            with pytest.raises(ProtocolError, match=r"speaks protocol 4294967295\.0"):
                await channel.describe(DEADLINE_S)

    in_time(ask())

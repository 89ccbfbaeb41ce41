"""A server that ends waits until its streams have ended, so that everybody reads their end."""

from __future__ import annotations

import asyncio
import contextlib

import grpc

from lightning_grpc.wire.open_streams import OpenStreams
from lightning_grpc.wire.server import Server

DEADLINE_S = 30


class Streaming:
    """A server with one stream, which says "hello" and, when it is told to end, "goodbye"."""

    def __init__(self):
        self.streams = OpenStreams()
        self.may_end = asyncio.Event()

    async def talk(self, request, context):
        self.streams.opened(context)
        yield b"hello"
        await self.may_end.wait()
        yield b"goodbye"

    @contextlib.asynccontextmanager
    async def serving(self, directory):
        handlers = {"Talk": grpc.unary_stream_rpc_method_handler(self.talk, bytes, bytes)}
        server = Server([grpc.method_handlers_generic_handler("test.Talker", handlers)], ["test.Talker"], None)
        address = await server.start(f"unix:{directory}/socket")
        async with grpc.aio.insecure_channel(address) as channel:
            yield server, channel.unary_stream("/test.Talker/Talk", bytes, bytes)
        await server.stop(0)


def test_a_server_without_streams_waits_for_nothing():
    async def check():
        await OpenStreams().ended(DEADLINE_S)

    asyncio.run(asyncio.wait_for(check(), DEADLINE_S / 2))


def test_a_stream_that_goes_on_is_waited_for_and_not_for_ever(tmp_path):
    async def check():
        streaming = Streaming()
        async with streaming.serving(tmp_path) as (_, talk):
            call, other = talk(b"", timeout=DEADLINE_S), talk(b"", timeout=DEADLINE_S)
            assert (await call.read(), await other.read()) == (b"hello", b"hello")
            waiting = asyncio.create_task(streaming.streams.ended(DEADLINE_S))
            other.cancel()
            await streaming.streams.ended(0.2)
            assert not (await asyncio.wait([waiting], timeout=0.3))[0]
            streaming.may_end.set()
            await waiting
            assert await call.read() == b"goodbye"
            assert await call.read() is grpc.aio.EOF

    asyncio.run(check())


def test_whoever_has_left_is_not_waited_for(tmp_path):
    async def check():
        streaming = Streaming()
        async with streaming.serving(tmp_path) as (_, talk):
            call = talk(b"", timeout=DEADLINE_S)
            assert await call.read() == b"hello"
            call.cancel()
            await asyncio.wait_for(streaming.streams.ended(DEADLINE_S), DEADLINE_S / 2)

    asyncio.run(check())


def test_all_who_listen_when_a_server_ends_read_the_end(tmp_path):
    async def check():
        streaming = Streaming()
        async with streaming.serving(tmp_path) as (server, talk):
            calls = [talk(b"", timeout=DEADLINE_S) for _ in range(50)]
            for call in calls:
                assert await call.read() == b"hello"
            streaming.may_end.set()
            await streaming.streams.ended(DEADLINE_S)
            await server.stop(DEADLINE_S)
            for call in calls:
                assert [await call.read(), await call.read()] == [b"goodbye", grpc.aio.EOF]

    asyncio.run(check())

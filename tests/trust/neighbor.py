"""A well-behaved client of a server that others try to harm, and calls made of raw bytes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import uuid
from dataclasses import dataclass

import grpc

from lightning_grpc.state.delta import apply
from lightning_grpc.state.subscription import Accepted, Delta, Snapshot, Subscription
from lightning_grpc.wire.auth import credentials
from lightning_grpc.wire.client import WorkChannel
from lightning_grpc.wire.status import facts_of

DEADLINE_S = 40
WORK = "/lightning_grpc.v1.WorkService"


class Neighbor:
    """Follows an Echo on one stream, calls it now and then, and must notice nothing of what others do.

    An asynchronous context manager, which finds the server well when it begins and when it ends, on the connection of
    the beginning and on a new one.
    """

    def __init__(self, guarded):
        self._guarded = guarded
        self._numbers = itertools.count(1)
        self._changed = asyncio.Event()
        self.document = None

    async def __aenter__(self):
        self.channel = self._connect()
        self._epoch = (await self.channel.describe()).epoch
        self._following = asyncio.create_task(self._follow(), name="a neighbor follows")
        await self.is_served()
        return self

    async def __aexit__(self, kind, *_):
        try:
            if kind is None:
                await self.is_served()
                assert not self._following.done(), "the stream of the neighbor has ended"
                await self.is_served(fresh=True)
        finally:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following
            await self.channel.close()

    async def is_served(self, *, fresh=False):
        """Have something executed, and see the effect on the stream; `fresh`: ask for it on a new connection."""
        marker = f"{id(self)}-{next(self._numbers)}"
        channel = self._connect() if fresh else self.channel
        try:
            await channel.run(uuid.uuid4().hex, "neighbor", (marker,), {}, {}, deadline_s=DEADLINE_S)
        finally:
            if fresh:
                await channel.close()
        await self.sees(lambda document: document["vars"]["args"] == [marker])

    async def sees(self, condition):
        """Wait until a condition holds for the document."""
        async with asyncio.timeout(DEADLINE_S):
            while self.document is None or not condition(self.document):
                assert not self._following.done(), "the stream of the neighbor has ended"
                self._changed.clear()
                await self._changed.wait()

    def _connect(self):
        work = getattr(self._guarded, "work", "")
        return WorkChannel(self._guarded.address, "the Work", self._guarded.token, tls=self._guarded.tls, work=work)

    async def _follow(self):
        subscription = Subscription(self._epoch)
        try:
            async with contextlib.aclosing(self.channel.state_delta(self._epoch, subscription.opened())) as stream:
                async for frames in stream:
                    for frame in frames:
                        assert isinstance(subscription.receive(frame), Accepted)
                        if isinstance(frame, Snapshot):
                            self.document = frame.document
                        elif isinstance(frame, Delta):
                            apply(self.document, frame.changes)
                    self._changed.set()
        finally:
            self._changed.set()


@dataclass(frozen=True)
class Answer:
    """How a call has ended."""

    code: grpc.StatusCode
    reason: str = ""
    details: str = ""
    data: bytes = b""


async def call(channel, method, request=b"", metadata=(), *, deadline_s=DEADLINE_S, compression=None):
    """Make a unary call, or a stream's first message, of raw bytes."""
    try:
        if method.rpartition("/")[2] in ("StateDelta", "Logs", "Watch", "WatchState", "GetState", "StreamLogs"):
            stream = channel.unary_stream(method)(request, metadata=metadata, timeout=deadline_s)
            try:
                return Answer(grpc.StatusCode.OK, data=await stream.read())
            finally:
                stream.cancel()
        data = await channel.unary_unary(method)(
            request, metadata=metadata, timeout=deadline_s, compression=compression
        )
        return Answer(grpc.StatusCode.OK, data=data)
    except grpc.RpcError as error:
        return Answer(error.code(), facts_of(error)[0], error.details() or "")


@contextlib.asynccontextmanager
async def raw_channel(guarded, *, tls=None):
    """A connection as any other program would make one, without the limits that this package sets itself."""
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    tls = tls or guarded.tls
    if tls is None:
        channel = grpc.aio.insecure_channel(guarded.address, options=options)
    else:
        channel = grpc.aio.secure_channel(guarded.address, tls.load(), options=[*options, *tls.options])
    async with channel:
        yield channel


def bearer(guarded):
    """The metadata of somebody who may come in."""
    return credentials(guarded.token, guarded.work)


def in_time(coroutine, deadline_s=DEADLINE_S):
    """Run a coroutine with a deadline."""

    async def run():
        async with asyncio.timeout(deadline_s):
            return await coroutine

    return asyncio.run(run())

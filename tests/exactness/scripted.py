"""A Work that is no process of this package: a gRPC server that sends exactly the frames a test has written down."""

from __future__ import annotations

import asyncio
import tempfile

import grpc

from lightning_grpc.runtimes.base import Exit, WorkHandle
from lightning_grpc.state.delta import Set
from lightning_grpc.state.digest import digest
from lightning_grpc.wire import codec
from lightning_grpc.wire.options import SERVER_OPTIONS
from lightning_grpc.wire.protocol import WORK_SERVICE, work_pb

EPOCH = 1000


def document(number):
    """The document of the scripted Work: at revision r, `number` is r."""
    return {"vars": {"number": number}, "calls": {"latest_call_hash": None}}


def snapshot(revision, *, epoch=EPOCH, number=None):
    return codec.frame_snapshot(epoch, revision, document(revision if number is None else number))


def deltas(*revisions, epoch=EPOCH, path=("vars", "number")):
    frames = [codec.encode_delta(revision, [Set(path, revision)]) for revision in revisions]
    return codec.frame_deltas(epoch, frames)


def bookmark(revision, *, epoch=EPOCH, number=None):
    return codec.frame_bookmark(epoch, revision, digest(document(revision if number is None else number)))


class ScriptedRuntime:
    """Starts, for a Work, a server that plays one script per stream; the last one is played again for later streams.

    Args:
        scripts: Each a list of frames, sent one after the other; the stream then stays open, unless the last
            item is None, which ends it.

    Attributes:
        asked: Epoch and revision of every `StateDelta`, in order.
    """

    token = None

    def __init__(self, *scripts, chunks=lambda frame: [frame]):
        self.scripts = scripts
        self.chunks = chunks
        self.asked = []

    def pack(self, work):
        return b""

    async def start(self, name, package):
        self.exited = asyncio.get_running_loop().create_future()
        self.directory = tempfile.TemporaryDirectory(prefix="scripted-")
        self.server = grpc.aio.server(options=SERVER_OPTIONS)
        handler = grpc.unary_stream_rpc_method_handler(self.stream, work_pb.StateDeltaRequest.FromString, bytes)
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(WORK_SERVICE, {"StateDelta": handler}),)
        )
        address = f"unix:{self.directory.name}/socket"
        self.server.add_insecure_port(address)
        await self.server.start()
        return WorkHandle(address, EPOCH, None, self.exited)

    async def stream(self, request, context):
        script = self.scripts[min(len(self.asked), len(self.scripts) - 1)]
        self.asked.append((request.epoch, request.after_revision))
        for frame in script:
            if frame is None:
                return
            for message in self.chunks(frame):
                yield message
        await asyncio.Event().wait()

    async def signal(self, handle, signum):
        if not self.exited.done():
            self.exited.set_result(Exit(-signum))

    async def close(self):
        await self.server.stop(None)
        self.directory.cleanup()

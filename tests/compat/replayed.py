"""A Work of another time: a server that answers with recorded bytes, whatever the code of now makes of messages."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from lightning_grpc.runtimes.base import Exit, WorkHandle
from lightning_grpc.wire.options import SERVER_OPTIONS
from lightning_grpc.wire.protocol import WORK_SERVICE

HERE = Path(__file__).parent
RELEASED = HERE.parents[1] / "protos" / "released"
UNKNOWN_FIELD = b"\xaa\x3f\x03new"  # field 1013, which no message has
UNKNOWN_FRAME = UNKNOWN_FIELD
UNKNOWN_IN_DELTAS = b"\x12" + bytes([len(UNKNOWN_FIELD)]) + UNKNOWN_FIELD  # is merged into a DeltaBatch


class Release:
    """A release of the protocol: its messages, from the committed image, and the conversation that was recorded.

    Attributes:
        epoch: Of the recorded Work.
        calls: What was said, in order.
    """

    def __init__(self, version):
        files = descriptor_pb2.FileDescriptorSet.FromString((RELEASED / f"v{version}.binpb").read_bytes())
        self._pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            self._pool.Add(file)
        recorded = json.loads((HERE / f"v{version}.json").read_text(encoding="utf-8"))
        assert recorded["protocol"] == version
        self.epoch = int(recorded["epoch"])
        self.calls = recorded["calls"]

    def message(self, name, data):
        """Return a message as a peer of the release reads it: what it does not know is gone."""
        message = message_factory.GetMessageClass(self._pool.FindMessageTypeByName(f"lightning_grpc.v1.{name}"))
        read = message.FromString(data)
        read.DiscardUnknownFields()
        return read

    def answer(self, what):
        """Return the recorded messages of a call's answer, by what it was made for."""
        return [bytes.fromhex(each) for call in self.calls if call["what"] == what for each in call["answer"]]


class ReplayedRuntime:
    """Starts, for a Work, a server that answers as a Work of a release did.

    Args:
        release: Whose recording is played.
        parts: The messages of the state's stream, in groups: the first is sent at once, each of the others when another
            execution is asked for, and what is left at Stop.
        version: Bytes that are put behind the recorded description, and so overwrite its version.
        is_newer: Whether fields and frames that nobody knows are mixed in, as a later release might.

    Attributes:
        asked: The requests that came: method and bytes.
    """

    token = None

    def __init__(self, release, parts, *, version=b"", is_newer=False):
        self._release = release
        self._parts = parts
        self._extra = version + (UNKNOWN_FIELD if is_newer else b"")
        self._is_newer = is_newer
        self._turns = 0
        self._turned = asyncio.Event()
        self.asked = []

    def pack(self, work):
        return b""

    async def start(self, name, package):
        self.exited = asyncio.get_running_loop().create_future()
        self._directory = tempfile.TemporaryDirectory(prefix="replayed-")
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        handlers = {
            "Describe": unary(self._describe),
            "Run": unary(self._run),
            "Stop": unary(self._stop),
            "StateDelta": stream(self._state_delta),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(WORK_SERVICE, handlers),))
        address = f"unix:{self._directory.name}/socket"
        self._server.add_insecure_port(address)
        await self._server.start()
        return WorkHandle(address, self._release.epoch, None, self.exited)

    async def _describe(self, request, context):
        self.asked.append(("Describe", request))
        return self._release.answer("who it is")[0] + self._extra

    async def _run(self, request, context):
        self.asked.append(("Run", request))
        self._turn()
        return self._release.answer("a run")[0] + self._extra

    async def _stop(self, request, context):
        self.asked.append(("Stop", request))
        while self._turns < len(self._parts):
            self._turn()
        return self._release.answer("the end")[0] + self._extra

    def _turn(self):
        self._turns += 1
        self._turned.set()

    async def _state_delta(self, request, context):
        self.asked.append(("StateDelta", request))
        for number, part in enumerate(self._parts):
            while self._turns < number:
                self._turned.clear()
                await self._turned.wait()
            for message in part:
                for each in self._as_newer(message) if self._is_newer else [message]:
                    yield self._with_ids_of_now(each)
        while self._turns < len(self._parts):
            self._turned.clear()
            await self._turned.wait()
        if not self.exited.done():
            self.exited.set_result(Exit(0))

    def _as_newer(self, message):
        yield UNKNOWN_FRAME
        yield message + UNKNOWN_FIELD + (UNKNOWN_IN_DELTAS if message[0] == 0x12 else b"")

    def _with_ids_of_now(self, data):
        """Name the executions as this client does; the release's messages keep what they do not know."""
        ids = {}
        for number, request in enumerate((data for method, data in self.asked if method == "Run"), 1):
            ids[str(number)] = self._release.message("RunRequest", request).call_id
        message = type(self._release.message("StateDeltaResponse", b"")).FromString(data)
        _rename(message, ids)
        return message.SerializeToString()

    async def signal(self, handle, signum):
        if not self.exited.done():
            self.exited.set_result(Exit(-signum))

    async def close(self):
        await self._server.stop(None)
        self._directory.cleanup()


def _rename(message, ids):
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for each in [value] if isinstance(value, Message) else value:
            if field.message_type.name == "Mapping":
                for key, item in zip(each.keys, each.values, strict=True):
                    if key.text == "call_id" and item.text_value in ids:
                        item.text_value = ids[item.text_value]
            _rename(each, ids)

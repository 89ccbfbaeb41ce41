"""Records a conversation with a Work, byte by byte: what a client of a release asks, and what its Work answers.

It is run with the code of the release, from a clone of it, and writes what is committed beside this file::

    git worktree add /tmp/release v0.1.0
    cd /tmp/release && PYTHONPATH=. python CLONE/tests/compat/record.py CLONE/tests/compat/v1.0.json

A recording is made once and never changed. Each call in it has its request, the messages of its answer, and its status:
code, and reason if it was refused. Bytes are in hexadecimal.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from pathlib import Path

import grpc
from google.rpc import error_details_pb2, status_pb2

from lightning_grpc.components.calls import call_hash
from lightning_grpc.runtimes.local import LocalRuntime
from lightning_grpc.wire.codec import FrameReader, encode_value
from lightning_grpc.wire.protocol import PROTOCOL_MAJOR, PROTOCOL_MINOR, WORK_SERVICE, work_pb

DEADLINE_S = 30
WORK_NAME = "root.w"
CALL_ID = "1"
ARGS = (5,)
FAILING = ("2", (2,), {"fail": True})


def new_work():
    """The Work, of the class beside this file."""
    path = Path(__file__).with_name("recorded_work.py")
    spec = importlib.util.spec_from_file_location("recorded_work", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["recorded_work"] = module
    spec.loader.exec_module(module)
    return module.Recorded()


def run_request(call_id, args, kwargs, **fields):
    """A request for an execution, as a coordinator makes it."""
    return work_pb.RunRequest(
        call_id=call_id,
        call_hash=call_hash(args, kwargs),
        args=map(encode_value, args),
        kwargs={name: encode_value(value) for name, value in kwargs.items()},
        requested_at_s=1764489600.0,
        **fields,
    )


class Recorder:
    """Makes calls of bytes and notes what is said."""

    def __init__(self, address, token):
        self._channel = grpc.aio.insecure_channel(address)
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._heard = asyncio.Event()
        self.calls = []

    async def until(self, condition):
        """Wait until the streams have told of something."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._heard.clear()
                await self._heard.wait()

    async def ask(self, what, method, request):
        """Make a unary call."""
        call = self._channel.unary_unary(f"/{WORK_SERVICE}/{method}")(
            request.SerializeToString(), metadata=self._metadata, timeout=DEADLINE_S
        )
        noted = self._note(what, method, request)
        try:
            noted["answer"].append((await call).hex())
        except grpc.aio.AioRpcError as error:
            noted["code"], noted["reason"] = error.code().name, reason_of(error)
        return noted

    async def follow(self, what, request, until):
        """Read a stream until its messages fulfil a condition, or to its end if there is none."""
        call = self._channel.unary_stream(f"/{WORK_SERVICE}/StateDelta")(
            request.SerializeToString(), metadata=self._metadata, timeout=DEADLINE_S
        )
        noted = self._note(what, "StateDelta", request)
        while (message := await call.read()) is not grpc.aio.EOF:
            noted["answer"].append(message.hex())
            self._heard.set()
            if until(noted["answer"]):
                call.cancel()
                return noted
        noted["code"] = (await call.code()).name
        return noted

    def _note(self, what, method, request):
        noted = {
            "what": what,
            "method": method,
            "request": request.SerializeToString().hex(),
            "code": "OK",
            "answer": [],
        }
        self.calls.append(noted)
        return noted

    async def close(self):
        """End the connection."""
        await self._channel.close()


def reason_of(error):
    """The reason of a refusal."""
    details = dict(iter(error.trailing_metadata())).get("grpc-status-details-bin", b"")
    for detail in status_pb2.Status.FromString(details).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return ""


def proven(messages):
    """Whether the newest message is a bookmark with a digest."""
    message = work_pb.StateDeltaResponse.FromString(bytes.fromhex(messages[-1]))
    return message.WhichOneof("frame") == "bookmark" and message.bookmark.HasField("digest")


def stage(messages, key):
    """The newest stage of a call that the messages of a stream tell of."""
    reader, found = FrameReader(), ""
    for each in messages:
        for frame in reader.read_bytes(bytes.fromhex(each)):
            for change in getattr(frame, "changes", ()):
                if change.path == ("calls", key) and hasattr(change, "value"):
                    found = change.value["statuses"][-1]["stage"]
                elif change.path[:2] == ("calls", key) and hasattr(change, "items"):
                    found = change.items[-1]["stage"] if change.path[2:] == ("statuses",) and change.items else found
    return found


async def converse(address, token, epoch):
    """Hold the conversation; returns the calls."""
    recorder = Recorder(address, token)
    failing_id, args, kwargs = FAILING
    try:
        await recorder.ask("who it is", "Describe", work_pb.DescribeRequest())
        subscribe = work_pb.StateDeltaRequest(epoch=epoch)
        followed = asyncio.create_task(recorder.follow("all of its state", subscribe, lambda _: False))
        await recorder.until(lambda: recorder.calls[1:] and recorder.calls[1]["answer"])
        messages = recorder.calls[1]["answer"]
        rate = {"rate": encode_value(0.25)}
        await recorder.ask("a run", "Run", run_request(CALL_ID, ARGS, {}, attributes=rate, epoch=epoch))
        await recorder.until(lambda: stage(messages, call_hash(ARGS, {})) == "succeeded")
        await recorder.ask("the same again", "Run", run_request(CALL_ID, ARGS, {}, attributes=rate, epoch=epoch))
        await recorder.ask("a run that fails", "Run", run_request(failing_id, args, kwargs))
        await recorder.until(lambda: stage(messages, call_hash(args, kwargs)) == "failed")
        await recorder.until(lambda: proven(messages))
        await refusals(recorder, epoch)
        first = work_pb.StateDeltaResponse.FromString(bytes.fromhex(messages[0])).snapshot.revision
        resumed = work_pb.StateDeltaRequest(epoch=epoch, after_revision=first)
        await recorder.follow(
            "what came after the snapshot", resumed, lambda messages: len(messages) > 1 and proven(messages)
        )
        update = work_pb.AttributeUpdate(name="counter", value=encode_value(70), base_revision=1_000)
        await recorder.ask("an update", "Update", work_pb.UpdateRequest(updates=[update], epoch=epoch))
        await recorder.ask("the end", "Stop", work_pb.StopRequest(grace_s=3.0, reason="that was all"))
        await followed
    finally:
        await recorder.close()
    return recorder.calls


async def refusals(recorder, epoch):
    """Ask for what is refused."""
    await recorder.ask("another epoch", "Run", run_request("3", (1,), {}, epoch=epoch + 1))
    await recorder.ask("no name", "Run", work_pb.RunRequest(call_hash="x"))
    wrong = {"nothing": encode_value(1)}
    await recorder.ask("no such attribute", "Run", run_request("4", (1,), {}, attributes=wrong))
    update = work_pb.AttributeUpdate(name="nothing", value=encode_value(1))
    await recorder.ask("no such attribute", "Update", work_pb.UpdateRequest(updates=[update]))


async def conversation():
    """Start the Work and hold the conversation; returns the epoch and the calls."""
    runtime = LocalRuntime()
    try:
        handle = await runtime.start(WORK_NAME, runtime.pack(new_work()))
        return handle.epoch, await converse(handle.address, runtime.token, handle.epoch)
    finally:
        await runtime.close()


if __name__ == "__main__":
    own_epoch, calls = asyncio.run(conversation())
    told = {"protocol": f"{PROTOCOL_MAJOR}.{PROTOCOL_MINOR}", "epoch": str(own_epoch), "calls": calls}
    Path(sys.argv[1]).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")

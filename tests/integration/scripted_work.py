"""A Work written without the package's server, right in all respects but the one it is told to be wrong in."""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from lightning_grpc.errors import LightningGrpcError
from lightning_grpc.state.delta import Set, apply
from lightning_grpc.state.digest import digest
from lightning_grpc.state.values import copy, describe_type, validate
from lightning_grpc.wire import codec
from lightning_grpc.wire.protocol import WORK_SERVICE, work_pb

BEAT_S = 0.05
UNKNOWN_FIELD = b"\xfa\xff\x01\x03abc"
HUGE = 1 << 30
TRIES = 4
"""How often gRPC makes a call by itself."""
meant = set()
"""The names of the Works that unary calls were meant for; None for those that named none."""


class Refused(Exception):
    def __init__(self, code, reason, message=""):
        super().__init__(message)
        self.code, self.reason = code, reason


class ScriptedWork(grpc.GenericRpcHandler):
    """Counts how often it has run; `run(n=1, fail=False)` takes no time. `wrong` says what it does wrong."""

    def __init__(self, wrong=""):
        self.wrong = wrong
        self.epoch = time.time_ns()
        self.document = {"vars": {"count": 0, "anything": None}, "calls": {"latest_call_hash": None}}
        if wrong == "a section too many":
            self.document["more"] = {}
        self.revision = 1
        self.log = []  # (revision, changes)
        self.changed = asyncio.Condition()
        self.orders = []
        self.known = {}
        self.final = {}
        self.open_streams = 0
        self.descriptions = 0
        self.drops_next = False
        self.refusals_left = TRIES if wrong == "ends and comes back" else 0
        self.stopped = asyncio.Event()
        self.ending = False

    # how it is served

    def service(self, details):
        service, _, method = details.method.strip("/").rpartition("/")
        if service != WORK_SERVICE:
            return None
        unary = {"Describe": self.describe, "Run": self.run, "Update": self.update, "Stop": self.stop}
        if method in unary:
            return grpc.unary_unary_rpc_method_handler(self.guarded(unary[method]))
        if method == "StateDelta":
            return grpc.unary_stream_rpc_method_handler(self.state_delta)
        if method == "Logs":
            return grpc.unary_stream_rpc_method_handler(self.logs)
        if self.wrong == "answers any method":
            return grpc.unary_unary_rpc_method_handler(self.anything)
        return None

    def guarded(self, method):
        async def answer(data, context):
            meant.add(dict(context.invocation_metadata()).get("work-name"))
            try:
                return (await method(data)).SerializeToString()
            except Refused as refused:
                await self.refuse(context, refused)

        return answer

    async def refuse(self, context, refused):
        metadata = ()
        if self.wrong != "gives no reasons":
            status = status_pb2.Status(code=refused.code.value[0], message=str(refused))
            info = error_details_pb2.ErrorInfo(reason=refused.reason, domain="lightning_grpc")
            status.details.add().Pack(info)
            metadata = (("grpc-status-details-bin", status.SerializeToString()),)
        await context.abort(refused.code, str(refused), metadata)

    def parse(self, kind, data):
        if self.wrong == "refuses unknown fields" and UNKNOWN_FIELD in data:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_INVALID", "an unknown field")
        try:
            return kind.FromString(data)
        except DecodeError as error:
            if self.wrong == "fails at garbage" and len(data) < 100:
                raise
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_INVALID", str(error)) from None

    async def anything(self, data, context):
        return b""

    def check_epoch(self, given, tolerant):
        if given not in (0, self.epoch) and not tolerant:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "EPOCH_MISMATCH", "another epoch")

    # who it is

    async def describe(self, data):
        self.parse(work_pb.DescribeRequest, data)
        self.descriptions += 1
        names = [name for name in self.document["vars"] if self.wrong != "hides an attribute" or name != "count"]
        moody = self.wrong == "changes its class" and self.descriptions % 2
        return work_pb.DescribeResponse(
            name="" if self.wrong == "has no name" else "scripted",
            class_name="Other" if moody else "Scripted",
            epoch=self.epoch,
            protocol_version=work_pb.ProtocolVersion(major=2 if self.wrong == "speaks protocol 2" else 1, minor=1),
            attributes=[
                work_pb.Attribute(name=name, type=describe_type(self.document["vars"][name])) for name in names
            ],
            run_signature="(n=1, fail=False)",
            revision=self.revision,
            implementation="scripted 1",
        )

    # its executions

    async def run(self, data):
        request = self.parse(work_pb.RunRequest, data)
        self.check_epoch(request.epoch, self.wrong == "runs for any epoch")
        if not (request.call_id and request.call_hash):
            if self.wrong == "runs calls without a name":
                return work_pb.RunResponse()
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "CALL_UNNAMED", "call_id or call_hash is empty")
        if self.refusals_left:
            self.refusals_left -= 1
            if not self.refusals_left:
                self.epoch = time.time_ns()
            raise Refused(grpc.StatusCode.UNAVAILABLE, "STOPPING", "it is ending")
        known = request.call_id in self.known
        if not known or self.wrong == "runs twice":
            self.orders.append(self.order(request))
        self.known[request.call_id] = None
        final = self.final.get(request.call_id) if known and self.wrong != "tells no final status" else None
        return work_pb.RunResponse(
            already_known=known and self.wrong != "does not tell what it knows",
            final_status=codec.encode_value(final) if final is not None else None,
        )

    def order(self, request):
        try:
            args = [codec.decode_value(value) for value in request.args]
            kwargs = {name: codec.decode_value(value) for name, value in request.kwargs.items()}
            attributes = {name: codec.decode_value(value) for name, value in request.attributes.items()}
        except LightningGrpcError as error:
            if self.wrong == "dies of unknown kinds":
                raise RuntimeError from error
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID", str(error)) from None
        unknown = attributes.keys() - self.document["vars"].keys()
        try:
            for value in args:
                validate(value)
            if unknown and self.wrong != "takes any attribute":
                raise LightningGrpcError("no such attribute")
        except LightningGrpcError as error:
            if self.wrong != "takes any depth" or unknown:
                raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID", str(error)) from None
            args = []
        for name in unknown:
            del attributes[name]
        if self.wrong == "makes floats of numbers":
            attributes = {name: as_floats(value) for name, value in attributes.items()}
        return request.call_hash, request.call_id, args, kwargs, attributes, request.caller

    async def work_off(self):
        while True:
            await asyncio.sleep(0.001)
            if self.orders and self.wrong == "runs in any order":
                if not self.waits_for_more():
                    await self.execute(*self.orders.pop())
            elif self.orders:
                await self.execute(*self.orders.pop(0))

    def waits_for_more(self):
        """Whether the first of those that are to be made in order is alone: there is no order to be wrong in."""
        return "in-order" in self.orders[0][1] and sum("in-order" in call_id for call_id in self.known) < 2

    async def execute(self, call_hash, call_id, args, kwargs, attributes, caller):
        if self.drops_next:
            self.drops_next = False
            return
        before = self.document["calls"].get(call_hash, {})
        entry = {"name": "run", "call_id": call_id, "successes": before.get("successes", 0)}
        if caller and self.wrong != "hides the caller":
            entry["caller"] = caller
        if self.wrong == "counts no successes":
            del entry["successes"]
        statuses = [] if self.wrong == "skips pending" else [status("pending")]
        statuses.append(status("running"))
        for name, value in attributes.items():
            self.change(Set(("vars", name), value))
        calls = ("calls", call_hash), ("calls", "latest_call_hash")
        self.change(Set(calls[0], {**entry, "statuses": statuses}), Set(calls[1], call_hash))
        last = self.outcome(args, kwargs)
        entry["statuses"] = [*statuses, last]
        if last["stage"] == "succeeded":
            entry["ret"] = None
            if "successes" in entry:
                entry["successes"] += 1
        self.change(Set(("vars", "count"), self.document["vars"]["count"] + 1), Set(calls[0], entry))
        self.final[call_id] = last
        async with self.changed:
            self.changed.notify_all()

    def outcome(self, args, kwargs):
        try:
            if kwargs.get("fail"):
                self.drops_next = self.wrong == "drops what comes after a failure"
                raise ValueError("as asked")
            if kwargs.keys() - {"n", "fail"} and self.wrong != "takes any argument":
                raise TypeError("no such argument")
            if self.wrong == "never succeeds":
                raise RuntimeError("never")
        except Exception as error:
            failed = status("failed", reason="user_exception", exception=type(error).__name__)
            if self.wrong != "fails without a message":
                failed["message"] = traceback.format_exc()
            return failed
        return status("succeeded")

    def change(self, *changes):
        self.revision += 1
        apply(self.document, changes)
        self.log.append((self.revision, copy_changes(changes)))

    # its state

    async def state_delta(self, data, context):
        try:
            request = self.parse(work_pb.StateDeltaRequest, data)
            self.check_epoch(request.epoch, self.wrong == "streams any epoch")
        except Refused as refused:
            await self.refuse(context, refused)
        self.open_streams += 1
        number = self.open_streams
        try:
            async for frame in self.frames(request.after_revision, number):
                for message in [frame] if self.wrong == "sends no parts" else codec.chunked(frame):
                    yield message
            if self.wrong == "cuts its streams off":
                await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        finally:
            self.open_streams -= 1

    async def frames(self, after, number):
        at = after
        is_new = True
        if self.wrong == "begins with a bookmark" and after == 0:
            yield codec.frame_bookmark(self.epoch, self.revision, None)
        while True:
            pending = self.since(at, is_new)
            if pending is None:
                at = self.revision
                yield codec.frame_snapshot(self.epoch, at, self.document)
            elif pending:
                at = self.revision
                yield self.batch(pending, after, number)
            elif self.ending:
                return
            else:
                await self.wait_for_more(at)
                if self.revision == at and not self.ending and self.wrong != "sends no bookmarks":
                    yield self.bookmark(at)
            is_new = False

    async def wait_for_more(self, at):
        with contextlib.suppress(TimeoutError):
            async with self.changed, asyncio.timeout(BEAT_S):
                await self.changed.wait_for(lambda: self.ending or self.revision > at)

    def since(self, at, is_new):
        """The changes after a revision; None if there shall be a snapshot."""
        if at == 0:
            return None
        if is_new and at == self.revision and self.wrong == "resumes with a snapshot":
            return None
        if is_new and at == 1 and self.wrong == "skips what is old":
            return [each for each in self.log if each[0] > 5]
        if at > self.revision:
            return [] if self.wrong == "waits for the future" else None
        pending = [each for each in self.log if each[0] > at]
        if is_new and at > 1 and self.wrong == "resumes too late":
            return pending[1:]
        return pending

    def batch(self, pending, after, number):
        epoch = self.epoch + (self.wrong == "names another epoch")
        if self.wrong == "leaves revisions out" and after == 0:
            pending = [(pending[-1][0], [change for _, changes in pending for change in changes])]
        if self.wrong == "tells each something else" and number >= 3:
            pending = [(revision, [*changes, Set(("vars", "count"), -1)]) for revision, changes in pending]
        return codec.frame_deltas(epoch, [codec.encode_delta(*each) for each in pending])

    def bookmark(self, at):
        proof = digest(self.document) + (self.wrong == "tells wrong digests")
        if self.wrong == "tells no digests":
            proof = None
        return codec.frame_bookmark(self.epoch, at + (self.wrong == "bookmarks another revision"), proof)

    # the rest

    async def update(self, data):
        request = self.parse(work_pb.UpdateRequest, data)
        if self.wrong == "takes updates unasked":
            return work_pb.UpdateResponse(revision=self.revision)
        self.check_epoch(request.epoch, tolerant=False)
        raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "UPDATES_NOT_RECEIVED", "takes none")

    async def logs(self, data, context):
        try:
            request = self.parse(work_pb.LogsRequest, data)
        except Refused as refused:
            await self.refuse(context, refused)
        line = work_pb.LogLine(component="scripted", kind="stdout", at_s=time.time(), text="hello")
        yield work_pb.LogsResponse(lines=[line]).SerializeToString()
        if request.follow or self.wrong == "never ends its logs":
            await self.stopped.wait()

    async def stop(self, data):
        self.parse(work_pb.StopRequest, data)
        self.ending = True
        async with self.changed:
            self.changed.notify_all()
        self.stopped.set()
        return work_pb.StopResponse()


def status(stage, **more):
    return {"stage": stage, "timestamp": time.time(), **more}


def as_floats(value):
    if type(value) is list:
        return [as_floats(item) for item in value]
    return float(value) if type(value) is int and abs(value) < 2**62 else value


def copy_changes(changes):
    return [Set(change.path, copy(change.value)) for change in changes]


@contextlib.asynccontextmanager
async def scripted(directory, wrong="", number=0):
    """Serve one; yields its address."""
    limit = {"takes no large messages": 4 << 20, "takes messages of any size": HUGE}.get(wrong, 64 << 20)
    options = [("grpc.max_receive_message_length", limit), ("grpc.max_send_message_length", limit)]
    server = grpc.aio.server(options=options)
    work = ScriptedWork(wrong)
    server.add_generic_rpc_handlers((work,))
    healths = health.aio.HealthServicer()
    for service in ("", WORK_SERVICE):
        state = "NOT_SERVING" if wrong == "is not healthy" else "SERVING"
        await healths.set(service, health_pb2.HealthCheckResponse.ServingStatus.Value(state))
    health_pb2_grpc.add_HealthServicer_to_server(healths, server)
    if wrong != "has no reflection":
        reflection.enable_server_reflection([WORK_SERVICE, reflection.SERVICE_NAME], server)
    address = f"unix:{directory}/work-{number}.sock"
    server.add_insecure_port(address)
    await server.start()

    async def end():
        await work.stopped.wait()
        while work.open_streams:  # noqa: ASYNC110 - a test's server
            await asyncio.sleep(0.005)
        await server.stop(None)

    tasks = [asyncio.create_task(work.work_off()), asyncio.create_task(end())]
    try:
        yield address
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.stop(None)

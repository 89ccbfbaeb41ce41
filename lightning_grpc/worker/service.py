"""WorkService: what a Work's process answers."""

from __future__ import annotations

import contextlib
import inspect
import queue
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import grpc

from lightning_grpc.components.work import LightningWork
from lightning_grpc.state.values import describe_type
from lightning_grpc.version import __version__
from lightning_grpc.wire.codec import encode_value
from lightning_grpc.wire.logs import encode_lines
from lightning_grpc.wire.open_streams import OpenStreams
from lightning_grpc.wire.protocol import PROTOCOL_MAJOR, PROTOCOL_MINOR, WORK_SERVICE, work_pb
from lightning_grpc.wire.requests import FieldReader
from lightning_grpc.wire.status import RETRY_AFTER_S, Context, abort, abort_invalid, check_epoch
from lightning_grpc.wire.work_names import OneWork
from lightning_grpc.worker.orders import check_seconds, read_order
from lightning_grpc.worker.output import OutputLog
from lightning_grpc.worker.publisher import Publisher
from lightning_grpc.worker.runner import Runner


class Stopper(Protocol):
    """Whoever can end the process."""

    def __call__(self, grace_s: float, reason: str) -> None:
        """End it within `grace_s` seconds (0: the default)."""


@dataclass
class WorkServicer:
    """Serves one Work; all methods run on the loop.

    Attributes:
        work: The Work.
        publisher: Owns its revisions.
        runner: Executes its runs.
        stop: Ends the process.
        output: What the process prints.
        streams: Those that are open.
    """

    work: LightningWork
    publisher: Publisher
    runner: Runner
    stop: Stopper
    output: OutputLog
    streams: OpenStreams = field(default_factory=OpenStreams)

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the handlers to register with a server; state frames are serialized already."""
        handlers = grpc.method_handlers_generic_handler(
            WORK_SERVICE,
            {
                "Describe": grpc.unary_unary_rpc_method_handler(
                    self.describe, work_pb.DescribeRequest.FromString, work_pb.DescribeResponse.SerializeToString
                ),
                "Run": grpc.unary_unary_rpc_method_handler(
                    self.run, work_pb.RunRequest.FromString, work_pb.RunResponse.SerializeToString
                ),
                "StateDelta": grpc.unary_stream_rpc_method_handler(
                    self.state_delta, work_pb.StateDeltaRequest.FromString, bytes
                ),
                "Update": grpc.unary_unary_rpc_method_handler(
                    self.update, work_pb.UpdateRequest.FromString, work_pb.UpdateResponse.SerializeToString
                ),
                "Logs": grpc.unary_stream_rpc_method_handler(
                    self.logs, work_pb.LogsRequest.FromString, work_pb.LogsResponse.SerializeToString
                ),
                "Stop": grpc.unary_unary_rpc_method_handler(
                    self.end, work_pb.StopRequest.FromString, work_pb.StopResponse.SerializeToString
                ),
            },
        )
        return OneWork(self.work.name, handlers)

    async def describe(self, request: Any, context: Context) -> Any:
        """Tell who the Work is."""
        fields = self.work.__dict__
        return work_pb.DescribeResponse(
            name=self.work.name,
            class_name=type(self.work).__qualname__,
            epoch=self.publisher.epoch,
            protocol_version=work_pb.ProtocolVersion(major=PROTOCOL_MAJOR, minor=PROTOCOL_MINOR),
            attributes=[
                work_pb.Attribute(name=name, type=describe_type(fields[name]))
                for name in self.work._declared
                if not name.startswith("_")
            ],
            run_signature=_signature(self.work),
            revision=self.publisher.revision,
            receives_updates=self.work.receive_updates,
            documentation=inspect.cleandoc(type(self.work).__doc__ or ""),
            implementation=f"lightning_grpc {__version__}",
        )

    async def run(self, request: Any, context: Context) -> Any:
        """Accept one execution."""
        await self._check_epoch(request.epoch, context)
        if not request.call_id or not request.call_hash:
            empty = [field for field in ("call_id", "call_hash") if not getattr(request, field)]
            await abort_invalid(context, "CALL_UNNAMED", dict.fromkeys(empty, "must not be empty"))
        if self.runner.is_stopping and (request.caller, request.call_id) not in self.runner.remembered:
            await abort(
                context,
                grpc.StatusCode.UNAVAILABLE,
                "STOPPING",
                f"{self.work.name} is ending",
                retry_after_s=RETRY_AFTER_S,
            )
        reader = self._reader()
        order = read_order(request, reader)
        await _refuse_violations(context, "ARGUMENT_INVALID", reader)
        try:
            is_known = self.runner.submit(order)
            status = self.runner.remembered.final_status(order.identity) if is_known else None
            final_status = encode_value(status) if status is not None else None
            return work_pb.RunResponse(already_known=is_known, final_status=final_status)
        except queue.Full:
            await abort(
                context,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "QUEUE_FULL",
                f"too many calls of {self.work.name} are waiting, or too large ones; try again when some have finished",
                retry_after_s=RETRY_AFTER_S,
            )

    async def state_delta(self, request: Any, context: Context) -> AsyncIterator[bytes]:
        """Stream the state."""
        await self._check_epoch(request.epoch, context)
        self.streams.opened(context)
        async for message in self.publisher.subscribe(request.after_revision):
            yield message

    async def logs(self, request: Any, context: Context) -> AsyncIterator[Any]:
        """Stream what the Work prints."""
        self.streams.opened(context)
        async with contextlib.aclosing(self.output.read(request.tail, follow=request.follow)) as batches:
            async for lines, dropped in batches:
                yield work_pb.LogsResponse(lines=encode_lines(lines), dropped=dropped)

    async def update(self, request: Any, context: Context) -> Any:
        """Assign attributes, if the Work wants that."""
        await self._check_epoch(request.epoch, context)
        if not self.work.receive_updates:
            await abort(
                context,
                grpc.StatusCode.FAILED_PRECONDITION,
                "UPDATES_NOT_RECEIVED",
                f"{self.work.name} takes no updates from outside; construct it with receive_updates=True",
            )
        reader = self._reader()
        values = reader.attributes("updates", {each.name: each.value for each in request.updates})
        await _refuse_violations(context, "UPDATE_INVALID", reader)
        updates = {each.name: (values[each.name], each.base_revision) for each in request.updates}
        revision, conflicts = self.publisher.update(updates)
        return work_pb.UpdateResponse(
            revision=revision,
            conflicts=[work_pb.UpdateConflict(name=name, revision=at) for name, at in conflicts.items()],
        )

    async def end(self, request: Any, context: Context) -> Any:
        """Begin to end the process."""
        reader = self._reader()
        check_seconds("grace_s", request.grace_s, reader)
        await _refuse_violations(context, "ARGUMENT_INVALID", reader)
        self.stop(request.grace_s, request.reason)
        return work_pb.StopResponse()

    def _reader(self) -> FieldReader:
        return FieldReader(self.work.name, self.work._declared)

    async def _check_epoch(self, epoch: int, context: Context) -> None:
        await check_epoch(context, self.work.name, self.publisher.epoch, epoch)


async def _refuse_violations(context: Context, reason: str, reader: FieldReader) -> None:
    """End a call whose request has a fault; one that has no meaning at all is told from one that does not fit."""
    if reader.violations:
        await abort_invalid(context, "MESSAGE_INVALID" if reader.is_meaningless else reason, reader.violations)


def _signature(work: LightningWork) -> str:
    parameters = list(inspect.signature(type(work).run).parameters.values())[1:]
    return str(inspect.Signature(parameters))

"""WorkService: what a Work's process answers."""

from __future__ import annotations

import inspect
import queue
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

import grpc

from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import LightningGrpcError
from lightning_grpc.state.values import describe_type, validate
from lightning_grpc.wire.codec import decode_value
from lightning_grpc.wire.protocol import PROTOCOL_MAJOR, PROTOCOL_MINOR, WORK_SERVICE, work_pb
from lightning_grpc.wire.status import Context, abort
from lightning_grpc.worker.publisher import Publisher
from lightning_grpc.worker.runner import Runner, RunOrder


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
    """

    work: LightningWork
    publisher: Publisher
    runner: Runner
    stop: Stopper

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the handlers to register with a server; state frames are serialized already."""
        return grpc.method_handlers_generic_handler(
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
                "Stop": grpc.unary_unary_rpc_method_handler(
                    self.end, work_pb.StopRequest.FromString, work_pb.StopResponse.SerializeToString
                ),
            },
        )

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
        )

    async def run(self, request: Any, context: Context) -> Any:
        """Accept one execution."""
        await self._check_epoch(request.epoch, context)
        if not request.call_id or not request.call_hash:
            await abort(
                context, grpc.StatusCode.INVALID_ARGUMENT, "CALL_UNNAMED", "call_id and call_hash must not be empty"
            )
        if self.runner.is_stopping:
            await abort(context, grpc.StatusCode.UNAVAILABLE, "STOPPING", f"{self.work.name} is ending")
        try:
            order = RunOrder(
                call_id=request.call_id,
                call_hash=request.call_hash,
                args=tuple(decode_value(value) for value in request.args),
                kwargs={name: decode_value(value) for name, value in request.kwargs.items()},
                attributes={name: decode_value(value) for name, value in request.attributes.items()},
                requested_at_s=request.requested_at_s,
            )
            self._check(order)
        except LightningGrpcError as error:
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID", str(error))
        try:
            return work_pb.RunResponse(already_known=self.runner.submit(order))
        except queue.Full:
            await abort(
                context,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "QUEUE_FULL",
                f"too many calls of {self.work.name} are waiting; try again when some have finished",
            )

    async def state_delta(self, request: Any, context: Context) -> AsyncIterator[bytes]:
        """Stream the state."""
        await self._check_epoch(request.epoch, context)
        async for message in self.publisher.subscribe(request.after_revision):
            yield message

    async def end(self, request: Any, context: Context) -> Any:
        """Begin to end the process."""
        self.stop(request.grace_s, request.reason)
        return work_pb.StopResponse()

    def _check(self, order: RunOrder) -> None:
        for value in (*order.args, *order.kwargs.values(), *order.attributes.values()):
            validate(value)
        for name in order.attributes:
            if name not in self.work._declared:
                raise LightningGrpcError(f"{self.work.name} has no attribute {name}")

    async def _check_epoch(self, epoch: int, context: Context) -> None:
        if epoch not in (0, self.publisher.epoch):
            await abort(
                context,
                grpc.StatusCode.FAILED_PRECONDITION,
                "EPOCH_MISMATCH",
                f"{self.work.name} is at epoch {self.publisher.epoch}, not {epoch}: it was started anew",
                epoch=str(self.publisher.epoch),
            )


def _signature(work: LightningWork) -> str:
    parameters = list(inspect.signature(type(work).run).parameters.values())[1:]
    return str(inspect.Signature(parameters))

"""AppService: what a running app answers over gRPC."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc

from lightning_grpc.errors import AppEndedError, LightningGrpcError, NoAnswerError
from lightning_grpc.service.messages import encode_app, encode_command, encode_work
from lightning_grpc.service.metrics_messages import encode_metrics
from lightning_grpc.service.running_app import RunningApp
from lightning_grpc.wire.app_protocol import APP_SERVICE, app_pb
from lightning_grpc.wire.codec import decode_change, decode_value, encode_value
from lightning_grpc.wire.logs import encode_lines
from lightning_grpc.wire.open_streams import OpenStreams
from lightning_grpc.wire.refusals import abort_with
from lightning_grpc.wire.status import Context, check_epoch

_log = logging.getLogger("lightning_grpc")

ANSWER_DEADLINE_S = 10.0
"""How long the Flow may take to get to a request, and to do it, if the caller has not said how long it waits."""
_WORDS_S = 0.25  # before the caller's own deadline, so that it hears why

T = TypeVar("T")


@dataclass
class AppServicer:
    """Serves one app; all methods run on the loop, and what concerns components on the Flow's thread.

    Attributes:
        app: The app.
        streams: Those that are open.
    """

    app: RunningApp
    streams: OpenStreams = field(default_factory=OpenStreams)

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the handlers to register with a server; state frames are serialized already."""
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        return grpc.method_handlers_generic_handler(
            APP_SERVICE,
            {
                "DescribeApp": unary(
                    self.describe_app,
                    app_pb.DescribeAppRequest.FromString,
                    app_pb.DescribeAppResponse.SerializeToString,
                ),
                "GetState": stream(self.get_state, app_pb.GetStateRequest.FromString, bytes),
                "WatchState": stream(self.watch_state, app_pb.WatchStateRequest.FromString, bytes),
                "UpdateState": unary(
                    self.update_state,
                    app_pb.UpdateStateRequest.FromString,
                    app_pb.UpdateStateResponse.SerializeToString,
                ),
                "ListWorks": unary(
                    self.list_works, app_pb.ListWorksRequest.FromString, app_pb.ListWorksResponse.SerializeToString
                ),
                "ListCommands": unary(
                    self.list_commands,
                    app_pb.ListCommandsRequest.FromString,
                    app_pb.ListCommandsResponse.SerializeToString,
                ),
                "RunCommand": unary(
                    self.run_command, app_pb.RunCommandRequest.FromString, app_pb.RunCommandResponse.SerializeToString
                ),
                "StreamLogs": stream(
                    self.stream_logs, app_pb.StreamLogsRequest.FromString, app_pb.StreamLogsResponse.SerializeToString
                ),
                "GetMetrics": unary(
                    self.get_metrics, app_pb.GetMetricsRequest.FromString, app_pb.GetMetricsResponse.SerializeToString
                ),
                "StopWork": unary(
                    self.stop_work, app_pb.StopWorkRequest.FromString, app_pb.StopWorkResponse.SerializeToString
                ),
                "StopApp": unary(
                    self.stop_app, app_pb.StopAppRequest.FromString, app_pb.StopAppResponse.SerializeToString
                ),
            },
        )

    async def describe_app(self, request: Any, context: Context) -> Any:
        """Tell who the app is; whatever its Flow does."""
        return encode_app(self.app.describe())

    async def get_state(self, request: Any, context: Context) -> AsyncIterator[bytes]:
        """Send the state."""
        for message in await self._answer(context, self.app.snapshot()):
            yield message

    async def watch_state(self, request: Any, context: Context) -> AsyncIterator[bytes]:
        """Stream the state."""
        await self._check_epoch(request.epoch, context)
        self.streams.opened(context)
        stream = await self._answer(context, self.app.follow())
        async for message in stream.subscribe(request.after_revision, request.pause_s):
            yield message

    async def update_state(self, request: Any, context: Context) -> Any:
        """Change attributes."""
        await self._check_epoch(request.epoch, context)
        try:
            changes = list(map(decode_change, request.changes))
        except LightningGrpcError as error:
            await abort_with(context, error)
        revision = await self._answer(context, self.app.update(changes, request.base_revision))
        return app_pb.UpdateStateResponse(revision=revision)

    async def list_works(self, request: Any, context: Context) -> Any:
        """Tell how the Works fare."""
        works = await self._answer(context, self.app.works())
        return app_pb.ListWorksResponse(works=map(encode_work, works))

    async def list_commands(self, request: Any, context: Context) -> Any:
        """Tell what commands there are."""
        commands = await self._answer(context, self.app.commands())
        return app_pb.ListCommandsResponse(commands=map(encode_command, commands))

    async def run_command(self, request: Any, context: Context) -> Any:
        """Execute a command."""
        await self._check_epoch(request.epoch, context)
        try:
            arguments = {name: decode_value(value) for name, value in request.arguments.items()}
        except LightningGrpcError as error:
            await abort_with(context, error)
        result = await self._answer(context, self.app.run_command(request.name, arguments))
        return app_pb.RunCommandResponse(result=encode_value(result))

    async def stream_logs(self, request: Any, context: Context) -> AsyncIterator[Any]:
        """Stream what is printed."""
        self.streams.opened(context)
        batches = self.app.logs(request.components, request.tail, follow=request.follow)
        async with contextlib.aclosing(batches):
            async for lines, dropped in batches:
                yield app_pb.StreamLogsResponse(lines=encode_lines(lines), dropped=dropped)

    async def get_metrics(self, request: Any, context: Context) -> Any:
        """Tell what the app has done; whatever its Flow does."""
        return encode_metrics(self.app.look(request.runs))

    async def stop_work(self, request: Any, context: Context) -> Any:
        """End one Work."""
        await self._check_epoch(request.epoch, context)
        await self._answer(context, self.app.stop_work(request.name))
        return app_pb.StopWorkResponse()

    async def stop_app(self, request: Any, context: Context) -> Any:
        """End the app; it may be ending already."""

        async def stop() -> None:
            try:
                await self.app.stop(request.reason)
            except AppEndedError:
                return
            _log.info("Your app was asked to stop%s", f": {request.reason}" if request.reason else ".")

        await self._answer(context, stop())
        return app_pb.StopAppResponse()

    async def _answer(self, context: Context, asked: Awaitable[T]) -> T:
        """Return what the app says, or end the call with why it does not."""
        left_s: float | None = context.time_remaining()  # None if the caller has set none
        deadline_s = ANSWER_DEADLINE_S if left_s is None else max(left_s - _WORDS_S, left_s / 2)
        limit = asyncio.timeout(deadline_s)
        try:
            async with limit:
                return await asked
        except LightningGrpcError as error:
            await abort_with(context, error)
        except TimeoutError:
            if not limit.expired():
                raise
            await abort_with(
                context,
                NoAnswerError(
                    f"the app's Flow did not get to this within {deadline_s:.1f} s: its run takes long, or hangs. "
                    "What it has begun to do goes on; what it has not begun is dropped."
                ),
            )

    async def _check_epoch(self, epoch: int, context: Context) -> None:
        await check_epoch(context, self.app.name, self.app.epoch, epoch)

"""The client's end of AppService, on the running loop."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any

import grpc

from lightning_grpc.errors import LightningGrpcError, ProtocolError
from lightning_grpc.state.delta import Change
from lightning_grpc.state.subscription import Frame, Snapshot
from lightning_grpc.state.values import Value
from lightning_grpc.wire.app_protocol import app_grpc, app_pb
from lightning_grpc.wire.channel import PeerChannel
from lightning_grpc.wire.codec import FrameReader, decode_value, encode_change, encode_value
from lightning_grpc.wire.logs import LogLine, decode_lines
from lightning_grpc.wire.refusals import to_app_error
from lightning_grpc.wire.summing import SummingReader


class AppChannel(PeerChannel):
    """A connection to one running app; see `PeerChannel`."""

    def __init__(self, address: str, name: str, token: str | None = None) -> None:
        super().__init__(address, name, token)
        self._stub = app_grpc.AppServiceStub(self._channel)  # type: ignore[no-untyped-call]

    async def describe(self, deadline_s: float) -> Any:
        """Return the app's description."""
        response = await self._unary(self._stub.DescribeApp, app_pb.DescribeAppRequest(), deadline_s)
        self._check_version(response.protocol_version)
        return response

    async def state(self, deadline_s: float) -> Snapshot:
        """Return the app's state as of its newest revision."""
        reader = FrameReader(whole_app=True)
        async for frames in self._frames(self._stub.GetState, app_pb.GetStateRequest(), reader, deadline_s):
            for frame in frames:
                if isinstance(frame, Snapshot):
                    return frame
        raise ProtocolError(f"{self._name} answered without a state")

    def watch(self, epoch: int, after_revision: int, pause_s: float = 0.0) -> AsyncGenerator[list[Frame], None]:
        """Return the frames of one stream, message by message, until the app ends it.

        With a pause there is at least so much time between two frames, and the deltas of a frame are summed up.
        """
        request = app_pb.WatchStateRequest(epoch=epoch, after_revision=after_revision, pause_s=pause_s)
        reader = SummingReader() if pause_s else FrameReader(whole_app=True)
        return self._frames(self._stub.WatchState, request, reader)

    async def update(self, changes: Sequence[Change], epoch: int, base_revision: int, deadline_s: float) -> int:
        """Change attributes; returns the revision that shows it."""
        request = app_pb.UpdateStateRequest(
            changes=map(encode_change, changes), epoch=epoch, base_revision=base_revision
        )
        response = await self._unary(self._stub.UpdateState, request, deadline_s)
        return int(response.revision)

    async def works(self, deadline_s: float) -> Sequence[Any]:
        """Return how each Work fares."""
        response = await self._unary(self._stub.ListWorks, app_pb.ListWorksRequest(), deadline_s)
        return list(response.works)

    async def commands(self, deadline_s: float) -> Sequence[Any]:
        """Return the commands."""
        response = await self._unary(self._stub.ListCommands, app_pb.ListCommandsRequest(), deadline_s)
        return list(response.commands)

    async def run_command(self, name: str, arguments: Mapping[str, Value], epoch: int, deadline_s: float) -> Value:
        """Execute a command; returns what it returned."""
        encoded = {key: encode_value(value) for key, value in arguments.items()}
        request = app_pb.RunCommandRequest(name=name, arguments=encoded, epoch=epoch)
        response = await self._unary(self._stub.RunCommand, request, deadline_s)
        return decode_value(response.result)

    async def logs(
        self, components: Iterable[str], tail: int, *, follow: bool
    ) -> AsyncGenerator[tuple[list[LogLine], int], None]:
        """Yield what the app and its Works print, some lines at a time, and how many were left out before them."""
        request = app_pb.StreamLogsRequest(components=components, tail=tail, follow=follow)
        async with contextlib.aclosing(self._messages(self._stub.StreamLogs, request)) as messages:
            async for message in messages:
                yield decode_lines(message.lines), message.dropped

    async def metrics(self, runs: int, deadline_s: float) -> Any:
        """Return what the app has done, with its newest runs."""
        return await self._unary(self._stub.GetMetrics, app_pb.GetMetricsRequest(runs=runs), deadline_s)

    async def stop_work(self, name: str, epoch: int, deadline_s: float) -> None:
        """End one Work."""
        await self._unary(self._stub.StopWork, app_pb.StopWorkRequest(name=name, epoch=epoch), deadline_s)

    async def stop(self, reason: str, deadline_s: float) -> None:
        """End the app."""
        await self._unary(self._stub.StopApp, app_pb.StopAppRequest(reason=reason), deadline_s)

    def _error(self, error: grpc.RpcError) -> LightningGrpcError:
        return to_app_error(error, self._name)

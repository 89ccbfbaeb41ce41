"""The client's end of WorkService, on the running loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import grpc

from lightning_grpc.errors import ProtocolError
from lightning_grpc.state.subscription import Frame
from lightning_grpc.state.values import Value
from lightning_grpc.wire.auth import credentials
from lightning_grpc.wire.codec import FrameReader, encode_value
from lightning_grpc.wire.options import CHANNEL_OPTIONS
from lightning_grpc.wire.protocol import PROTOCOL_MAJOR, PROTOCOL_MINOR, work_grpc, work_pb
from lightning_grpc.wire.status import to_error

UNARY_DEADLINE_S = 10.0


class WorkChannel:
    """A connection to one Work.

    Every unary call has a deadline; every failure is one of the package's own errors.

    Args:
        address: ``unix:PATH`` or ``HOST:PORT``.
        name: The Work's name, for errors.
        token: What the server wants to see.

    Threads: Belongs to the loop it is made on.
    """

    def __init__(self, address: str, name: str, token: str | None = None) -> None:
        self._name = name
        self._metadata = credentials(token)
        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._stub = work_grpc.WorkServiceStub(self._channel)  # type: ignore[no-untyped-call]

    async def describe(self, deadline_s: float = UNARY_DEADLINE_S) -> Any:
        """Return the Work's description.

        Raises:
            ProtocolError: It speaks another major version of the protocol.
            TransportError: It cannot be reached.
        """
        response = await self._unary(self._stub.Describe, work_pb.DescribeRequest(), deadline_s)
        version = response.protocol_version
        if version.major != PROTOCOL_MAJOR:
            raise ProtocolError(
                f"{self._name} speaks protocol {version.major}.{version.minor}, this side "
                f"{PROTOCOL_MAJOR}.{PROTOCOL_MINOR}; update the older one"
            )
        return response

    async def run(
        self,
        call_id: str,
        call_hash: str,
        args: tuple[Value, ...],
        kwargs: dict[str, Value],
        attributes: dict[str, Value],
        *,
        epoch: int = 0,
        requested_at_s: float = 0.0,
        deadline_s: float = UNARY_DEADLINE_S,
    ) -> bool:
        """Ask for one execution; returns whether the Work knew the request already."""
        request = work_pb.RunRequest(
            call_id=call_id,
            call_hash=call_hash,
            args=map(encode_value, args),
            kwargs={name: encode_value(value) for name, value in kwargs.items()},
            attributes={name: encode_value(value) for name, value in attributes.items()},
            epoch=epoch,
            requested_at_s=requested_at_s,
        )
        response = await self._unary(self._stub.Run, request, deadline_s)
        return bool(response.already_known)

    async def stop(self, grace_s: float, reason: str, deadline_s: float = UNARY_DEADLINE_S) -> None:
        """Ask the Work to end."""
        await self._unary(self._stub.Stop, work_pb.StopRequest(grace_s=grace_s, reason=reason), deadline_s)

    async def state_delta(self, epoch: int, after_revision: int) -> AsyncGenerator[list[Frame], None]:
        """Yield the frames of one stream, message by message, until the Work ends it.

        Raises:
            TransportError: The stream broke.
            ProtocolError: A message has no meaning, or the request was refused.
        """
        reader = FrameReader()
        request = work_pb.StateDeltaRequest(epoch=epoch, after_revision=after_revision)
        call = self._stub.StateDelta(request, metadata=self._metadata)
        try:
            while (message := await call.read()) is not grpc.aio.EOF:
                yield reader.read(message)
        except grpc.RpcError as error:
            raise to_error(error, self._name) from None
        finally:
            call.cancel()

    async def close(self) -> None:
        """Close the connection; calls under way end."""
        await self._channel.close()

    async def _unary(self, method: Any, request: Any, deadline_s: float) -> Any:
        try:
            return await method(request, timeout=deadline_s, metadata=self._metadata)
        except grpc.RpcError as error:
            raise to_error(error, self._name) from None

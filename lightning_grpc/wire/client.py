"""The client's end of WorkService, on the running loop."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from lightning_grpc.state.subscription import Frame
from lightning_grpc.state.values import Value
from lightning_grpc.wire.channel import PeerChannel
from lightning_grpc.wire.codec import FrameReader, decode_value, encode_value
from lightning_grpc.wire.credentials import ClientTls
from lightning_grpc.wire.logs import LogLine, decode_lines
from lightning_grpc.wire.protocol import work_grpc, work_pb
from lightning_grpc.wire.tracing import Carrier, continuing

UNARY_DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class RunAnswer:
    """What a Work answers to a request for an execution.

    Attributes:
        already_known: Whether it was accepted before.
        final_status: The last status of that execution, as in its entry's ``statuses``, if it is known and over.
    """

    already_known: bool
    final_status: dict[str, Any] | None


class WorkChannel(PeerChannel):
    """A connection to one Work; see `PeerChannel`."""

    def __init__(
        self, address: str, name: str, token: str | None = None, *, tls: ClientTls | None = None, work: str = ""
    ) -> None:
        super().__init__(address, name, token, tls=tls, work=work)
        self._stub = work_grpc.WorkServiceStub(self._channel)  # type: ignore[no-untyped-call]

    async def describe(self, deadline_s: float = UNARY_DEADLINE_S) -> Any:
        """Return the Work's description.

        Raises:
            ProtocolError: It speaks another major version of the protocol.
            TransportError: It cannot be reached.
        """
        response = await self._unary(self._stub.Describe, work_pb.DescribeRequest(), deadline_s)
        self._check_version(response.protocol_version)
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
        caller: str = "",
        trace: Carrier = MappingProxyType({}),
        deadline_s: float = UNARY_DEADLINE_S,
    ) -> RunAnswer:
        """Ask for one execution.

        Args:
            call_id: Names the request, so that it may be repeated.
            call_hash: The key of the call's entry.
            args: Positional arguments.
            kwargs: Named arguments.
            attributes: Set before the execution begins.
            epoch: The incarnation that is meant; 0 for whichever is there.
            requested_at_s: When the call was made, in seconds since 1970.
            caller: Who asks, for people.
            trace: The trace that it belongs to; by default, that of who calls.
            deadline_s: Seconds the request, not the execution, may take.
        """
        request = work_pb.RunRequest(
            call_id=call_id,
            call_hash=call_hash,
            args=map(encode_value, args),
            kwargs={name: encode_value(value) for name, value in kwargs.items()},
            attributes={name: encode_value(value) for name, value in attributes.items()},
            epoch=epoch,
            requested_at_s=requested_at_s,
            caller=caller,
        )
        with continuing(trace):
            response = await self._unary(self._stub.Run, request, deadline_s)
        status = decode_value(response.final_status) if response.HasField("final_status") else None
        return RunAnswer(bool(response.already_known), status)

    async def update(
        self, updates: Mapping[str, tuple[Value, int]], *, epoch: int = 0, deadline_s: float = UNARY_DEADLINE_S
    ) -> tuple[int, dict[str, int]]:
        """Assign attributes of the Work, each if it has not changed since a revision.

        Args:
            updates: By name, the value and that revision.
            epoch: The incarnation that is meant; 0 for whichever is there.
            deadline_s: Seconds the call may take.

        Returns:
            The revision that shows the assigned ones, and those that were not, each with the revision of its change.
        """
        request = work_pb.UpdateRequest(
            epoch=epoch,
            updates=[
                work_pb.AttributeUpdate(name=name, value=encode_value(value), base_revision=base)
                for name, (value, base) in updates.items()
            ],
        )
        response = await self._unary(self._stub.Update, request, deadline_s)
        return response.revision, {each.name: each.revision for each in response.conflicts}

    async def logs(self, tail: int, *, follow: bool) -> AsyncGenerator[tuple[list[LogLine], int], None]:
        """Yield what the Work prints, some lines at a time, and how many before them were left out.

        Args:
            tail: How many lines of the past to begin with; the Work keeps only so many.
            follow: Whether to go on with what comes, until the Work ends.
        """
        request = work_pb.LogsRequest(tail=tail, follow=follow)
        async with contextlib.aclosing(self._messages(self._stub.Logs, request)) as messages:
            async for message in messages:
                yield decode_lines(message.lines), message.dropped

    async def stop(self, grace_s: float, reason: str, deadline_s: float = UNARY_DEADLINE_S) -> None:
        """Ask the Work to end."""
        await self._unary(self._stub.Stop, work_pb.StopRequest(grace_s=grace_s, reason=reason), deadline_s)

    def state_delta(self, epoch: int, after_revision: int) -> AsyncGenerator[list[Frame], None]:
        """Return the frames of one stream, message by message, until the Work ends it.

        Raises:
            TransportError: The stream broke.
            ProtocolError: A message has no meaning, or the request was refused.
        """
        request = work_pb.StateDeltaRequest(epoch=epoch, after_revision=after_revision)
        return self._frames(self._stub.StateDelta, request, FrameReader())

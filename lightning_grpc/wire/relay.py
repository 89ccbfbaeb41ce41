"""Passes calls on to the Work they are for, byte by byte, when one server stands before several."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc

from lightning_grpc.wire.auth import credentials
from lightning_grpc.wire.open_streams import OpenStreams
from lightning_grpc.wire.options import CHANNEL_OPTIONS
from lightning_grpc.wire.protocol import WORK_SERVICE, work_pb
from lightning_grpc.wire.status import DETAILS_KEY, PUSH_BACK_KEY, RETRY_AFTER_S, Context, abort
from lightning_grpc.wire.tracing import carrier
from lightning_grpc.wire.work_names import NotMeant, choose

_METHODS = {
    f"/{WORK_SERVICE}/{method.name}": method.server_streaming
    for method in work_pb.DESCRIPTOR.services_by_name["WorkService"].methods
}
"""The methods of a Work, and whether they stream."""
_PASSED_BACK = (DETAILS_KEY, PUSH_BACK_KEY)
_OWN_KEYS = ("authorization", "work-name", "user-agent", "te", "content-type")
"""Metadata that is about the connection to this server."""
_FOREVER_S = 1e8  # what grpc takes for a deadline if there is none
_CLOSE_S = 1.0
"""What a Work has said before it ended may take so long to be passed on."""


class Backend:
    """A Work behind the server.

    Args:
        name: The Work's.
        address: Where it answers.
        token: What it wants to see.

    Threads: Belongs to the loop it is made on.
    """

    def __init__(self, name: str, address: str, token: str | None) -> None:
        self.name = name
        self._metadata = credentials(token)
        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)

    async def close(self) -> None:
        """Close the connection, when the calls under way have ended, or soon."""
        await self._channel.close(_CLOSE_S)

    def call(self, method: str, request: bytes, context: Context) -> Any:
        """Begin the same call over there."""
        begin: Any = (self._channel.unary_stream if _METHODS[method] else self._channel.unary_unary)(method)
        given: Any = context.invocation_metadata() or ()
        trace = carrier()  # goes on from this server's own span, if it has one
        passed_on = [each for each in given if _is_to_be_passed_on(each[0]) and each[0] not in trace]
        remaining_s: float | None = context.time_remaining()
        timeout_s = remaining_s if remaining_s is not None and remaining_s < _FOREVER_S else None
        return begin(request, timeout=timeout_s, metadata=(*passed_on, *trace.items(), *self._metadata))


@dataclass(frozen=True)
class Away:
    """A Work that cannot be called now.

    Attributes:
        why: The reason, for people.
    """

    why: str


class Relay(grpc.GenericRpcHandler):
    """Handles every call of ``WorkService`` by making it of the Work that it names.

    Messages are not looked into. The deadline, what other metadata there is, and the status with its details are
    passed on; who cancels a call cancels that of the Work, too.

    Args:
        names: Of the Works.
        find: Tells where a Work is.

    Attributes:
        streams: Those that are open.

    Threads: The loop of the server.
    """

    def __init__(self, names: tuple[str, ...], find: Callable[[str], Backend | Away]) -> None:
        self.streams = OpenStreams()
        self._names = names
        self._find = find

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return the handler of a call; None if it is none of a Work's."""
        method = handler_call_details.method
        if method not in _METHODS:
            return None
        name = choose(handler_call_details.invocation_metadata, self._names)
        if isinstance(name, NotMeant):
            return grpc.unary_unary_rpc_method_handler(name.refuse)
        if _METHODS[method]:

            async def stream(request: bytes, context: Context) -> AsyncIterator[bytes]:
                self.streams.opened(context)
                call = (await self._backend(name, context)).call(method, request, context)
                try:
                    while (message := await call.read()) is not grpc.aio.EOF:
                        yield message
                except grpc.RpcError as error:
                    await _pass_on(error, name, context)
                finally:
                    call.cancel()

            return grpc.unary_stream_rpc_method_handler(stream)

        async def unary(request: bytes, context: Context) -> Any:
            try:
                return await (await self._backend(name, context)).call(method, request, context)
            except grpc.RpcError as error:
                await _pass_on(error, name, context)

        return grpc.unary_unary_rpc_method_handler(unary)

    async def _backend(self, name: str, context: Context) -> Backend:
        found = self._find(name)
        if isinstance(found, Away):
            await _unavailable(context, name, found.why)
        return found


def _is_to_be_passed_on(key: str) -> bool:
    return key not in _OWN_KEYS and (not key.startswith("grpc-") or key == "grpc-trace-bin")


async def _pass_on(error: grpc.RpcError, name: str, context: Context) -> None:
    """End a call as that of the Work has ended."""
    given: Any = error.trailing_metadata() or ()
    metadata = [each for each in given if each[0] in _PASSED_BACK]
    if not metadata and error.code() is grpc.StatusCode.UNAVAILABLE:
        await _unavailable(context, name, f"its process does not answer ({error.details()})")
    await context.abort(error.code(), error.details() or "", tuple(metadata))


async def _unavailable(context: Context, name: str, why: str) -> NoReturn:
    message = f"{name}: {why}; try again later"
    await abort(context, grpc.StatusCode.UNAVAILABLE, "WORK_UNAVAILABLE", message, retry_after_s=RETRY_AFTER_S)

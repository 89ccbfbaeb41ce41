"""Requests that are no messages: refused in words, instead of as an error of the server's own.

By itself gRPC answers a request that it cannot parse with ``INTERNAL`` and a text for whoever wrote the server.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from lightning_grpc.wire.status import Context, abort


class DecodingInterceptor(grpc.aio.ServerInterceptor):
    """Parses the requests of every service of a server, and refuses those that it cannot parse.

    The caller hears ``INVALID_ARGUMENT`` with the reason ``MESSAGE_INVALID``, and which method and message it was.
    """

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Return the handler with its parsing done here."""
        handler: Any = await continuation(handler_call_details)
        if handler is None or handler.request_deserializer is None:
            return handler
        name = "_".join("stream" if streams else "unary" for streams in _directions(handler))
        behavior = getattr(handler, name)
        if not (inspect.isasyncgenfunction(behavior) or inspect.iscoroutinefunction(behavior)):
            return handler  # gRPC runs it on a thread; none of this package's are like that
        decoder = _Decoder(handler_call_details.method, handler.request_deserializer)
        decode: Any = decoder.all_of if handler.request_streaming else decoder.one
        make = getattr(grpc, f"{name}_rpc_method_handler")
        return make(_after(decode, behavior), response_serializer=handler.response_serializer)


def _directions(handler: Any) -> tuple[bool, bool]:
    return bool(handler.request_streaming), bool(handler.response_streaming)


def _after(decode: Any, behavior: Any) -> Any:
    """Return `behavior` behind `decode`, of the same kind: gRPC tells generators from coroutines, as here."""
    if inspect.isasyncgenfunction(behavior):

        async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
            async with contextlib.aclosing(behavior(await decode(request, context), context)) as responses:
                async for response in responses:
                    yield response

        return stream

    async def answer(request: Any, context: Context) -> Any:
        return await behavior(await decode(request, context), context)

    return answer


class _Decoder:
    """Parses the requests of one call."""

    def __init__(self, method: str, parse: Callable[[bytes], Any]) -> None:
        self._method = method
        self._parse = parse

    async def one(self, request: bytes, context: Context) -> Any:
        """Return the message of a request, or end the call."""
        try:
            return self._parse(request)
        except (DecodeError, RecursionError):
            await abort(
                context,
                grpc.StatusCode.INVALID_ARGUMENT,
                "MESSAGE_INVALID",
                f"the {len(request)} bytes of this request are no message that {self._method} takes: they are garbled, "
                "not UTF-8 where a text stands, or nested too deep. The .proto files say what it takes.",
                method=self._method,
            )

    async def all_of(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[Any]:
        """Return the messages of a stream of requests, which ends the call at the first that is none."""

        async def messages() -> AsyncIterator[Any]:
            async for request in requests:
                yield await self.one(request, context)

        return messages()

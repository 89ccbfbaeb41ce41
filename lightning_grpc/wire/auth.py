"""The token that every call carries: who does not have it learns nothing and changes nothing."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from lightning_grpc.wire.status import Context, abort

_HEADER = "authorization"


def new_token() -> str:
    """Return a fresh random token."""
    return secrets.token_urlsafe(32)


def credentials(token: str | None) -> tuple[tuple[str, str], ...]:
    """Return the metadata that proves the possession of a token."""
    return ((_HEADER, f"Bearer {token}"),) if token else ()


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """Refuses every call, of any service of the server, that does not carry the token."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()
        self._refusal: Any = grpc.unary_unary_rpc_method_handler(_refuse)

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Let a call with the token through."""
        given = [value for key, value in handler_call_details.invocation_metadata if key == _HEADER]
        if len(given) == 1 and hmac.compare_digest(str(given[0]).encode(), self._expected):
            return await continuation(handler_call_details)
        return self._refusal


async def _refuse(_request: bytes, context: Context) -> None:
    await abort(
        context,
        grpc.StatusCode.UNAUTHENTICATED,
        "TOKEN_REQUIRED",
        "this server answers only calls with its token in the metadata 'authorization: Bearer TOKEN'",
    )

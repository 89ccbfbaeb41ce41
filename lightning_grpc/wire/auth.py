"""The token that every call carries: who does not have it learns nothing and changes nothing."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from lightning_grpc.wire.credentials import check_token
from lightning_grpc.wire.status import Context, abort

_HEADER = "authorization"
WORK_NAME = "work-name"
"""Names, in the metadata, the Work that is meant, if a server has several."""


def new_token() -> str:
    """Return a fresh random token."""
    return secrets.token_urlsafe(32)


def credentials(token: str | None, work: str = "") -> tuple[tuple[str, str], ...]:
    """Return the metadata of every call: what proves the possession of a token, and which Work is meant.

    Raises:
        ConfigurationError: It is no token.
    """
    bearer = ((_HEADER, f"Bearer {check_token(token)}"),) if token else ()
    return (*bearer, (WORK_NAME, work)) if work else bearer


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """Refuses every call, of any service of the server, that does not carry the token.

    The comparison takes equally long however much of a wrong token is right, and the refusal says no more than whether
    there was one.

    Raises:
        ConfigurationError: It is no token.
    """

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {check_token(token)}".encode()

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Let a call with the token through."""
        given = [value for key, value in handler_call_details.invocation_metadata if key == _HEADER]
        if len(given) == 1 and hmac.compare_digest(str(given[0]).encode(), self._expected):
            return await continuation(handler_call_details)
        return _refusal("a token that is not this server's came with it" if given else "no token came with it")


def _refusal(why: str) -> Any:
    async def refuse(_request: bytes, context: Context) -> None:
        await abort(
            context,
            grpc.StatusCode.UNAUTHENTICATED,
            "TOKEN_REQUIRED",
            f"the call was refused: {why}. This server answers only calls with its token in the metadata "
            "'authorization: Bearer TOKEN'",
        )

    return grpc.unary_unary_rpc_method_handler(refuse)

"""Which Work of a server is meant: the metadata ``work-name`` says it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import grpc

from lightning_grpc.wire.auth import WORK_NAME
from lightning_grpc.wire.protocol import WORK_SERVICE
from lightning_grpc.wire.status import Context, abort

_LONGEST = 100  # characters of a name that are repeated to whoever has given it


@dataclass(frozen=True)
class NotMeant:
    """No Work of the server is meant.

    Attributes:
        code: The canonical code.
        reason: Of the ``ErrorInfo``.
        message: For people.
    """

    code: grpc.StatusCode
    reason: str
    message: str

    async def refuse(self, _request: bytes, context: Context) -> None:
        """End a call by saying so."""
        await abort(context, self.code, self.reason, self.message)


def choose(metadata: Iterable[tuple[str, str | bytes]], names: tuple[str, ...]) -> str | NotMeant:
    """Return the name of the Work that a call is for.

    Args:
        metadata: Of the call.
        names: Of the Works that are there, one at least. A call for the only one need not name it.

    Example:
        >>> choose([("work-name", "left")], ("left", "right")), choose([], ("only",))
        ('left', 'only')
        >>> choose([], ("left", "right")).reason, choose([("work-name", "up")], ("left", "right")).reason
        ('WORK_UNNAMED', 'WORK_UNKNOWN')
    """
    given = [value for key, value in metadata if key == WORK_NAME]
    if not given and len(names) == 1:
        return names[0]
    if len(given) == 1 and given[0] in names:
        return str(given[0])
    there = ", ".join(names)
    if len(given) == 1:
        named = str(given[0])[:_LONGEST]
        message = f"there is no Work called {named!r} here; the metadata '{WORK_NAME}' may be one of: {there}"
        return NotMeant(grpc.StatusCode.NOT_FOUND, "WORK_UNKNOWN", message)
    message = f"several Works are served here; name one in the metadata '{WORK_NAME}': {there}"
    return NotMeant(grpc.StatusCode.INVALID_ARGUMENT, "WORK_UNNAMED", message)


class OneWork(grpc.GenericRpcHandler):
    """The handlers of the only Work of a server, for calls that name it, or none.

    Args:
        name: The Work's.
        handlers: Its handlers.
    """

    def __init__(self, name: str, handlers: grpc.GenericRpcHandler) -> None:
        self._name = name
        self._handlers = handlers

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return the handler of a call."""
        handler = self._handlers.service(handler_call_details)
        if handler is None or not handler_call_details.method.startswith(f"/{WORK_SERVICE}/"):
            return handler
        chosen = choose(handler_call_details.invocation_metadata, (self._name,))
        return grpc.unary_unary_rpc_method_handler(chosen.refuse) if isinstance(chosen, NotMeant) else handler

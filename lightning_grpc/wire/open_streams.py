"""The streams of a server that have not ended yet."""

from __future__ import annotations

import asyncio
import contextlib

from lightning_grpc.wire.status import Context


class OpenStreams:
    """Lets a server end when its streams have: their last message and their status are sent before it says goodbye.

    A client answers the goodbye (an HTTP/2 GOAWAY with a ping) when it has read what came before it. Were the
    connection closed right behind the last message, the client could fail to write to it before it has read that.

    Threads: All on the loop of the server.
    """

    def __init__(self) -> None:
        self._open: set[Context] = set()
        self._none_left = asyncio.Event()
        self._none_left.set()

    def opened(self, context: Context) -> None:
        """Note that a stream has begun; that it has ended is told by its context."""
        self._open.add(context)
        self._none_left.clear()
        context.add_done_callback(self._ended)  # type: ignore[arg-type]  # a class, say its stubs

    async def ended(self, within_s: float) -> None:
        """Wait until no stream is open, but no longer than `within_s` seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._none_left.wait(), within_s)

    def _ended(self, context: Context) -> None:
        self._open.discard(context)
        if not self._open:
            self._none_left.set()

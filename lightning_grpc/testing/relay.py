"""One connection through a fault proxy: bytes in, the same bytes out, as far as the faults allow."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

CHUNK_BYTES = 1 << 16
"""What is read at once, at most."""
_MAX_CHUNKS = 64  # on their way at once, per direction

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Faults:
    """The faults that last, and which all connections of a proxy share.

    Attributes:
        delay_s: How much later everything arrives.
        refusing: Whether new connections are closed at once.
        passing: Set while anything is forwarded.
    """

    delay_s: float = 0.0
    refusing: bool = False
    passing: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.passing.set()

    def end(self) -> None:
        """End them all."""
        self.delay_s = 0.0
        self.refusing = False
        self.passing.set()


class Relay:
    """Copies between a client and a server until either has gone.

    Args:
        client: The connection that a client has made.
        server: The connection that was made for it.
        faults: What stands in the way.

    Attributes:
        last_chunk: What the server sent last and the client was given; empty before the first.

    Threads: Belongs to the proxy's loop.
    """

    def __init__(self, client: Stream, server: Stream, faults: Faults) -> None:
        self._client = client
        self._server = server
        self._faults = faults
        self.last_chunk = b""

    async def run(self) -> None:
        """Copy until both directions have ended, or one is broken.

        Raises:
            OSError: A connection broke.
        """
        directions = [self._copy(self._client[0], self._server[1]), self._copy(self._server[0], self._client[1])]
        tasks = [asyncio.ensure_future(direction) for direction in directions]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def abort(self) -> None:
        """Break both connections at once."""
        for _, writer in (self._client, self._server):
            writer.transport.abort()

    def inject(self, data: bytes) -> bool:
        """Send the client something that the server has not sent; returns whether it was possible."""
        writer = self._client[1]
        if not data or writer.is_closing():
            return False
        writer.write(data)
        return True

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_MAX_CHUNKS)
        taking = asyncio.ensure_future(self._take(reader, chunks))
        try:
            await self._give(chunks, writer)
            await taking
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, chunks: asyncio.Queue[tuple[float, bytes]]) -> None:
        """Put what comes into the queue, with the time at which it may arrive; the end is an empty chunk."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                data = await reader.read(CHUNK_BYTES)
            except OSError:
                data = b""  # the other side is to see an end too, when the faults let it
            await chunks.put((loop.time() + self._faults.delay_s, data))
            if not data:
                return

    async def _give(self, chunks: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s, data = await chunks.get()
            if (wait_s := due_s - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            await self._faults.passing.wait()
            if not data:
                if writer.can_write_eof() and not writer.is_closing():
                    writer.write_eof()
                return
            writer.write(data)
            if writer is self._client[1]:
                self.last_chunk = data
            await writer.drain()

"""Something that listens and is no gRPC server, of which nothing is left afterwards."""

from __future__ import annotations

import asyncio
import contextlib

_TURNS = 8  # of the loop: what was accepted last has a task by then that can be ended


@contextlib.asynccontextmanager
async def listening(handle):
    """Have `handle` speak to everybody who connects, given a reader and a writer; yields the address."""
    tasks, writers = set(), []

    async def speak(reader, writer):
        tasks.add(asyncio.current_task())
        writers.append(writer)
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):  # streams would complain of such a task
            await handle(reader, writer)

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)

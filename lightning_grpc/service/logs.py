"""What an app prints, its Flow's process and its Works together, as one stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from dataclasses import dataclass, replace

from lightning_grpc.components.attachment import Attachment
from lightning_grpc.errors import LightningGrpcError
from lightning_grpc.runtimes.remote import connect
from lightning_grpc.wire.client import WorkChannel
from lightning_grpc.wire.logs import LogLine
from lightning_grpc.worker.output import MAX_LINES, OutputLog

ROOT = "root"
"""Under this name, the lines of the Flow's own process are found."""
_LOOK_S = 0.5  # for Works that have started meanwhile
_MAX_WAITING = 64  # batches that wait for a slow reader; then the sources wait, which drop lines and say so

Batch = tuple[list[LogLine], int]


@dataclass(frozen=True)
class Source:
    """A Work whose lines can be read.

    Attributes:
        name: Its full name.
        address: Where it answers.
        epoch: Its incarnation.
        attachment: How to get in there, if it is a service that the app is attached to.
    """

    name: str
    address: str
    epoch: int
    attachment: Attachment | None = None


class AppLogs:
    """Reads the lines of an app's processes.

    Args:
        own: Those of the Flow's process.
        works: Returns the Works that serve at the moment; called on the loop.
        token: What they want to see.

    Threads: Belongs to a loop.
    """

    def __init__(self, own: OutputLog, works: Callable[[], Sequence[Source]], token: str | None) -> None:
        self._own = own
        self._works = works
        self._token = token

    async def read(self, components: Collection[str], tail: int, *, follow: bool) -> AsyncGenerator[Batch, None]:
        """Yield lines, some at a time, and how many of their component's were left out before them.

        Args:
            components: Full names, ``root`` for the Flow's process; none for all.
            tail: How many lines of the past to begin with, for each component.
            follow: Whether to go on with what comes, until the app ends; then lines come as they are read, and Works
                that start later are read too, from their beginning. If not, all lines come in the order of their times.
        """
        queue: asyncio.Queue[Batch] = asyncio.Queue(_MAX_WAITING)
        reading = asyncio.create_task(self._read_all(components, tail, follow, queue), name="reading logs")
        past: list[LogLine] = []
        left_out = 0
        try:
            async with contextlib.aclosing(_taken(queue, reading)) as batches:
                async for lines, dropped in batches:
                    if follow:
                        yield lines, dropped
                    else:
                        past += lines
                        left_out += dropped
            if past or left_out:
                yield sorted(past, key=lambda line: line.at_s), left_out
            await reading  # for what went wrong
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read_all(
        self, components: Collection[str], tail: int, follow: bool, queue: asyncio.Queue[Batch]
    ) -> None:
        wanted = frozenset(components)
        known: set[tuple[str, int]] = set()
        tasks: set[asyncio.Task[None]] = set()
        own = asyncio.create_task(
            self._pass_on(self._own.read(_own_tail(wanted, tail), follow=follow), wanted, queue), name="own logs"
        )
        is_later = False
        try:
            while True:
                for source in self._works():
                    if (not wanted or source.name in wanted) and (source.name, source.epoch) not in known:
                        known.add((source.name, source.epoch))
                        reading = self._read_work(source, MAX_LINES if is_later else tail, follow, queue)
                        tasks.add(asyncio.create_task(reading, name=f"logs of {source.name}"))
                is_later = True  # who starts from now on is read from its beginning
                if follow and not own.done():
                    await asyncio.wait([own], timeout=_LOOK_S)
                else:
                    break
            await asyncio.gather(own, *tasks)
        finally:
            for task in (own, *tasks):
                task.cancel()
            await asyncio.gather(own, *tasks, return_exceptions=True)

    async def _read_work(self, source: Source, tail: int, follow: bool, queue: asyncio.Queue[Batch]) -> None:
        attachment = source.attachment
        channel = WorkChannel(source.address, source.name, self._token) if attachment is None else connect(attachment)
        try:
            lines = channel.logs(tail, follow=follow)
            await self._pass_on(lines if attachment is None else _named(lines, source.name), frozenset(), queue)
        except LightningGrpcError:
            pass  # it has ended, and its last words with it
        finally:
            await channel.close()

    async def _pass_on(
        self, batches: AsyncGenerator[Batch, None], wanted: frozenset[str], queue: asyncio.Queue[Batch]
    ) -> None:
        async with contextlib.aclosing(batches):
            async for lines, dropped in batches:
                if not wanted or ROOT in wanted:
                    await queue.put((lines, dropped))


async def _named(batches: AsyncGenerator[Batch, None], name: str) -> AsyncGenerator[Batch, None]:
    """Yield lines under the name that their Work has in this app."""
    async with contextlib.aclosing(batches):
        async for lines, dropped in batches:
            yield [replace(line, component=name) for line in lines], dropped


async def _taken(queue: asyncio.Queue[Batch], filling: asyncio.Task[None]) -> AsyncGenerator[Batch, None]:
    """Yield what a task puts into a queue, until it is through."""
    while not (filling.done() and queue.empty()):
        getting = asyncio.ensure_future(queue.get())
        try:
            await asyncio.wait({getting, filling}, return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                yield getting.result()
        finally:
            getting.cancel()


def _own_tail(wanted: frozenset[str], tail: int) -> int:
    return tail if not wanted or ROOT in wanted else 0

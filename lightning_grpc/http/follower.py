"""Follows the app's document on behalf of all clients that want events.

There is one replica of the document and one log of deltas, in JSON, however many clients there are. A client is at some
revision; it reads on from the log at its own pace, and gets a snapshot if the log does not reach back so far. So a
slow one costs no memory. While there is no client, nothing is followed.

The stream that is followed belongs to the coordinator's loop, the clients to the server's. A task on the former takes
one message at a time and waits until the latter has taken it in.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import cast

from lightning_grpc.errors import BusyError, ProtocolError
from lightning_grpc.http.rendering import delta_to_json, to_json, write
from lightning_grpc.service.running_app import RunningApp
from lightning_grpc.state.delta import apply
from lightning_grpc.state.log import Log
from lightning_grpc.state.public import to_public
from lightning_grpc.state.subscription import Accepted, Delta, Frame, Snapshot, Subscription
from lightning_grpc.state.values import Document
from lightning_grpc.wire.codec import FrameReader
from lightning_grpc.wire.stream import StateStream

MAX_CLIENTS = 64
"""Clients that may follow events at a time."""
_AT_ONCE = 32  # deltas that a client takes from the log at a time


@dataclass(frozen=True, slots=True)
class Event:
    """What a client is told.

    Attributes:
        name: ``snapshot`` or ``delta``.
        revision: The revision that it leads to.
        data: In JSON: of a snapshot, the whole state; of a delta, DeepDiff's form of it.
    """

    name: str
    revision: int
    data: str


class Follower:
    """Keeps the clients of one app up to date.

    Args:
        running: The app.
        home: The loop that the app's stream belongs to.

    Threads: All on the server's loop.
    """

    def __init__(self, running: RunningApp, home: asyncio.AbstractEventLoop) -> None:
        self._running = running
        self._home = home
        self._document: Document = {}
        self._log: Log[str] = Log()
        self._clients: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None
        self._ended = False

    @property
    def clients(self) -> int:
        """How many clients follow."""
        return len(self._clients)

    async def open(self, after_revision: int) -> AsyncIterator[Event]:
        """Return what has happened since a revision and what happens, until the app ends.

        Args:
            after_revision: The last revision that the client has; 0 if it has none: it gets a snapshot first.

        Raises:
            AppEndedError: The app has ended.
            BusyError: There are too many clients.
        """
        if len(self._clients) >= MAX_CLIENTS:
            raise BusyError(f"{MAX_CLIENTS} clients follow the app's events already; try again later")
        return self._events(await self._running.follow(), after_revision)

    async def _events(self, stream: StateStream, at: int) -> AsyncIterator[Event]:
        news = asyncio.Event()
        self._clients.add(news)
        try:
            self._follow(stream)
            newest = stream.revision
            while True:
                news.clear()
                deltas = self._log.since(at) if at else None
                if self._log.revision < newest and not self._ended:
                    await news.wait()
                elif deltas is None:
                    at = self._log.revision
                    yield self._snapshot()
                elif deltas:
                    for data in deltas[:_AT_ONCE]:
                        at += 1
                        yield Event("delta", at, data)
                elif self._ended:
                    return
                else:
                    await news.wait()
        finally:
            self._clients.discard(news)
            if not self._clients:
                self.pause()

    def pause(self) -> None:
        """Follow no longer, until there is a client again."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _snapshot(self) -> Event:
        revision = self._log.revision
        state = {"epoch": str(self._running.epoch), "revision": revision, "state": to_json(self._document)}
        return Event("snapshot", revision, write(state))

    def _follow(self, stream: StateStream) -> None:
        if self._task is None and not self._ended:
            following = _Following(self, stream, self._log.revision)
            self._task = asyncio.create_task(following.live(self._home), name="app's events")
            self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        if task is self._task:  # and not one that was given up
            self._ended = True
            self._wake()
            task.exception()

    def _wake(self) -> None:
        for news in self._clients:
            news.set()

    def take(self, frames: list[Frame]) -> None:
        """Take in frames that were judged to be the next ones."""
        for frame in frames:
            if isinstance(frame, Snapshot):
                self._document = frame.document
                self._log = Log(revision=frame.revision)
            elif isinstance(frame, Delta):
                public = to_public(apply(self._document, frame.changes))
                data = write(delta_to_json(public))
                self._log.append(data, len(data))
        self._wake()


class _Following:
    """One stretch of following, from when a first client comes to when the last one goes."""

    def __init__(self, follower: Follower, stream: StateStream, revision: int) -> None:
        self._follower = follower
        self._stream = stream
        self._reader = FrameReader(whole_app=True)
        self._subscription = Subscription(stream.epoch)
        self._subscription.revision = revision
        self._loop = asyncio.get_running_loop()
        self._over = False

    async def live(self, home: asyncio.AbstractEventLoop) -> None:
        """Follow until the app ends."""
        try:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._pump(), home))
        finally:
            self._over = True

    async def _pump(self) -> None:
        """Pass messages on, one at a time; on the stream's loop."""
        messages = cast("AsyncGenerator[bytes, None]", self._stream.subscribe(self._subscription.opened()))
        async with contextlib.aclosing(messages):
            async for message in messages:
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._take(message), self._loop))

    async def _take(self, message: bytes) -> None:
        frames = [] if self._over else self._reader.read_bytes(message)
        for frame in frames:
            verdict = self._subscription.receive(frame)
            if not isinstance(verdict, Accepted):
                raise ProtocolError(f"the app's own stream is not in order: {verdict}")
        self._follower.take(frames)

"""One subscription as it was sent: every frame is noted, and applied whether it should be or not.

A subscriber that keeps to the rules gives a stream up at the first fault. Here it goes on, so that a fault is found by
the rule that it breaks, and by no other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from lightning_grpc.errors import LightningGrpcError
from lightning_grpc.standalone.conformance.entries import stage_of
from lightning_grpc.standalone.conformance.rules import Broken
from lightning_grpc.standalone.conformance.transcript import Transcript, render
from lightning_grpc.state.delta import Splice, apply
from lightning_grpc.state.replica import fork
from lightning_grpc.state.subscription import Bookmark, Delta, Frame, Snapshot
from lightning_grpc.state.values import Document
from lightning_grpc.wire.codec import FrameReader
from lightning_grpc.wire.protocol import work_pb
from lightning_grpc.wire.raw_client import RawAnswer, RawStream

_MAX_KEPT = 20_000


class Feed:
    """The frames of one stream, and the document that they make.

    Args:
        stream: The stream.
        name: What to call it in the transcript.
        transcript: Where to note what comes.
        document: What the subscriber has already, if it resumes.
        revision: The revision of that.

    Attributes:
        document: As of the newest frame; None before the first snapshot.
        revision: The newest revision that a frame has named.
        frames: Those that came, oldest first.
        versions: Each revision with its document; they share what is the same in them.
        sizes: Kind and size in bytes of every message.
        answer: How the stream ended; None while it is open.
    """

    def __init__(
        self,
        stream: RawStream,
        name: str,
        transcript: Transcript,
        document: Document | None = None,
        revision: int = 0,
    ) -> None:
        self._stream = stream
        self._name = name
        self._transcript = transcript
        self._reader = FrameReader()
        self._pending: asyncio.Task[bytes | None] | None = None
        self.document = document
        self.revision = revision
        self.frames: deque[Frame] = deque(maxlen=_MAX_KEPT)
        self.versions: deque[tuple[int, Document]] = deque(maxlen=_MAX_KEPT)
        self.sizes: deque[tuple[str, int]] = deque(maxlen=_MAX_KEPT)
        self.answer: RawAnswer | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the stream."""
        self._stream.cancel()
        if self._pending is not None:
            await asyncio.wait([self._pending])

    async def read(self, within_s: float) -> list[Frame] | None:
        """Take in the next message; returns its frames, or None if the time is over or the stream has ended."""
        if self._pending is None:
            self._pending = asyncio.create_task(self._stream.read(), name=f"{self._name} of the check")
        done, _ = await asyncio.wait([self._pending], timeout=within_s)
        if not done:
            return None
        data, self._pending = self._pending.result(), None
        if data is None:
            self.answer = self._stream.answer
            self._transcript.note(f"< {self._name} ends: {self.answer}")
            return None
        return self._take(data)

    async def until(self, condition: Callable[[Self], bool], within_s: float, what: str) -> None:
        """Read until a condition holds.

        Raises:
            Broken: The time is over, or the stream has ended before; `what` tells what was waited for.
        """
        loop = asyncio.get_running_loop()
        end_s = loop.time() + within_s
        while not condition(self):
            if await self.read(end_s - loop.time()) is None:
                if self.answer is not None:
                    raise Broken(f"the stream ended ({self.answer}) before it showed {what}")
                raise Broken(f"the stream did not show {what} within {within_s:g} s")

    async def first(self, within_s: float) -> Frame:
        """Return the first frame."""
        await self.until(lambda feed: bool(feed.frames), within_s, "any frame")
        return self.frames[0]

    async def until_snapshot(self, within_s: float) -> Document:
        """Return the document of the first snapshot, or the one it began with."""
        await self.until(lambda feed: feed.document is not None, within_s, "a snapshot")
        assert self.document is not None
        return self.document

    async def until_over(self, call_hash: str, call_id: str, within_s: float) -> None:
        """Read until an execution is over."""

        def is_over(feed: Feed) -> bool:
            return stage_of(feed.document, call_hash, call_id) in ("succeeded", "failed", "stopped")

        await self.until(is_over, within_s, f"the end of the execution {call_id[:80]}, under calls[{call_hash!r}]")

    def _take(self, data: bytes) -> list[Frame]:
        try:
            message = work_pb.StateDeltaResponse.FromString(data)
            kind = message.WhichOneof("frame") or "of an unknown kind"
            self.sizes.append((kind, len(data)))
            self._transcript.note(f"< {self._name} {render(message, len(data))}")
            frames = self._reader.read(message)
        except (LightningGrpcError, ValueError) as error:
            self._transcript.note(f"< {self._name} {len(data)} bytes: {data[:60].hex(' ')}")
            raise Broken(f"a message of the stream has no meaning: {error}") from None
        for frame in frames:
            self._apply(frame)
        return frames

    def _apply(self, frame: Frame) -> None:
        self.frames.append(frame)
        if isinstance(frame, Bookmark):
            return
        if isinstance(frame, Snapshot):
            self.document = frame.document
        elif self.document is not None:
            document = self.document
            for change in frame.changes:
                document = fork(document, change.path if type(change) is Splice else change.path[:-1])
                try:
                    apply(document, [change])
                except LightningGrpcError as error:
                    raise Broken(f"delta {frame.revision} cannot be applied: {error}") from None
            self.document = document
        self.revision = frame.revision
        if self.document is not None:
            self.versions.append((frame.revision, self.document))

    def epochs(self) -> set[int]:
        """Return the epochs that frames have named."""
        return {frame.epoch for frame in self.frames}

    def deltas(self) -> list[Delta]:
        """Return the deltas."""
        return [frame for frame in self.frames if isinstance(frame, Delta)]

    def bookmarks(self) -> list[Bookmark]:
        """Return the bookmarks."""
        return [frame for frame in self.frames if isinstance(frame, Bookmark)]

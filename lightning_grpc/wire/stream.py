"""The server's side of a state stream: the revisions of one document, and whoever follows them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from lightning_grpc.state.delta import Change
from lightning_grpc.state.digest import Digest
from lightning_grpc.state.log import Log
from lightning_grpc.state.subscription import PublishingCost
from lightning_grpc.state.values import Document
from lightning_grpc.wire import codec

BEAT_S = 1.0
"""This often every subscriber is looked at: whether it is due a bookmark."""
QUIET_BEATS = 3
"""A subscriber that has received nothing for so many beats gets a sign of life."""
PROOF_BEATS = 20
"""However busy or quiet it is, a subscriber gets a digest this often, if that is cheap."""
LONGEST_PAUSE_S = 2.0
"""A subscriber may ask for pauses between frames of so much at most; bookmarks are to come in time."""
_PAUSE_LOOK_S = 0.02
_MOST_TOGETHER = 768  # revisions that a pause lets come together: three quarters of what the log keeps
_DIGEST_SHARE = 0.005  # of one core, at most


class StateStream:
    """Numbers the changes of a document, keeps the newest, and feeds the subscribers.

    Args:
        document: The document; whoever owns it brings it up to date.
        epoch: This incarnation of it.
        revision: The one the document is at.
        cost: Tells what publishing has cost so far, for bookmarks.

    Attributes:
        epoch: The same.
        lock: Held while the document changes, and while it is read here.

    Threads:
        `start` and `subscribe` belong to the loop; `append`, `notify` and `close` may be called by any thread.
    """

    def __init__(
        self,
        document: Document,
        epoch: int,
        *,
        revision: int = 0,
        cost: Callable[[], PublishingCost | None] = lambda: None,
    ) -> None:
        self.epoch = epoch
        self.lock = threading.Lock()
        self._document = document
        self._cost = cost
        self._digest = Digest(document)
        self._digest_due_s = 0.0
        self._log: Log[bytes] = Log(revision=revision)
        self._made_at_s = 0.0
        self._subscribers: set[_Subscriber] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def revision(self) -> int:
        """The newest revision."""
        return self._log.revision

    @property
    def has_subscribers(self) -> bool:
        """Whether anybody follows."""
        return bool(self._subscribers)

    @property
    def subscribers(self) -> int:
        """How many follow."""
        return len(self._subscribers)

    def start(self) -> None:
        """Begin to feed subscribers, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._beat()

    def append(self, changes: Sequence[Change]) -> int:
        """Make changes, which the document has seen already, the next revision; the caller holds `lock`."""
        self._digest.touch(change.path for change in changes)
        self._made_at_s = time.time()
        delta = codec.encode_delta(self._log.revision + 1, changes)
        return self._log.append(delta, len(delta))

    def notify(self) -> None:
        """Wake the subscribers."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody follows any more
                self._loop.call_soon_threadsafe(self.notify_here)

    def notify_here(self) -> None:
        """Wake the subscribers; on the loop."""
        for subscriber in self._subscribers:
            subscriber.event.set()

    def close(self) -> None:
        """Let every stream end when its subscriber has the last revision."""
        self._closed = True
        self.notify()

    def snapshot(self) -> Iterator[bytes]:
        """Return the serialized messages of one frame: the whole document as of the newest revision."""
        with self.lock:
            frame = codec.frame_snapshot(self.epoch, self._log.revision, self._document)
        return codec.chunked(frame)

    async def subscribe(self, after_revision: int, pause_s: float = 0.0) -> AsyncIterator[bytes]:
        """Yield the serialized messages of one subscriber's stream.

        A slow subscriber costs no memory: it is at some revision, and catches up from the log when it reads
        on, or by a snapshot if the log has moved on too far.

        Args:
            after_revision: The last revision the subscriber has; 0 for a snapshot.
            pause_s: The least time between two frames, unless so much comes meanwhile that the log would forget it.
        """
        subscriber = _Subscriber(after_revision)
        self._subscribers.add(subscriber)
        try:
            while True:
                subscriber.event.clear()
                frame = self._next_frame(subscriber)
                if frame is not None:
                    for message in codec.chunked(frame):
                        yield message
                    await self._pause(subscriber, min(pause_s, LONGEST_PAUSE_S))
                elif self._closed:
                    return
                else:
                    await subscriber.event.wait()
        finally:
            self._subscribers.discard(subscriber)

    async def _pause(self, subscriber: _Subscriber, pause_s: float) -> None:
        """Let revisions come together, as long as the log surely has them."""
        ends_s = time.monotonic() + pause_s
        while not self._closed and (left_s := ends_s - time.monotonic()) > 0:
            if self._log.revision - subscriber.revision >= _MOST_TOGETHER:
                return
            await asyncio.sleep(min(left_s, _PAUSE_LOOK_S))

    def _next_frame(self, subscriber: _Subscriber) -> bytes | None:
        with self.lock:
            revision = self._log.revision
            deltas = self._log.since(subscriber.revision) if subscriber.revision else None
            if deltas:
                subscriber.received(revision)
                return codec.frame_deltas(self.epoch, deltas, self._made_at_s)
            if deltas is None:
                subscriber.received(revision)
                return codec.frame_snapshot(self.epoch, revision, self._document)
            if subscriber.is_due():
                digest = self._affordable_digest() if subscriber.wants_proof else None
                subscriber.reassured(digest is not None)
                return codec.frame_bookmark(self.epoch, revision, digest, self._cost())
        return None

    def _affordable_digest(self) -> int | None:
        if time.monotonic() < self._digest_due_s:
            return None
        started_s = time.thread_time()
        value = self._digest.value()
        self._digest_due_s = time.monotonic() + (time.thread_time() - started_s) / _DIGEST_SHARE
        return value

    def _beat(self) -> None:
        """Make every subscriber that has heard nothing for a while hear that all is well, and how it stands."""
        if self._closed:
            return
        for subscriber in self._subscribers:
            subscriber.beat()
        assert self._loop is not None
        self._loop.call_later(BEAT_S, self._beat)


class _Subscriber:
    """One stream: the revision it is at, whether a digest has proven that, and what it waits for."""

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self.event = asyncio.Event()
        self._is_proven = False
        self._quiet_beats = 0
        self._beats_since_proof = 0

    def received(self, revision: int) -> None:
        """Note that a frame was sent that brings the subscriber to a revision."""
        self.revision = revision
        self._is_proven = False
        self._quiet_beats = 0

    def reassured(self, proof: bool) -> None:
        """Note that a bookmark was sent, with a digest or without."""
        self._quiet_beats = 0
        if self.wants_proof:
            self._is_proven = proof
            self._beats_since_proof = 0

    def beat(self) -> None:
        """Note that time has passed."""
        self._quiet_beats += 1
        self._beats_since_proof += 1
        if self.is_due():
            self.event.set()

    @property
    def wants_proof(self) -> bool:
        """Whether the next bookmark shall carry a digest."""
        return not self._is_proven or self._beats_since_proof >= PROOF_BEATS

    def is_due(self) -> bool:
        """Tell whether a bookmark is due, if there is nothing else to send."""
        silence = QUIET_BEATS if self._is_proven else 1
        return self._quiet_beats >= silence or self._beats_since_proof >= PROOF_BEATS

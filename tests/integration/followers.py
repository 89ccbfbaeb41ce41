"""What follows a Work's state on a channel of its own, as any client would."""

from __future__ import annotations

import asyncio
import contextlib

from lightning_grpc.state.delta import apply
from lightning_grpc.state.digest import digest
from lightning_grpc.state.subscription import Accepted, Bookmark, Delta, Snapshot, Subscription

DEADLINE_S = 40


class Follower:
    """Follows a Work's state on one stream, and judges every frame by the rules of a subscription."""

    def __init__(self, epoch):
        self.subscription = Subscription(epoch)
        self.document = None
        self.revision = 0
        self.has_ended = False
        self._changed = asyncio.Condition()

    async def until(self, condition):
        """Wait until a condition holds."""
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(lambda: self.has_ended or (self.document is not None and condition(self)))
        assert condition(self), "the stream has ended before"

    async def to_the_end(self):
        """Wait until the Work has ended the stream."""
        await self.until(lambda _: self.has_ended)

    def stage(self, call_hash):
        """The stage of a call; empty if there is no entry for it."""
        entry = self.document["calls"].get(call_hash)
        return entry["statuses"][-1]["stage"] if entry else ""

    @property
    def vars(self):
        """The Work's attributes."""
        return self.document["vars"]

    async def follow(self, channel, epoch):
        try:
            async with contextlib.aclosing(channel.state_delta(epoch, self.subscription.opened())) as stream:
                async for frames in stream:
                    async with self._changed:
                        for frame in frames:
                            self._take(frame)
                        self._changed.notify_all()
        finally:
            async with self._changed:
                self.has_ended = True
                self._changed.notify_all()

    def _take(self, frame):
        assert isinstance(self.subscription.receive(frame), Accepted)
        if isinstance(frame, Snapshot):
            self.document = frame.document
        elif isinstance(frame, Delta):
            apply(self.document, frame.changes)
        elif isinstance(frame, Bookmark):
            assert frame.digest is None or frame.digest == digest(self.document)
        self.revision = frame.revision


@contextlib.asynccontextmanager
async def following(channel, epoch):
    """Follow a Work from its snapshot on; errors of the stream are raised at the end."""
    follower = Follower(epoch)
    task = asyncio.create_task(follower.follow(channel, epoch), name="follow")
    try:
        await follower.until(lambda _: True)
        yield follower
    finally:
        if not task.done():
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

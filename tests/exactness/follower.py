"""The coordinator's own parts around one Work, without a Flow's loop: supervisor, link, mirror.

What `LightningApp.run` does between two runs of the root, `Follower.until` does on the test's thread, so that a
test can look at the mirror after every batch of events.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time

import lightning_grpc as L
from lightning_grpc.components.calls import call_hash
from lightning_grpc.coordinator.events import FramesReceived
from lightning_grpc.coordinator.inbox import Inbox
from lightning_grpc.coordinator.mirror import Mirror
from lightning_grpc.coordinator.record import Journal
from lightning_grpc.coordinator.supervisor import Supervisor
from lightning_grpc.coordinator.works import Works
from lightning_grpc.errors import TransportError
from lightning_grpc.runtimes.local import LocalRuntime
from lightning_grpc.state.digest import digest
from lightning_grpc.state.subscription import Bookmark, Delta, Snapshot
from lightning_grpc.wire.client import WorkChannel

DEADLINE_S = 40


class Follower:
    """Follows one Work as the coordinator does, and notes what is applied.

    Attributes:
        revisions: Of the deltas that were given to the mirror, in order.
        applied: Kind and revision of everything that was given to it.
        proven: Revisions of the bookmarks whose digest was that of the mirror, computed from nothing.
        broken: Those whose digest was not.
    """

    def __init__(self, work, runtime=None):
        class Root(L.LightningFlow):
            def __init__(self):
                super().__init__()
                self.work = work

        self.root = Root()
        self.work = work
        self.runtime = runtime or LocalRuntime()
        self.inbox = Inbox()
        self.supervisor = Supervisor(self.runtime, self.inbox)
        self.journal = Journal()
        self.works = Works(self.journal, self.runtime.pack)
        self.applied = []
        self.proven = []
        self.broken = []
        self._latest = ""

    def __enter__(self):
        self.supervisor.start(lambda: None)
        self.works.take_in(self.work, ("works", "work"))
        self.works.start(self.work)
        self._record = self.works.record(self.work)
        return self

    def __exit__(self, *_):
        self.supervisor.close()

    @property
    def mirror(self) -> Mirror:
        return self._record.mirror

    @property
    def document(self):
        return self.mirror.replica

    @property
    def vars(self):
        return self.document["vars"]

    @property
    def revisions(self):
        return [revision for kind, revision in self.applied if kind == "Delta"]

    @property
    def link(self):
        return self.supervisor._links[self._record.name, self._record.incarnation]

    @property
    def resyncs(self):
        """How often a snapshot was asked for because a rule was broken, as the link counts it."""
        return self.link._subscription.resyncs

    @property
    def counted(self):
        """How often the mirror had to be made anew, as the app's metrics have it."""
        return self._record.meter.resyncs

    def call(self, *args):
        """Have the Work's run executed with arguments that no call had before."""
        self._latest = call_hash(args, {})
        self.works.call(self.work, args, {})
        self._carry_out()

    def has_finished(self):
        """Whether the Work itself says that the latest call is over."""
        entry = self.document["calls"].get(self._latest)
        return bool(entry) and entry["statuses"][-1]["stage"] == "succeeded"

    def until(self, condition, what=""):
        """Take events in until a condition holds."""
        deadline_s = time.monotonic() + DEADLINE_S
        while not condition():
            assert self.works.failure is None, self.works.failure
            assert time.monotonic() < deadline_s, f"not reached: {what or condition}; {self.story()}"
            self.take(0.02)

    def take(self, wait_s):
        """Take in the events that are there."""
        for event in self.inbox.take(wait_s):
            self.works.now = time.time()
            if isinstance(event, FramesReceived):
                for frame in event.frames:
                    self._take_frame(event, frame)
            else:
                self.works.receive(event)
        self._carry_out()

    def story(self):
        """What a person wants to know of a follower that does not get on."""
        return f"vars {str(self.vars)[:300]}, calls {str(self.document['calls'])[:600]}, applied {self.applied[-9:]}"

    def _take_frame(self, event, frame):
        lost = self._record.lost_track
        self.works.receive(dataclasses.replace(event, frames=[frame]))
        if isinstance(frame, Bookmark) and frame.digest is not None and not lost:
            (self.proven if digest(self.document) == frame.digest else self.broken).append(frame.revision)
        if not self._record.lost_track and isinstance(frame, Delta | Snapshot):
            self.applied.append((type(frame).__name__, frame.revision))

    def _carry_out(self):
        commands, self.works.commands = self.works.commands, []
        self.supervisor.carry_out(commands)


@contextlib.asynccontextmanager
async def serving(work):
    """A Work's process without a coordinator; yields its handle and how to open a channel to it."""
    runtime = LocalRuntime()
    channels = []

    async def connect():
        channel = WorkChannel(handle.address, "root.w", runtime.token)
        channels.append(channel)
        async with asyncio.timeout(DEADLINE_S):
            while True:  # a busy machine may take longer than gRPC waits for a connection
                with contextlib.suppress(TransportError):
                    await channel.describe()
                    return channel
                await asyncio.sleep(0.01)

    try:
        handle = await runtime.start("root.w", runtime.pack(work))
        yield handle, connect
    finally:
        await asyncio.gather(*(channel.close() for channel in channels))
        await runtime.close()

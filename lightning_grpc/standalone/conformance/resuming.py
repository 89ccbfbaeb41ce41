"""Rules of how a stream goes on where another one ended, and of epochs."""

from __future__ import annotations

from lightning_grpc.standalone.conformance.probe import Probe
from lightning_grpc.standalone.conformance.rules import Broken, Skipped, rule
from lightning_grpc.state.subscription import Bookmark, Delta, Snapshot
from lightning_grpc.state.values import Document, same

_GROUP = "resuming"
_FAR = 1 << 40


@rule(
    "stream-resumes-by-revision",
    _GROUP,
    "A stream asked for from revision r goes on with r + 1, or with a snapshot if that is gone.",
    "the-stream",
)
async def _stream_resumes_by_revision(probe: Probe) -> None:
    epoch, versions = await _some_versions(probe)
    (revision, document), (newest, last) = versions[1], versions[-1]
    async with probe.subscribe(epoch, revision, document) as feed:
        frame = await feed.first(probe.patience.answer_s)
        if isinstance(frame, Bookmark):
            raise Broken(
                f"asked for what comes after revision {revision}, it sends a bookmark; revision {newest} is there"
            )
        if isinstance(frame, Delta) and frame.revision != revision + 1:
            raise Broken(f"asked for what comes after revision {revision}, it goes on with delta {frame.revision}")
        if isinstance(frame, Snapshot) and frame.revision < newest:
            raise Broken(f"it sends snapshot {frame.revision}, though revision {newest} was there before")
        await feed.until(lambda feed: feed.revision >= newest, probe.patience.answer_s, f"revision {newest}")
        resumed = dict(feed.versions).get(newest)
    if resumed is not None and not same(resumed, last):
        raise Broken(f"after it was resumed at revision {revision}, the document at {newest} is another one")


@rule(
    "stream-resumes-at-the-newest-revision",
    _GROUP,
    "A stream asked for from the newest revision sends no snapshot, and says by a bookmark that nothing has changed.",
    "the-stream",
)
async def _stream_resumes_at_the_newest_revision(probe: Probe) -> None:
    epoch, versions = await _some_versions(probe)
    revision, document = versions[-1]
    async with probe.subscribe(epoch, revision, document) as feed:
        await feed.read(probe.patience.bookmark_s)
        if not feed.frames:
            raise Skipped("nothing came")
        frame = feed.frames[0]
        if isinstance(frame, Snapshot):
            raise Broken(f"it sends a snapshot of revision {frame.revision}, which the subscriber has")
        if isinstance(frame, Delta) and frame.revision != revision + 1:
            raise Broken(f"at revision {revision}, it goes on with delta {frame.revision}")


@rule(
    "old-revision-is-never-skipped",
    _GROUP,
    "A stream asked for from revision 1 goes on with 2, or with a snapshot if that is gone.",
    "the-stream",
)
async def _old_revision_is_never_skipped(probe: Probe) -> None:
    epoch, _ = await _some_versions(probe)
    async with probe.subscribe(epoch, 1) as feed:
        frame = await feed.first(probe.patience.answer_s)
    if isinstance(frame, Bookmark) or (isinstance(frame, Delta) and frame.revision != 2):
        raise Broken(f"it goes on with a {type(frame).__name__.lower()} of revision {frame.revision}")


@rule(
    "future-revision-gets-a-snapshot",
    _GROUP,
    "A stream asked for from a revision in the future begins with a snapshot.",
    "the-stream",
)
async def _future_revision_gets_a_snapshot(probe: Probe) -> None:
    told = await probe.describe()
    async with probe.subscribe(told.epoch, told.revision + _FAR) as feed:
        frame = await feed.first(probe.patience.answer_s)
    if not isinstance(frame, Snapshot):
        raise Broken(f"it begins with a {type(frame).__name__.lower()} of revision {frame.revision}")


@rule(
    "foreign-epoch-gets-no-stream",
    _GROUP,
    "A stream for another epoch is refused with FAILED_PRECONDITION.",
    "epochs-and-revisions",
)
async def _foreign_epoch_gets_no_stream(probe: Probe) -> None:
    told = await probe.describe()
    for epoch in (told.epoch + 1, max(told.epoch - 1, 1)):
        if epoch == told.epoch:
            continue
        async with probe.subscribe(epoch, told.revision) as feed:
            await feed.read(probe.patience.answer_s)
            if feed.frames:
                raise Broken(f"a stream for epoch {epoch} was begun, though this is epoch {told.epoch}")
            if feed.answer is None:
                raise Broken(f"a stream for epoch {epoch} was neither begun nor refused")
            probe.expect_code(feed.answer, ("FAILED_PRECONDITION",), f"a stream for epoch {epoch}")


async def _some_versions(probe: Probe) -> tuple[int, list[tuple[int, Document]]]:
    """Have two executions made; returns the epoch, and the versions that they led through, three at least."""
    async with probe.subscribe() as feed:
        await feed.until_snapshot(probe.patience.answer_s)
        epoch = feed.frames[0].epoch
        for number in (1, 2):
            call_hash, call_id = probe.call(number)
            await probe.run(probe.run_request(call_hash, call_id))
            await feed.until_over(call_hash, call_id, probe.patience.run_s)
        return epoch, list(feed.versions)

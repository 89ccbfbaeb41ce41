"""Rules of the state's stream while it is open."""

from __future__ import annotations

import asyncio

from lightning_grpc.standalone.conformance.feed import Feed
from lightning_grpc.standalone.conformance.probe import Probe
from lightning_grpc.standalone.conformance.rules import Broken, Skipped, rule
from lightning_grpc.state.digest import digest
from lightning_grpc.state.subscription import Bookmark, Delta, Snapshot
from lightning_grpc.state.values import same

_GROUP = "stream"
_SUBSCRIBERS = 3
_LARGE_BYTES = 3 << 20
_WHOLE_BYTES = (1 << 20) + 4096  # a part of 1 MiB with what it is wrapped in


@rule(
    "snapshot-comes-first", _GROUP, "A stream that is asked for from revision 0 begins with a snapshot.", "the-stream"
)
async def _snapshot_comes_first(probe: Probe) -> None:
    async with probe.subscribe() as feed:
        frame = await feed.first(probe.patience.answer_s)
    if not isinstance(frame, Snapshot):
        raise Broken(f"it begins with a {type(frame).__name__.lower()}")
    if frame.revision < 1:
        raise Broken(f"the snapshot is of revision {frame.revision}; the first is 1")


@rule(
    "document-has-its-sections",
    _GROUP,
    "A document has the sections vars and calls, and calls tells the latest_call_hash.",
    "documents-values-and-changes",
)
async def _document_has_its_sections(probe: Probe) -> None:
    async with probe.subscribe() as feed:
        document = await feed.until_snapshot(probe.patience.answer_s)
    if set(document) != {"vars", "calls"}:
        raise Broken(f"the document has the sections {sorted(document)}")
    if "latest_call_hash" not in document["calls"]:
        raise Broken("calls has no latest_call_hash; it is null before the first call")
    latest = document["calls"]["latest_call_hash"]
    if latest is not None and latest not in document["calls"]:
        raise Broken(f"latest_call_hash is {latest!r}, of which calls has no entry")


@rule("frames-name-the-epoch", _GROUP, "Every frame names the epoch that Describe tells.", "epochs-and-revisions")
async def _frames_name_the_epoch(probe: Probe) -> None:
    epoch = (await probe.describe()).epoch
    async with probe.subscribe() as feed:
        await _run_to_its_end(probe, feed)
        await _has_bookmark(feed, probe.patience.bookmark_s)
        if feed.epochs() != {epoch}:
            raise Broken(f"Describe tells the epoch {epoch}, the frames {sorted(feed.epochs())}")


@rule("revisions-are-contiguous", _GROUP, "Every delta is of the revision that comes next.", "epochs-and-revisions")
async def _revisions_are_contiguous(probe: Probe) -> None:
    async with probe.subscribe() as feed:
        for number in (1, 2):
            await _run_to_its_end(probe, feed, number)
        if not feed.deltas():
            raise Broken("two executions made no delta")
        revision = 0
        for frame in feed.frames:
            if isinstance(frame, Delta) and frame.revision != revision + 1:
                raise Broken(f"delta {frame.revision} came after revision {revision}")
            if isinstance(frame, Snapshot) and frame.revision < revision:
                raise Broken(f"snapshot {frame.revision} came after revision {revision}")
            if not isinstance(frame, Bookmark):
                revision = frame.revision


@rule("subscribers-agree", _GROUP, "All subscribers see the same document at a revision.", "the-stream")
async def _subscribers_agree(probe: Probe) -> None:
    feeds = [probe.subscribe() for _ in range(_SUBSCRIBERS)]
    try:
        for feed in feeds:
            await feed.until_snapshot(probe.patience.answer_s)
        call_hash, call_id = probe.call()
        await probe.run(probe.run_request(call_hash, call_id))
        for feed in feeds:
            await feed.until_over(call_hash, call_id, probe.patience.run_s)
    finally:
        for feed in feeds:
            await feed.close()
    first = dict(feeds[0].versions)
    for feed in feeds[1:]:
        for revision, document in feed.versions:
            if revision in first and not same(first[revision], document):
                raise Broken(f"two subscribers see different documents at revision {revision}")


@rule("bookmarks-come-when-idle", _GROUP, "While nothing changes, a bookmark comes every three seconds.", "the-stream")
async def _bookmarks_come_when_idle(probe: Probe) -> None:
    async with probe.subscribe() as feed:
        await feed.until_snapshot(probe.patience.answer_s)
        for _ in range(2):
            if await feed.read(probe.patience.bookmark_s) is None:
                raise Broken(f"nothing came for {probe.patience.bookmark_s:g} s")


@rule("bookmarks-are-at-the-revision", _GROUP, "A bookmark names the revision that the subscriber has.", "the-stream")
async def _bookmarks_are_at_the_revision(probe: Probe) -> None:
    async with probe.subscribe() as feed:
        await _run_to_its_end(probe, feed)
        if not await _has_bookmark(feed, probe.patience.bookmark_s):
            raise Skipped("no bookmark came")
        revision = 0
        for frame in feed.frames:
            if isinstance(frame, Bookmark) and revision and frame.revision != revision:
                raise Broken(f"a bookmark names revision {frame.revision}, the subscriber has {revision}")
            revision = frame.revision


@rule(
    "digests-come",
    _GROUP,
    "A bookmark with a digest comes every twenty seconds, or right after a change.",
    "the-stream",
)
async def _digests_come(probe: Probe) -> None:
    async with probe.subscribe() as feed:
        if not await _has_bookmark(feed, probe.patience.bookmark_s):
            raise Skipped("no bookmark came")
        if not await _has_digest(feed, probe.patience.digest_s):
            raise Broken(f"no bookmark with a digest came within {probe.patience.digest_s:g} s")


@rule("digest-proves-the-document", _GROUP, "A digest is that of the document at its revision.", "digest")
async def _digest_proves_the_document(probe: Probe) -> None:
    async with probe.subscribe() as feed:
        await feed.until_snapshot(probe.patience.answer_s)
        await _compare_digest(probe, feed, "of the snapshot")
        await _run_to_its_end(probe, feed)
        feed.frames.clear()
        await _compare_digest(probe, feed, "that the deltas have made")


@rule("large-frames-come-in-parts", _GROUP, "A frame of more than 1 MiB comes in chunks.", "the-stream")
async def _large_frames_come_in_parts(probe: Probe) -> None:
    name = probe.offer.attribute
    if not name:
        raise Skipped("no attribute is known that may hold any value; name one")
    call_hash, call_id = probe.call()
    async with probe.subscribe() as feed:
        before = (await feed.until_snapshot(probe.patience.answer_s))["vars"].get(name)
        await probe.run(probe.run_request(call_hash, call_id, attributes={name: "x" * _LARGE_BYTES}))
        try:
            await feed.until_over(call_hash, call_id, probe.patience.run_s)
            async with probe.subscribe() as other:
                document = await other.until_snapshot(probe.patience.answer_s)
            for each in (feed, other):
                _check_parts(each)
            if document["vars"].get(name) != "x" * _LARGE_BYTES:
                raise Broken(f"the snapshot in parts does not show the attribute {name} as it was set")
        finally:
            await probe.execute(2, attributes={name: before})


def _check_parts(feed: Feed) -> None:
    for kind, size_bytes in feed.sizes:
        if kind != "chunk" and size_bytes > _WHOLE_BYTES:
            raise Broken(f"a frame of {size_bytes} bytes came in one message")
    if not any(kind == "chunk" for kind, _ in feed.sizes):
        raise Broken(f"a document of {_LARGE_BYTES} bytes came without chunks")


async def _run_to_its_end(probe: Probe, feed: Feed, number: int = 1) -> None:
    await feed.until_snapshot(probe.patience.answer_s)
    call_hash, call_id = probe.call(number)
    await probe.run(probe.run_request(call_hash, call_id))
    await feed.until_over(call_hash, call_id, probe.patience.run_s)


async def _has_bookmark(feed: Feed, within_s: float) -> bool:
    return await _has(feed, within_s, with_digest=False)


async def _has_digest(feed: Feed, within_s: float) -> bool:
    return await _has(feed, within_s, with_digest=True)


async def _has(feed: Feed, within_s: float, *, with_digest: bool) -> bool:
    loop = asyncio.get_running_loop()
    end_s = loop.time() + within_s
    while not any(each.digest is not None or not with_digest for each in feed.bookmarks()):
        if await feed.read(end_s - loop.time()) is None:
            return False
    return True


async def _compare_digest(probe: Probe, feed: Feed, which: str) -> None:
    if not (await _has_bookmark(feed, probe.patience.bookmark_s) and await _has_digest(feed, probe.patience.digest_s)):
        raise Skipped("no bookmark with a digest came")
    told = next(each.digest for each in feed.bookmarks() if each.digest is not None)
    assert feed.document is not None
    own = digest(feed.document)
    if told != own:
        raise Broken(
            f"at revision {feed.revision} it tells the digest {told:016x}; that of the document {which} is {own:016x}"
        )

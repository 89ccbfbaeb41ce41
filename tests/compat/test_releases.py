"""Peers of different releases: what was recorded with the first one is read, and answered, today as it was then."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading

import pytest
import record
from recorded_work import Recorded
from replayed import HERE, RELEASED, Release, ReplayedRuntime

import lightning_grpc as L
from lightning_grpc.components.calls import call_hash
from lightning_grpc.errors import LightningGrpcError, ProtocolError, WorkFailedError
from lightning_grpc.state.delta import apply
from lightning_grpc.state.digest import canonical, digest
from lightning_grpc.state.subscription import Accepted, Bookmark, Delta, Snapshot, Subscription
from lightning_grpc.wire.client import WorkChannel
from lightning_grpc.wire.codec import FrameReader
from lightning_grpc.wire.protocol import PROTOCOL_MAJOR, PROTOCOL_MINOR

VERSIONS = sorted(path.stem.removeprefix("v") for path in HERE.glob("v*.json"))
STREAMS = ["all of its state", "what came after the snapshot"]
FIRST, SECOND = call_hash(record.ARGS, {}), call_hash(*record.FAILING[1:])
MIXED = (None, True, 2**70, -0.0, "é")
DEADLINE_S = 30

releases = pytest.mark.parametrize("release", [Release(version) for version in VERSIONS], ids=VERSIONS)


def fold(messages, epoch, revision=0, document=None):
    """Follow a stream as a client does; returns the document, the kinds of frames, and how many had a digest."""
    reader, subscription, kinds, proofs = FrameReader(), Subscription(epoch), set(), 0
    subscription.revision = revision
    subscription.opened()
    for message in messages:
        for frame in reader.read_bytes(message):
            assert isinstance(subscription.receive(frame), Accepted)
            kinds.add(type(frame))
            if isinstance(frame, Snapshot):
                document = frame.document
            elif isinstance(frame, Delta):
                apply(document, frame.changes)
            elif frame.digest is not None:
                assert frame.digest == digest(document)
                proofs += 1
    return document, kinds, proofs


def settled(document):
    """A document without what differs from one conversation to the next: times, epochs, and places in tracebacks."""
    for entry in document["calls"].values():
        if isinstance(entry, dict):
            for status in entry["statuses"]:
                status["timestamp"] = 0.0
                if "message" in status:
                    status["message"] = status["message"].strip().splitlines()[-1]
            if entry["name"] == "start":
                entry["call_id"] = ""
    return canonical(document)  # in which nan is nan, and the order of attributes does not matter


def test_every_released_protocol_was_recorded():
    assert sorted(path.stem.removeprefix("v") for path in RELEASED.glob("*.binpb")) == VERSIONS
    assert "1.0" in VERSIONS


@releases
@pytest.mark.parametrize("what", STREAMS)
def test_the_recorded_stream_is_followed_and_proven(release, what):
    start = ()
    if what != STREAMS[0]:
        [first] = FrameReader().read_bytes(release.answer(STREAMS[0])[0])
        start = (first.revision, first.document)
    document, kinds, proofs = fold(release.answer(what), release.epoch, *start)
    assert proofs >= 1
    assert kinds == {Snapshot, Delta, Bookmark} - (set() if what == STREAMS[0] else {Snapshot})
    assert document["vars"]["counter"] == (70 if what == STREAMS[0] else 7)
    assert document["vars"]["items"] == ["first", 1, 2, 3, 4, 0, 1]
    assert document["vars"]["table"][4] == {"4": (4, 2.0)}
    assert [each for each in document["vars"]["mixed"] if each == each] == list(MIXED)
    assert math.copysign(1.0, document["vars"]["mixed"][3]) == -1.0
    assert document["calls"][FIRST]["statuses"][-1]["stage"] == "succeeded"
    assert document["calls"][SECOND]["statuses"][-1]["exception"] == "ValueError"


def parts_of(release):
    """The messages of the whole stream: what came before the first run, then before the second, and the rest."""
    parts, seen = [[]], [FIRST.encode(), SECOND.encode()]
    for message in release.answer(STREAMS[0]):
        if len(parts) <= len(seen) and seen[len(parts) - 1] in message:
            parts.append([])
        parts[-1].append(message)
    assert len(parts) == 3
    return parts


class Root(L.LightningFlow):
    """Asks for what the recorded client asked for."""

    def __init__(self):
        super().__init__()
        self.w = Recorded()
        self.seen = 0

    def run(self):
        self.w.run(*record.ARGS)
        if self.w.has_succeeded:
            self.seen = self.w.counter
            self.w.run(*record.FAILING[1], **record.FAILING[2])


@releases
@pytest.mark.parametrize("is_newer", [False, True], ids=["as recorded", "with what nobody knows"])
def test_an_app_of_now_runs_with_a_work_of_the_release(release, is_newer):
    runtime = ReplayedRuntime(release, parts_of(release), is_newer=is_newer)
    root = Root()
    with pytest.raises(WorkFailedError, match="as it was asked to") as failed:
        L.LightningApp(root).run(runtime)
    assert failed.value.remote_type == "ValueError"
    assert root.seen == 5
    assert root.w.items == ["first", 1, 2, 3, 4, 0, 1]
    runs = [release.message("RunRequest", request) for method, request in runtime.asked if method == "Run"]
    then = [bytes.fromhex(call["request"]) for call in release.calls if call["what"] in ("a run", "a run that fails")]
    for now, data in zip(runs, then, strict=True):
        recorded = release.message("RunRequest", data)
        assert (now.call_hash, now.args, now.kwargs) == (recorded.call_hash, recorded.args, recorded.kwargs)


@releases
def test_a_work_of_now_answers_as_the_release_did(release):
    epoch, calls = asyncio.run(record.conversation())
    assert [(call["what"], call["code"], call.get("reason")) for call in calls] == [
        (call["what"], call["code"], call.get("reason")) for call in release.calls
    ]
    for now, then in zip(calls, release.calls, strict=True):
        assert request_of(release, now) == request_of(release, then)
        if now["method"] == "StateDelta":
            continue
        assert len(now["answer"]) == len(then["answer"])
        for ours, theirs in zip(now["answer"], then["answer"], strict=True):
            assert answer_of(release, now, ours) == answer_of(release, then, theirs)
    streams = [[bytes.fromhex(each) for each in call["answer"]] for call in calls if call["what"] == STREAMS[0]]
    as_read_then = [release.message("StateDeltaResponse", each).SerializeToString() for each in streams[0]]
    ours, *_ = fold(as_read_then, epoch)
    theirs, *_ = fold(release.answer(STREAMS[0]), release.epoch)
    assert settled(ours) == settled(theirs)


def request_of(release, call):
    """A request, as the release reads it, without what differs from one conversation to the next."""
    message = release.message(f"{call['method']}Request", bytes.fromhex(call["request"]))
    for field in ("epoch", "after_revision"):
        if field in message.DESCRIPTOR.fields_by_name:
            message.ClearField(field)
    return message


def answer_of(release, call, data):
    """An answer, as the release reads it, without what differs from one conversation to the next."""
    message = release.message(f"{call['method']}Response", bytes.fromhex(data))
    for field in ("epoch", "revision"):
        if field in message.DESCRIPTOR.fields_by_name:
            message.ClearField(field)
    if call["method"] == "Describe":
        assert message.protocol_version.major == PROTOCOL_MAJOR
        message.protocol_version.ClearField("minor")
    return message


def describing(release, version):
    """Describe a Work of the release that says another version of itself; returns the description."""

    async def describe():
        runtime = ReplayedRuntime(release, [[]], version=version, is_newer=True)
        handle = await runtime.start("root.w", b"")
        channel = WorkChannel(handle.address, "root.w")
        try:
            return await channel.describe(DEADLINE_S)
        finally:
            await channel.close()
            with contextlib.suppress(asyncio.InvalidStateError):
                await runtime.close()

    return asyncio.run(describe())


def version_field(major, minor):
    """The bytes of field 4 of a DescribeResponse."""
    return bytes([0x22, 4, 0x08, major, 0x10, minor])


@releases
@pytest.mark.parametrize("minor", [0, PROTOCOL_MINOR, 99])
def test_a_peer_of_another_minor_version_is_described(release, minor):
    description = describing(release, version_field(PROTOCOL_MAJOR, minor))
    assert description.class_name == "Recorded"
    assert description.protocol_version.minor == minor


@releases
@pytest.mark.parametrize("major", [PROTOCOL_MAJOR - 1, PROTOCOL_MAJOR + 1])
def test_a_peer_of_another_major_version_is_refused_and_both_are_named(release, major):
    with pytest.raises(ProtocolError) as refused:
        describing(release, version_field(major, 7))
    assert f"protocol {major}.7" in str(refused.value)
    assert f"{PROTOCOL_MAJOR}.{PROTOCOL_MINOR}" in str(refused.value)


@contextlib.contextmanager
def served_elsewhere(release, version):
    """Serve the recorded Work, which says another version of itself, on a loop of its own; yields the address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="replayed")
    thread.start()
    runtime = ReplayedRuntime(release, parts_of(release), version=version)
    try:
        yield asyncio.run_coroutine_threadsafe(runtime.start("root.w", b""), loop).result(DEADLINE_S).address
    finally:
        asyncio.run_coroutine_threadsafe(runtime.close(), loop).result(DEADLINE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(DEADLINE_S)
        loop.close()


class Attached(L.LightningFlow):
    """Calls a Work that runs elsewhere."""

    def __init__(self, address):
        super().__init__()
        self.w = Recorded().at(address)

    def run(self):
        self.w.run(1)


BOTH = rf"protocol 2\.7.*{PROTOCOL_MAJOR}\.{PROTOCOL_MINOR}"


@releases
def test_a_remote_work_of_another_major_version_is_refused(release):
    with (
        served_elsewhere(release, version_field(2, 7)) as address,
        pytest.raises(ProtocolError, match=BOTH),
    ):
        L.RemoteWork(address)


@releases
def test_a_client_of_a_work_of_another_major_version_is_told_both(release):
    with (
        served_elsewhere(release, version_field(2, 7)) as address,
        pytest.raises(ProtocolError, match=BOTH),
        L.WorkClient(address) as client,
    ):
        client.run(1)


@releases
def test_an_app_that_is_attached_to_a_work_of_another_major_version_is_told_both(release):
    with served_elsewhere(release, version_field(2, 7)) as address:
        app = L.LightningApp(Attached(address))
        with pytest.raises(LightningGrpcError, match=BOTH):
            app.run()

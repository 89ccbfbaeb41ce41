"""The test vectors of the protocol: they are what the code says, and say what the protocol's document does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import vectors

from lightning_grpc.errors import ProtocolError
from lightning_grpc.state.delta import apply
from lightning_grpc.state.digest import canonical, digest, entry_hash
from lightning_grpc.state.subscription import (
    Accepted,
    Bookmark,
    Delta,
    Foreign,
    Ignored,
    Resync,
    Snapshot,
    Subscription,
)
from lightning_grpc.state.values import copy, same
from lightning_grpc.v1 import value_pb2 as pb
from lightning_grpc.wire import codec

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
VERDICTS = {Accepted: "accepted", Resync: "resync", Foreign: "foreign", Ignored: "ignored"}
MADE = {name: (vectors.TESTDATA / name).read_text(encoding="utf-8") for name in vectors.FILES}
VALUES, DOCUMENTS, DELTAS, STREAMS = (
    json.loads(MADE[f"{name}.json"]) for name in ("values", "documents", "deltas", "streams")
)


def decoded(message):
    return codec.decode_value(pb.Value.FromString(bytes.fromhex(message)))


@pytest.mark.parametrize("name", vectors.FILES)
def test_the_committed_vectors_are_those_that_the_code_makes(name):
    assert MADE[name] == vectors.text_of(name), "run 'make proto'"


@pytest.mark.parametrize("case", VALUES["values"] + VALUES["also"], ids=lambda case: json.dumps(case["value"])[:50])
def test_a_message_is_read_as_its_value(case):
    value = vectors.read(case["value"])
    assert same(decoded(case["message"]), value)
    assert case.get("canonical") in (None, canonical(value).hex())


@pytest.mark.parametrize("case", VALUES["invalid"], ids=lambda case: case["why"])
def test_a_message_without_a_meaning_is_refused(case):
    with pytest.raises(ProtocolError):
        decoded(case["message"])


@pytest.mark.parametrize("case", DOCUMENTS["documents"], ids=lambda case: case["digest"])
def test_a_documents_digest_is_the_sum_of_its_entries_hashes(case):
    document = vectors.read(case["document"])
    hashes = [int(entry["hash"], 16) for entry in case["entries"]]
    assert len(hashes) == sum(map(len, document.values()))
    assert digest(document) == sum(hashes) % 2**64 == int(case["digest"], 16)
    for entry in case["entries"]:
        section, key = entry["section"], vectors.read(entry["key"])
        assert entry_hash(section, key, document[section][key]) == int(entry["hash"], 16)


@pytest.mark.parametrize("case", DELTAS["deltas"], ids=lambda case: case["what"])
def test_a_delta_makes_of_the_document_what_stands_there(case):
    document = vectors.read(DELTAS["before"])
    revision, changes = codec.decode_delta(bytes.fromhex(case["message"]))
    apply(document, changes)
    assert revision == 2
    assert same(document, vectors.read(case["after"]))
    assert digest(document) == int(case["digest"], 16)


@pytest.mark.parametrize("case", DELTAS["misfits"], ids=lambda case: case["what"])
def test_a_delta_that_does_not_fit_is_noticed(case):
    _, changes = codec.decode_delta(bytes.fromhex(case["message"]))
    with pytest.raises(ProtocolError, match="does not fit"):
        apply(vectors.read(DELTAS["before"]), changes)


class Reader:
    """A subscriber made of the package's parts, as clients are."""

    def __init__(self, had):
        self.subscription = Subscription(int(had["epoch"]))
        self.subscription.revision = int(had["revision"])
        self.subscription.opened()
        self.document = vectors.read(had["document"])
        self.reader = codec.FrameReader()

    def verdict(self, message):
        try:
            frames = self.reader.read_bytes(bytes.fromhex(message))
            verdicts = [self.judge(frame) for frame in frames]
        except ProtocolError as error:
            verdicts = [self.subscription.broken(str(error))]
        return {VERDICTS[type(each)] for each in verdicts} or {"nothing"}

    def judge(self, frame):
        verdict = self.subscription.receive(frame)
        if isinstance(verdict, Accepted):
            if isinstance(frame, Snapshot):
                self.document = frame.document
            elif isinstance(frame, Delta):
                document = copy(self.document)
                apply(document, frame.changes)
                self.document = document
            elif isinstance(frame, Bookmark) and frame.digest not in (None, digest(self.document)):
                return self.subscription.broken("another digest")
        return verdict


@pytest.mark.parametrize("case", STREAMS["streams"], ids=lambda case: case["name"])
def test_a_subscriber_makes_of_a_stream_what_stands_there(case):
    reader = Reader(case["subscriber"])
    for message in case["messages"]:
        assert reader.verdict(message["message"]) == {message["verdict"]}, message["what"]
    assert reader.subscription.revision == int(case["revision"])
    assert same(reader.document, vectors.read(case["document"]))


def test_every_verdict_and_every_kind_of_change_is_among_the_vectors():
    told = {message["verdict"] for stream in STREAMS["streams"] for message in stream["messages"]}
    assert told == {*VERDICTS.values(), "nothing"}
    kinds = {
        type(each) for delta in DELTAS["deltas"] for each in codec.decode_delta(bytes.fromhex(delta["message"]))[1]
    }
    assert len(kinds) == 3


def test_the_vectors_that_the_document_shows_are_right():
    shown = re.findall(r"^\| `(.+)` \| `(b'.+')` \|$", PAGE, re.MULTILINE)
    assert len(shown) >= 5
    for value, expected in shown:
        assert canonical(eval(value)) == eval(expected)
    digests = re.findall(r"^\| `(\{.+\})` \| `([0-9a-f]{16})` \|$", PAGE, re.MULTILINE)
    assert len(digests) >= 4
    for document, expected in digests:
        assert digest(eval(document, {"nan": float("nan")})) == int(expected, 16)

"""The test vectors of the protocol: values, documents, changes and streams with what they mean.

``python tests/protocol/vectors.py`` writes them to ``protos/testdata/``; ``make proto`` does that, and a test compares.
Whoever writes a Work in another language reads them; how they are written is told in ``protos/testdata/README.md``.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

from lightning_grpc.errors import ProtocolError
from lightning_grpc.state.delta import Delete, Set, Splice, apply
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
from lightning_grpc.state.values import copy
from lightning_grpc.v1 import value_pb2 as pb
from lightning_grpc.v1 import work_service_pb2 as work_pb
from lightning_grpc.wire import codec

TESTDATA = Path(__file__).parents[2] / "protos" / "testdata"
EPOCH = 1764489600000000000
NAN_WITH_A_PAYLOAD = struct.unpack(">d", bytes.fromhex("7ff80000deadbeef"))[0]

VALUES = [
    None,
    True,
    False,
    *(0, 1, -1, 127, 128, 255, -255, 256, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)),
    *(2**63, -(2**63) - 1, 2**64, 2**71 - 1, 2**71, -(2**71), -(2**71) - 1, 10**40, -(2**200)),
    *(0.0, -0.0, 1.0, 0.1, -1.5, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan),
    *("", "a", "1", "é", "日本語", "😀", "a\0b", "'\"", "__class__", "\ufffe"),
    *([], [1], [1, 2, 3], [1, 2, 3, 4], [1.0, -0.0, math.nan, 2.0], ["a", "b", "", "d"], [1, 2, 3, 2**64]),
    *([1, 1.0, True, "1", None], [[], [[]], {}, ()], [True, True, False, True]),
    *((), (1,), (-255, 2**64), (1, 2, 3, 4), ((1, [2]), {"a": (None,)})),
    *({}, {"a": 1}, {"b": 1, "a": 2, 10: 3, 2: 4}, {1: "int", "1": "text"}, {2**64: 1, -(2**70): 2}),
    {"a": {"b": {"c": [1, (2.0, {"d": None})]}}},
]

SAME_VALUE = [
    (pb.Value(list_value=pb.Sequence(values=map(codec.encode_value, [1, 2, 3, 4]))), [1, 2, 3, 4], "not compact"),
    (pb.Value(list_value=pb.Sequence(ints=[7])), [7], "compact, though short"),
    (pb.Value(tuple_value=pb.Sequence(texts=["a"])), ("a",), "compact, though short"),
    (pb.Value(big_int_value=b"\x01"), 1, "a big int that would fit in 64 bits"),
    (pb.Value(big_int_value=b"\x00\x00\x01"), 1, "more bytes than hold it"),
    (pb.Value(big_int_value=b""), 0, "no bytes at all"),
    (pb.Value(float_value=NAN_WITH_A_PAYLOAD), math.nan, "another nan: they are all one value"),
]
NO_VALUE = [
    (b"", "a Value without a kind"),
    (b"\xa2\x06\x01a", "a kind that is not known: field 100"),
    (pb.Value(list_value=pb.Sequence(ints=[1], floats=[1.0])).SerializeToString(), "items in two forms"),
    (pb.Value(list_value=pb.Sequence(values=[pb.Value()])).SerializeToString(), "an item without a kind"),
    (pb.Value(dict_value=pb.Mapping(keys=[pb.Key(text="a")])).SerializeToString(), "a key without a value"),
    (
        pb.Value(
            dict_value=pb.Mapping(keys=[pb.Key(text="a")] * 2, values=[pb.Value(bool_value=True)] * 2)
        ).SerializeToString(),
        "the same key twice",
    ),
    (
        pb.Value(dict_value=pb.Mapping(keys=[pb.Key()], values=[pb.Value(bool_value=True)])).SerializeToString(),
        "a Key without a kind",
    ),
]

_ENTRY = {
    "name": "run",
    "call_id": "c1",
    "statuses": [{"stage": "pending", "timestamp": 1764489600.25}],
    "successes": 0,
}
DOCUMENTS = [
    {"vars": {}, "calls": {}},
    {"vars": {"counter": 1}, "calls": {}},
    {"vars": {"a": None, "b": True, "c": -255, "d": 0.5, "e": "é"}, "calls": {"latest_call_hash": None}},
    {"vars": {"big": 2**64, "table": {"1": (1, 2.0), 1: [math.nan, -0.0]}}, "calls": {"latest_call_hash": None}},
    {"vars": {"items": list(range(20))}, "calls": {"latest_call_hash": "run:1", "run:1": _ENTRY}},
]

_BASE = {"vars": {"n": 1, "items": [1, 2, 3], "table": {"a": {1: "x"}}}, "calls": {"latest_call_hash": None}}
CHANGES = [
    ("an attribute is set", [Set(("vars", "n"), 2)]),
    ("an entry is new", [Set(("calls", "run:1"), _ENTRY), Set(("calls", "latest_call_hash"), "run:1")]),
    ("a key deep inside, an int", [Set(("vars", "table", "a", 1), (1, 2))]),
    ("an index of a list", [Set(("vars", "items", 0), "first")]),
    ("a key is gone", [Delete(("vars", "table", "a", 1))]),
    ("an attribute is gone", [Delete(("vars", "n"))]),
    ("items are appended", [Splice(("vars", "items"), 3, 0, [4, 5, 6, 7])]),
    ("items give way to others", [Splice(("vars", "items"), 0, 2, ["a"])]),
    ("in order: the second sees what the first did", [Set(("vars", "n"), [1]), Splice(("vars", "n"), 1, 0, [2])]),
    ("nothing", []),
]
MISFITS = [
    ("no such key to delete", [Delete(("vars", "m"))]),
    ("an index at the end", [Set(("vars", "items", 3), 1)]),
    ("a negative index", [Set(("vars", "items", -1), 1)]),
    ("a text for an index", [Set(("vars", "items", "0"), 1)]),
    ("an item of a list cannot be deleted", [Delete(("vars", "items", 0))]),
    ("a splice past the end", [Splice(("vars", "items"), 2, 2, [])]),
    ("a splice of a dict", [Splice(("vars", "table"), 0, 0, [1])]),
    ("nothing is inside of an int", [Set(("vars", "n", "a"), 1)]),
    ("1 is another key than '1'", [Delete(("vars", "table", "a", "1"))]),
]


def written(value):
    """A value as the vectors write it: JSON, in which nothing is lost."""
    if value is None or type(value) is bool:
        return value
    if type(value) is int:
        return {"int": str(value)}
    if type(value) is float:
        return {"float": struct.pack(">d", value).hex(), "about": repr(value)}
    if type(value) is str:
        return {"text": value}
    if type(value) is dict:
        return {"dict": [[written(key), written(item)] for key, item in value.items()]}
    return {"list" if type(value) is list else "tuple": [written(item) for item in value]}


def read(text):
    """The value that the vectors write so."""
    if text is None or type(text) is bool:
        return text
    if "int" in text:
        return int(text["int"])
    if "float" in text:
        return struct.unpack(">d", bytes.fromhex(text["float"]))[0]
    if "text" in text:
        return text["text"]
    if "dict" in text:
        return {read(key): read(item) for key, item in text["dict"]}
    if "list" in text:
        return [read(item) for item in text["list"]]
    return tuple(read(item) for item in text["tuple"])


def values():
    """Values with their message and their canonical bytes; messages that mean the same; messages without a meaning."""
    return {
        "values": [
            {
                "value": written(value),
                "message": codec.encode_value(value).SerializeToString().hex(),
                "canonical": canonical(value).hex(),
            }
            for value in VALUES
        ],
        "also": [
            {"value": written(value), "message": message.SerializeToString().hex(), "why": why}
            for message, value, why in SAME_VALUE
        ],
        "invalid": [{"message": message.hex(), "why": why} for message, why in NO_VALUE],
    }


def documents():
    """Documents with the hash of each entry and their digest."""
    return {
        "documents": [
            {
                "document": written(document),
                "entries": [
                    {
                        "section": section,
                        "key": written(key),
                        "canonical": canonical([section, key, value]).hex(),
                        "hash": f"{entry_hash(section, key, value):016x}",
                    }
                    for section, entries in document.items()
                    for key, value in entries.items()
                ],
                "digest": f"{digest(document):016x}",
            }
            for document in DOCUMENTS
        ]
    }


def changed(changes):
    """The base document after some changes."""
    document = copy(_BASE)
    apply(document, changes)
    return document


def deltas():
    """A document, deltas with what they make of it, and deltas that do not fit."""
    for _, changes in MISFITS:
        try:
            changed(changes)
        except ProtocolError:
            continue
        raise AssertionError(f"{changes} fits")
    return {
        "before": written(_BASE),
        "deltas": [
            {
                "what": what,
                "message": codec.encode_delta(2, changes).hex(),
                "after": written(changed(changes)),
                "digest": f"{digest(changed(changes)):016x}",
            }
            for what, changes in CHANGES
        ],
        "misfits": [{"what": what, "message": codec.encode_delta(2, changes).hex()} for what, changes in MISFITS],
    }


class Stream:
    """One stream that is written down message by message, with what a subscriber makes of each."""

    def __init__(self, name, *, epoch=EPOCH, revision=0, document=None):
        self.name = name
        self.had = {"epoch": str(epoch), "revision": str(revision), "document": written(document)}
        self.subscription = Subscription(epoch)
        self.subscription.revision = revision
        self.subscription.opened()
        self.document = copy(document)
        self.reader = codec.FrameReader()
        self.messages = []

    def message(self, what, data):
        """Add one message."""
        self.messages.append({"what": what, "message": data.hex(), "verdict": self._verdict(data)})
        return self

    def frame(self, what, frame, parts=1):
        """Add the messages that carry a frame."""
        size = -(-len(frame) // parts)
        if parts == 1:
            return self.message(what, frame)
        for start in range(0, len(frame), size):
            chunk = work_pb.Chunk(data=frame[start : start + size], last=start + size >= len(frame))
            self.message(f"{what}, a part", work_pb.StateDeltaResponse(chunk=chunk).SerializeToString())
        return self

    def _verdict(self, data):
        try:
            frames = self.reader.read_bytes(data)
            kinds = {self._judge(frame) for frame in frames}
        except ProtocolError as error:
            self.subscription.broken(str(error))
            return "resync"
        return kinds.pop() if frames else "nothing"

    def _judge(self, frame):
        verdict = self.subscription.receive(frame)
        if not isinstance(verdict, Accepted):
            return {Resync: "resync", Foreign: "foreign", Ignored: "ignored"}[type(verdict)]
        if isinstance(frame, Snapshot):
            self.document = copy(frame.document)
        elif isinstance(frame, Delta):
            trial = copy(self.document)
            apply(trial, frame.changes)
            self.document = trial
        elif isinstance(frame, Bookmark) and frame.digest not in (None, digest(self.document)):
            self.subscription.broken("digest")
            return "resync"
        return "accepted"

    def told(self):
        """The stream as the vectors write it."""
        return {
            "name": self.name,
            "subscriber": self.had,
            "messages": self.messages,
            "revision": str(self.subscription.revision),
            "document": written(self.document),
        }


def _batch(*revisions, epoch=EPOCH):
    deltas = [codec.encode_delta(revision, [Set(("vars", "n"), revision)]) for revision in revisions]
    return codec.frame_deltas(epoch, deltas, 1764489600.5)


def _document(n):
    return {"vars": {"n": n}, "calls": {"latest_call_hash": None}}


def _snapshot(revision, epoch=EPOCH):
    return codec.frame_snapshot(epoch, revision, _document(revision))


def _bookmark(revision, proof=None, epoch=EPOCH):
    return codec.frame_bookmark(epoch, revision, proof)


def streams():
    """Streams, message by message, with what a subscriber that keeps to the rules makes of each."""
    unknown_frame = b"\xa2\x06\x01a"
    unknown_field = b"\xaa\x06\x01a"
    misfit = codec.frame_deltas(EPOCH, [codec.encode_delta(4, [Delete(("vars", "none"))])])
    told = [
        Stream("from nothing, all is well")
        .frame("a snapshot of revision 3", _snapshot(3))
        .frame("revision 4", _batch(4))
        .frame("revisions 5 to 7 in one batch", _batch(5, 6, 7))
        .frame("a bookmark", _bookmark(7))
        .frame("a bookmark with the digest", _bookmark(7, digest(_document(7)))),
        Stream("resumed", revision=3, document=_document(3)).frame("revision 4", _batch(4)),
        Stream("resumed, the history is gone", revision=3, document=_document(3))
        .frame("a snapshot of revision 9", _snapshot(9))
        .frame("revision 10", _batch(10)),
        Stream("a snapshot in the middle, of a subscriber that was too slow")
        .frame("a snapshot of revision 3", _snapshot(3))
        .frame("a snapshot of revision 8", _snapshot(8))
        .frame("revision 9", _batch(9)),
        Stream("in parts")
        .frame("a snapshot of revision 3", _snapshot(3), parts=3)
        .frame("revision 4", _batch(4), parts=2),
        Stream("what is not known is ignored")
        .frame("a snapshot of revision 3", _snapshot(3))
        .message("a frame of an unknown kind", unknown_frame)
        .message("an empty message", b"")
        .frame("revision 4, with a field that is not known", _batch(4) + unknown_field),
        Stream("a revision is missing")
        .frame("a snapshot of revision 3", _snapshot(3))
        .frame("revision 5", _batch(5))
        .frame("revision 6: the stream is given up", _batch(6)),
        Stream("a revision comes twice").frame("a snapshot of revision 3", _snapshot(3)).frame("revision 3", _batch(3)),
        Stream("a delta before any snapshot").frame("revision 1", _batch(1)),
        Stream("a bookmark of a revision that did not come")
        .frame("a snapshot of revision 3", _snapshot(3))
        .frame("a bookmark of revision 4", _bookmark(4)),
        Stream("a wrong digest")
        .frame("a snapshot of revision 3", _snapshot(3))
        .frame("a bookmark with another digest", _bookmark(3, 1)),
        Stream("changes that do not fit")
        .frame("a snapshot of revision 3", _snapshot(3))
        .frame("revision 4 deletes what is not there", misfit),
        Stream("an old snapshot", revision=9, document=_document(9)).frame("a snapshot of revision 8", _snapshot(8)),
        Stream("a snapshot of revision 0").frame("a snapshot of revision 0", _snapshot(0)),
        Stream("another epoch", revision=3, document=_document(3))
        .frame("revision 4 of a later epoch", _batch(4, epoch=EPOCH + 1))
        .frame("revision 4: the stream is given up", _batch(4)),
        Stream("a frame within the parts of another")
        .message("a part", work_pb.StateDeltaResponse(chunk=work_pb.Chunk(data=b"ab")).SerializeToString())
        .frame("a bookmark", _bookmark(3)),
        Stream("parts that make no message").message(
            "the only part",
            work_pb.StateDeltaResponse(chunk=work_pb.Chunk(data=b"\xff", last=True)).SerializeToString(),
        ),
        Stream("what is no message").message("a message that is cut off", _snapshot(3)[:-1]),
    ]
    return {"streams": [stream.told() for stream in told]}


FILES = {"values.json": values, "documents.json": documents, "deltas.json": deltas, "streams.json": streams}
"""What makes each file."""


def text_of(name):
    """The text of one file, one case a line."""
    sections = []
    for section, content in FILES[name]().items():
        if isinstance(content, list):
            cases = ",\n    ".join(json.dumps(case, ensure_ascii=False) for case in content)
            sections.append(f'  "{section}": [\n    {cases}\n  ]')
        else:
            sections.append(f'  "{section}": {json.dumps(content, ensure_ascii=False)}')
    return "{\n" + ",\n".join(sections) + "\n}\n"


if __name__ == "__main__":
    for each in FILES:
        (TESTDATA / each).write_text(text_of(each), encoding="utf-8")

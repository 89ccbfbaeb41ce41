"""The codec: every value, change and frame comes back exactly; what has no meaning is refused."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import EDGES, dict_pairs, documents, fingerprint, keys, texts, values

from lightning_grpc.errors import ProtocolError
from lightning_grpc.state.delta import MISSING, Delete, Set, Splice, apply, diff
from lightning_grpc.state.subscription import Bookmark, Delta, Snapshot
from lightning_grpc.state.values import MAX_DEPTH, copy, same
from lightning_grpc.v1 import value_pb2 as pb
from lightning_grpc.v1 import work_service_pb2 as work_pb
from lightning_grpc.wire import codec

uint64 = st.integers(0, 2**64 - 1)
paths = st.lists(keys(), min_size=1, max_size=4).map(tuple)
items = st.lists(values(3), max_size=6) | st.lists(st.integers(), min_size=4, max_size=8)
changes = (
    st.builds(Set, paths, values(6))
    | st.builds(Delete, paths)
    | st.builds(Splice, paths, st.integers(0, 2**40), st.integers(0, 2**40), items)
)


def sent(value):
    """A value after its trip over the wire."""
    return codec.decode_value(pb.Value.FromString(codec.encode_value(value).SerializeToString()))


def read(frame, reader=None):
    """The frames that a serialized one is read as."""
    reader = reader or codec.FrameReader()
    return [
        each for message in codec.chunked(frame) for each in reader.read(work_pb.StateDeltaResponse.FromString(message))
    ]


@given(values())
def test_every_value_comes_back_the_same(value):
    assert same(sent(value), value)


@given(values())
def test_the_order_of_keys_comes_back_too(value):
    assert repr(sent(value)) == repr(value)


@pytest.mark.parametrize(
    "number", [*EDGES, 0, -1, 2**62, 2**1000, -(2**1000), 2**65535], ids=lambda number: f"{number.bit_length()} bits"
)
@pytest.mark.parametrize(
    "wrap", [lambda v: v, lambda v: [v], lambda v: [v] * 8, lambda v: (v, v, v, v), lambda v: {v: v}]
)
def test_an_integer_of_any_size_comes_back(number, wrap):
    assert same(sent(wrap(number)), wrap(number))


SEQUENCES = {
    "ints": [1, 2, 3, 4, 5],
    "ints at the edge": [2**63 - 1, -(2**63), 0, 1],
    "ints past the edge": [2**63, 1, 2, 3],
    "ints past the lower edge": [1, 2, 3, -(2**63) - 1],
    "ints and a bool": [1, 2, 3, True],
    "ints and a float": [1, 2, 3, 4.0],
    "bools": [True, False, True, False],
    "floats": [1.0, -0.0, float("inf"), float("nan")],
    "texts": ["", "a", "\U0001f600", "\0"],
    "texts and None": ["a", "b", "c", None],
    "nothing": [],
    "too few to be compact": [1, 2],
    "lists": [[1], [2], [], [3]],
    "zeros": [0, 0, 0, 0, 0],
    "empty texts": ["", "", "", ""],
}


@pytest.mark.parametrize("sequence", SEQUENCES.values(), ids=SEQUENCES.keys())
@pytest.mark.parametrize("kind", [list, tuple])
def test_a_sequence_comes_back_whether_its_items_are_all_of_one_kind_or_not(sequence, kind):
    assert same(sent(kind(sequence)), kind(sequence))
    assert same(sent({"k": [kind(sequence)]}), {"k": [kind(sequence)]})


def test_a_long_sequence_of_one_kind_is_packed():
    assert codec.encode_value(list(range(1000))).ByteSize() < 3000
    assert codec.encode_value([0.5] * 1000).ByteSize() < 8100


def test_a_value_nested_to_the_limit_comes_back():
    for wrap in (lambda v: [v], lambda v: (v,), lambda v: {"k": v}):
        value = 1
        for _ in range(MAX_DEPTH):
            value = wrap(value)
        assert same(sent(value), value)


@given(keys())
def test_every_key_comes_back_with_its_type(key):
    assert fingerprint(codec.decode_key(codec.encode_key(key))) == fingerprint(key)


@given(changes)
def test_every_change_comes_back_without_what_it_replaced(change):
    arrived = codec.decode_change(pb.Change.FromString(codec.encode_change(change).SerializeToString()))
    assert type(arrived) is type(change)
    assert arrived.old is MISSING
    assert all(
        fingerprint(getattr(arrived, name)) == fingerprint(getattr(change, name))
        for name in ("path", "value", "items", "index", "removed")
        if hasattr(change, name)
    )


@given(dict_pairs())
def test_a_difference_sent_over_the_wire_makes_the_new_value(pair):
    before, after = pair
    frame = codec.frame_deltas(1, [codec.encode_delta(1, diff(before, after))])
    (delta,) = read(frame)
    document = copy(before)
    apply(document, delta.changes)
    assert same(document, after)


@given(uint64, st.lists(st.tuples(uint64, st.lists(changes, max_size=3)), max_size=4))
def test_deltas_come_back_in_order_from_one_frame(epoch, deltas):
    frames = read(codec.frame_deltas(epoch, [codec.encode_delta(*delta) for delta in deltas]))
    assert [(frame.epoch, frame.revision) for frame in frames] == [(epoch, revision) for revision, _ in deltas]
    for frame, (_, sent_changes) in zip(frames, deltas, strict=True):
        assert type(frame) is Delta
        assert [repr(change) for change in frame.changes] == [repr(change) for change in sent_changes]


@given(uint64, uint64, documents())
def test_a_snapshot_comes_back(epoch, revision, document):
    (frame,) = read(codec.frame_snapshot(epoch, revision, document))
    assert type(frame) is Snapshot
    assert (frame.epoch, frame.revision) == (epoch, revision)
    assert same(frame.document, document)


@given(uint64, uint64, st.none() | uint64)
@example(1, 2, 0)
def test_a_bookmark_comes_back_with_its_digest_or_without(epoch, revision, digest):
    assert read(codec.frame_bookmark(epoch, revision, digest)) == [Bookmark(epoch, revision, digest)]


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def test_an_attribute_nested_to_the_limit_comes_back_in_a_snapshot():
    document = {"vars": {"x": nested(MAX_DEPTH)}, "calls": {}}
    (frame,) = read(codec.frame_snapshot(1, 1, document))
    assert same(frame.document, document)


def test_an_attribute_nested_to_the_limit_comes_back_in_a_delta():
    change = Set(("vars", "x"), nested(MAX_DEPTH))
    (frame,) = read(codec.frame_deltas(1, [codec.encode_delta(1, [change])]))
    assert frame.changes == [change]


def large_document(size):
    return {"vars": {"text": "x" * size, "blob": list(range(1000))}, "calls": {}}


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_a_large_frame_travels_in_parts(parts):
    document = large_document((parts - 1) * codec.CHUNK_BYTES + 100)
    frame = codec.frame_snapshot(1, 2, document)
    messages = list(codec.chunked(frame))
    assert len(messages) == parts
    assert all(len(message) <= codec.CHUNK_BYTES + 100 for message in messages)
    assert [(f.revision, same(f.document, document)) for f in read(frame)] == [(2, True)]


@pytest.mark.parametrize("extra", [-1, 0, 1])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_frame_about_as_large_as_some_parts_comes_back(parts, extra):
    size = parts * codec.CHUNK_BYTES + extra
    frame = b""
    text_size = size
    while len(frame) != size:
        text_size += size - len(frame) if frame else 0
        frame = codec.frame_snapshot(1, 2, large_document(text_size))
    assert len(list(codec.chunked(frame))) == (parts if extra <= 0 else parts + 1)
    assert [type(each) for each in read(frame)] == [Snapshot]


def test_a_frame_as_large_as_a_part_is_sent_as_it_is():
    frame = bytes(codec.CHUNK_BYTES)
    assert list(codec.chunked(frame)) == [frame]


def test_several_large_frames_may_follow_one_another():
    reader = codec.FrameReader()
    for revision in (1, 2, 3):
        (frame,) = read(codec.frame_snapshot(1, revision, large_document(codec.CHUNK_BYTES)), reader)
        assert frame.revision == revision
    assert read(codec.frame_bookmark(1, 3, None), reader) == [Bookmark(1, 3)]


def test_a_frame_without_a_kind_is_ignored():
    assert codec.FrameReader().read(work_pb.StateDeltaResponse()) == []


# What has no meaning.

ONE = pb.Value(int_value=1)
KEY = pb.Key(text="a")


def mapping(key_messages, value_messages):
    return pb.Value(dict_value=pb.Mapping(keys=key_messages, values=value_messages))


MALFORMED_VALUES = {
    "no kind": pb.Value(),
    "no kind in a list": pb.Value(list_value=pb.Sequence(values=[ONE, pb.Value()])),
    "no kind in a tuple": pb.Value(tuple_value=pb.Sequence(values=[pb.Value()])),
    "no kind in a dict": mapping([KEY], [pb.Value()]),
    "more keys than values": mapping([KEY, pb.Key(text="b")], [ONE]),
    "more values than keys": mapping([KEY], [ONE, ONE]),
    "keys without values": mapping([KEY], []),
    "a key twice": mapping([KEY, KEY], [ONE, ONE]),
    "an int key twice": mapping([pb.Key(int=5), pb.Key(big_int=b"\x05")], [ONE, ONE]),
    "a key without a kind": mapping([pb.Key()], [ONE]),
    "values and ints": pb.Value(list_value=pb.Sequence(values=[ONE], ints=[1])),
    "ints and floats": pb.Value(list_value=pb.Sequence(ints=[1], floats=[1.0])),
    "floats and texts": pb.Value(tuple_value=pb.Sequence(floats=[1.0], texts=["a"])),
}


@pytest.mark.parametrize("message", MALFORMED_VALUES.values(), ids=MALFORMED_VALUES.keys())
@pytest.mark.parametrize("wrap", [lambda m: m, lambda m: mapping([KEY], [m])], ids=["alone", "in a dict"])
def test_a_value_without_a_meaning_is_refused(message, wrap):
    with pytest.raises(ProtocolError):
        codec.decode_value(wrap(message))


DELETE = pb.Delete()
MALFORMED_CHANGES = {
    "nothing": pb.Change(),
    "no operation": pb.Change(path=[KEY]),
    "set without a path": pb.Change(set=ONE),
    "delete without a path": pb.Change(delete=DELETE),
    "splice without a path": pb.Change(splice=pb.Splice(items=pb.Sequence(ints=[1]))),
    "set without a value": pb.Change(path=[KEY], set=pb.Value()),
    "a key without a kind": pb.Change(path=[pb.Key()], delete=DELETE),
    "items of two forms": pb.Change(path=[KEY], splice=pb.Splice(items=pb.Sequence(ints=[1], texts=["a"]))),
    "an item without a kind": pb.Change(path=[KEY], splice=pb.Splice(items=pb.Sequence(values=[pb.Value()]))),
}


@pytest.mark.parametrize("message", MALFORMED_CHANGES.values(), ids=MALFORMED_CHANGES.keys())
def test_a_change_without_a_meaning_is_refused(message):
    with pytest.raises(ProtocolError):
        codec.decode_change(message)
    batch = work_pb.DeltaBatch(epoch=1, deltas=[work_pb.Delta(revision=1, changes=[message])])
    with pytest.raises(ProtocolError):
        codec.FrameReader().read(work_pb.StateDeltaResponse(deltas=batch))


EMPTY = pb.Value(dict_value=pb.Mapping())
MALFORMED_DOCUMENTS = {
    "nothing": pb.Value(),
    "a scalar": ONE,
    "a list": pb.Value(list_value=pb.Sequence()),
    "a section that is no dict": mapping([KEY], [ONE]),
    "a section with a number for a name": mapping([pb.Key(int=1)], [EMPTY]),
}


@pytest.mark.parametrize("document", MALFORMED_DOCUMENTS.values(), ids=MALFORMED_DOCUMENTS.keys())
def test_a_snapshot_without_a_document_is_refused(document):
    snapshot = work_pb.Snapshot(epoch=1, revision=1, document=document)
    with pytest.raises(ProtocolError):
        codec.FrameReader().read(work_pb.StateDeltaResponse(snapshot=snapshot))


def test_a_snapshot_nested_deeper_than_values_may_be_is_refused_as_a_breach_of_protocol():
    value = ONE
    for _ in range(MAX_DEPTH + 1):
        value = pb.Value(list_value=pb.Sequence(values=[value]))
    snapshot = work_pb.Snapshot(epoch=1, revision=1, document=mapping([pb.Key(text="vars")], [mapping([KEY], [value])]))
    with pytest.raises(ProtocolError):
        codec.FrameReader().read(work_pb.StateDeltaResponse(snapshot=snapshot))


def chunk(data, *, last):
    return work_pb.StateDeltaResponse(chunk=work_pb.Chunk(data=data, last=last))


def test_a_frame_in_the_middle_of_another_ones_parts_is_refused():
    reader = codec.FrameReader()
    assert reader.read(chunk(b"abc", last=False)) == []
    bookmark = work_pb.StateDeltaResponse(bookmark=work_pb.Bookmark(epoch=1, revision=1))
    with pytest.raises(ProtocolError, match="in the middle"):
        reader.read(bookmark)


def test_parts_that_make_no_message_are_refused():
    reader = codec.FrameReader()
    reader.read(chunk(b"\xff\xff", last=False))
    with pytest.raises(ProtocolError, match="do not make a message"):
        reader.read(chunk(b"\xff\xff", last=True))


def test_a_part_within_a_part_is_refused():
    inner = chunk(codec.frame_bookmark(1, 1, None), last=True).SerializeToString()
    with pytest.raises(ProtocolError, match="within a part"):
        codec.FrameReader().read(chunk(inner, last=True))


def test_a_frame_larger_than_the_limit_is_refused_before_it_is_complete(monkeypatch):
    monkeypatch.setattr(codec, "MAX_FRAME_BYTES", 1000)
    reader = codec.FrameReader()
    reader.read(chunk(bytes(900), last=False))
    with pytest.raises(ProtocolError, match="a frame of more than"):
        reader.read(chunk(bytes(101), last=False))


@given(st.binary(max_size=60))
def test_garbage_is_a_message_or_refused_and_nothing_else(data):
    reader = codec.FrameReader()
    try:
        frames = reader.read(chunk(data, last=True))
    except ProtocolError:
        return
    assert all(isinstance(frame, Snapshot | Delta | Bookmark) for frame in frames)


@given(texts())
def test_text_is_sent_as_utf_8(text):
    assert codec.encode_value(text).SerializeToString().endswith(text.encode())

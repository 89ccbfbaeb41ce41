"""Reading a frame of many revisions as one delta: the same document, fewer changes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_grpc.errors import ProtocolError
from lightning_grpc.state.delta import Delete, Set, Splice, apply, diff
from lightning_grpc.state.replica import Replica
from lightning_grpc.state.subscription import Delta, Snapshot
from lightning_grpc.state.values import copy, same
from lightning_grpc.wire import codec
from lightning_grpc.wire.protocol import work_pb
from lightning_grpc.wire.summing import MOST_APART, SummingReader, summed

_KEYS = st.sampled_from(["a", "b", "", 1])
_VALUES = st.recursive(
    st.integers(0, 3) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)
_DOCUMENTS = st.fixed_dictionaries({"vars": st.dictionaries(st.sampled_from(["x", "y", "z"]), _VALUES)})


def frame(deltas, first=2):
    data = codec.frame_deltas(7, [codec.encode_delta(first + index, changes) for index, changes in enumerate(deltas)])
    return work_pb.StateDeltaResponse.FromString(data)


@given(st.lists(_DOCUMENTS, min_size=2, max_size=6), st.booleans())
def test_a_summed_frame_makes_the_same_document_as_its_deltas_one_by_one(documents, many):
    deltas = [diff(before, after) for before, after in itertools.pairwise(documents)]
    deltas = [*deltas, *([[]] * MOST_APART if many else [])]
    frames = SummingReader().read(frame(deltas))
    assert len(frames) == (1 if many else len(deltas))
    assert (frames[0].first or frames[0].revision, frames[-1].revision) == (2, len(deltas) + 1)
    document = copy(documents[0])
    for delta in frames:
        apply(document, delta.changes)
    assert same(document, documents[-1])


def test_what_is_overwritten_within_a_frame_is_left_out():
    changes = [[Set(("works", f"w{n % 2}", "vars", "n"), n)] for n in range(100)]
    [delta] = SummingReader().read(frame(changes))
    assert [(change.path[1], change.value) for change in delta.changes] == [("w0", 98), ("w1", 99)]


def test_changes_that_build_on_each_other_keep_their_order():
    long = "k" * 300
    changes = [
        Set(("vars", "x"), {"a": 1}),
        Set(("vars", "x", "a"), 2),
        Set(("vars", long), 1),
        Set(("vars", "x"), [1]),
        Splice(("vars", "x"), 1, 0, [2]),
        Set(("vars", "x", 0), 5),
        Delete(("vars", "y")),
        Set(("vars", "y"), 0),
        Set(("vars", long), 2),
        Set(("vars", long), 3),
    ]
    document = {"vars": {"x": None, "y": 1, long: 0}}
    batch = work_pb.DeltaBatch(epoch=1 << 60, made_at_s=1.5)
    batch.deltas.add(revision=1 << 60).changes.extend(map(codec.encode_change, changes))
    done = summed(batch.SerializeToString(), {})
    apply(document, done)
    assert document == {"vars": {"x": [5, 2], "y": 0, long: 3}}
    assert len(done) == len(changes) - 1


def test_a_part_that_is_set_before_and_after_the_whole_is_that_of_the_whole_and_then_its_own():
    changes = [Set(("vars", "x", "a"), 1), Set(("vars", "x"), {"a": 0, "b": 0}), Set(("vars", "x", "a"), 2)]
    batch = work_pb.DeltaBatch()
    batch.deltas.add(revision=1).changes.extend(map(codec.encode_change, changes))
    document = {"vars": {"x": {"a": 5}}}
    apply(document, summed(batch.SerializeToString(), {}))
    assert document == {"vars": {"x": {"a": 2, "b": 0}}}


def test_a_change_without_a_meaning_breaks_the_protocol():
    batch = work_pb.DeltaBatch()
    batch.deltas.add(revision=1).changes.add().path.add(text="vars")
    with pytest.raises(ProtocolError):
        summed(batch.SerializeToString(), {})


def test_a_gap_within_a_frame_breaks_the_protocol():
    revisions = [*range(2, 2 + MOST_APART), 50]
    data = codec.frame_deltas(7, [codec.encode_delta(revision, []) for revision in revisions])
    with pytest.raises(ProtocolError, match="the deltas 2 to 50 of a frame"):
        SummingReader().read(work_pb.StateDeltaResponse.FromString(data))


def test_a_replica_takes_a_summed_delta_only_if_its_first_revision_is_the_next():
    replica = Replica()
    replica.subscription.opened()
    replica.receive(Snapshot(7, 1, {"vars": {"n": 0}}))
    version = replica.receive(Delta(7, 5, [Set(("vars", "n"), 4)], first=2))
    assert (version.first, version.revision, version.document) == (2, 5, {"vars": {"n": 4}})
    assert replica.receive(Delta(7, 9, [], first=7)).reason == "delta 7 does not follow revision 5"

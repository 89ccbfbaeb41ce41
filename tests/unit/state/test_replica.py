"""A replica: versions that stay as they are, made of frames."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import values

from lightning_grpc.errors import ProtocolError
from lightning_grpc.state.delta import Delete, Set, Splice, diff
from lightning_grpc.state.digest import digest
from lightning_grpc.state.replica import Replica, Version, fork
from lightning_grpc.state.subscription import Bookmark, Delta, Foreign, Resync, Snapshot
from lightning_grpc.state.values import copy, same

EPOCH = 7


def documents():
    return st.fixed_dictionaries({"vars": st.dictionaries(st.sampled_from("abc"), values(), max_size=3)})


def opened():
    replica = Replica(EPOCH)
    assert replica.subscription.opened() == 0
    return replica


@given(st.lists(documents(), min_size=1, max_size=5))
def test_every_version_is_the_document_of_its_revision_and_stays_it(history):
    replica, versions = opened(), []
    versions.append(replica.receive(Snapshot(EPOCH, 1, copy(history[0]))))
    for revision, (before, after) in enumerate(pairwise(history), 2):
        versions.append(replica.receive(Delta(EPOCH, revision, diff(before, copy(after)))))
        assert replica.receive(Bookmark(EPOCH, revision, digest(after))) is None
    assert [version.revision for version in versions] == list(range(1, len(history) + 1))
    assert all(same(version.document, document) for version, document in zip(versions, history, strict=True))


def test_a_version_tells_what_changed_and_what_it_replaced():
    replica = opened()
    first = replica.receive(Snapshot(EPOCH, 1, {"vars": {"n": 1, "items": [1, 2]}}))
    assert first.changes == []
    second = replica.receive(Delta(EPOCH, 2, [Set(("vars", "n"), 2), Splice(("vars", "items"), 1, 1, [3, 4])]))
    assert [change.old for change in second.changes] == [1, [2]]
    third = replica.receive(Snapshot(EPOCH, 9, {"vars": {"n": 2, "items": [1]}}))
    assert third == Version(9, [Splice(("vars", "items"), 1, 2, [])], {"vars": {"n": 2, "items": [1]}})


def test_what_is_the_same_in_two_versions_is_shared():
    replica = opened()
    first = replica.receive(Snapshot(EPOCH, 1, {"vars": {"a": [1], "b": [2]}})).document
    second = replica.receive(Delta(EPOCH, 2, [Set(("vars", "a", 0), 9)])).document
    assert second["vars"]["b"] is first["vars"]["b"]
    assert first["vars"]["a"] == [1]


def test_a_digest_that_differs_asks_for_a_snapshot():
    replica = opened()
    replica.receive(Snapshot(EPOCH, 1, {"vars": {"n": 1}}))
    verdict = replica.receive(Bookmark(EPOCH, 1, digest({"vars": {"n": 2}})))
    assert isinstance(verdict, Resync)
    assert replica.receive(Delta(EPOCH, 2, [])) is None  # the rest of that stream
    assert replica.subscription.opened() == 0


def test_frames_out_of_order_or_of_another_epoch_give_the_stream_up():
    replica = opened()
    replica.receive(Snapshot(EPOCH, 1, {"vars": {}}))
    assert isinstance(replica.receive(Delta(EPOCH, 3, [])), Resync)
    other = opened()
    other.receive(Snapshot(EPOCH, 1, {"vars": {}}))
    assert other.receive(Delta(EPOCH + 1, 2, [])) == Foreign(EPOCH + 1)


@pytest.mark.parametrize(
    "change",
    [Set(("vars", "x", "y"), 1), Delete(("vars", "x")), Splice(("vars", "n"), 0, 0, [1]), Set(("calls", "x"), 1)],
)
def test_a_delta_that_does_not_fit_is_refused_and_the_versions_before_stay(change):
    replica = opened()
    first = replica.receive(Snapshot(EPOCH, 1, {"vars": {"n": 1}}))
    with pytest.raises(ProtocolError):
        replica.receive(Delta(EPOCH, 2, [Set(("vars", "n"), 5), change]))
    assert first.document == {"vars": {"n": 1}}


def test_a_fork_stops_where_the_path_does_not_lead_on():
    document = {"vars": {"t": (1, [2])}}
    forked = fork(document, ("vars", "t", 1, "x"))
    assert forked == document
    assert forked["vars"] is not document["vars"]
    assert forked["vars"]["t"] is document["vars"]["t"]

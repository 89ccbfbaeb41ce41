"""The backlog: what piles up unread is conflated, with the same effect."""

from __future__ import annotations

import pytest
from deepdiff import Delta as DeepDiffDelta
from hypothesis import given
from hypothesis import strategies as st
from strategies import documents, edited_documents
from tick_harness import Flow, Work

from lightning_grpc.coordinator import backlog as backlog_module
from lightning_grpc.coordinator.backlog import Backlog, conflated
from lightning_grpc.coordinator.mirror import Mirror
from lightning_grpc.state.delta import Set, Splice, apply, diff
from lightning_grpc.state.digest import digest
from lightning_grpc.state.public import to_public
from lightning_grpc.state.subscription import Bookmark, Delta, Snapshot
from lightning_grpc.state.values import copy, same


@st.composite
def streams(draw):
    """A document, frames as a subscription accepts them from there on, and the document they lead to."""
    document = draw(documents())
    start, revision, frames = document, 1, []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["delta", "delta", "delta", "snapshot", "bookmark"]))
        if kind == "bookmark":
            frames.append(Bookmark(7, revision, digest(document)))
            continue
        after = draw(edited_documents(copy(document)))
        revision += 1
        frames.append(Delta(7, revision, diff(document, after)) if kind == "delta" else Snapshot(7, revision, after))
        document = after
    return start, frames, document


def played(document, frames):
    """The document that frames make of another; bookmarks must be right."""
    document = copy(document)
    for frame in frames:
        if isinstance(frame, Snapshot):
            document = copy(frame.document)
        elif isinstance(frame, Delta):
            apply(document, frame.changes)
        else:
            assert digest(document) == frame.digest
    return document


@given(streams())
def test_conflated_frames_have_the_same_effect(stream):
    start, frames, end = stream
    assert same(played(start, frames), end)
    assert same(played(start, conflated(frames)), end)


@given(streams())
def test_conflated_frames_are_a_snapshot_then_a_delta_then_a_bookmark(stream):
    _, frames, _ = stream
    order = [Snapshot, Delta, Bookmark]
    places = [order.index(type(frame)) for frame in conflated(frames)]
    assert places == sorted(places)
    assert len(set(places)) == len(places)


@given(streams())
def test_conflating_twice_is_conflating_once(stream):
    start, frames, end = stream
    once = conflated(frames)
    assert same(played(start, conflated(once)), end)


def test_a_conflated_delta_has_the_newest_revision():
    frames = [Delta(7, revision, [Set(("vars", "n"), revision)]) for revision in range(2, 10)]
    assert conflated(frames) == [Delta(7, 9, [Set(("vars", "n"), 9)], first=2)]
    assert conflated([*conflated(frames), Delta(7, 10, [Set(("vars", "m"), 1)])])[0].first == 2


def test_a_mirror_takes_in_a_list_that_was_replaced_and_grew_in_one_delta():
    work = Flow(w=Work()).w
    mirror = Mirror(work)
    mirror.apply(
        [Set(("vars", "items"), [1]), Splice(("vars", "items"), 1, 0, [2]), Splice(("vars", "items"), 2, 0, [3])]
    )
    assert work.items == [1, 2, 3]
    assert mirror.replica["vars"]["items"] == [1, 2, 3]


lists = st.lists(st.integers(0, 3), max_size=4)
boxes = lists | lists | st.dictionaries(st.sampled_from("ab"), lists, max_size=2) | st.integers(0, 3)


def said(document, changes):
    """What the public form of some changes makes of a document; it cannot say that one builds on another."""
    return document + DeepDiffDelta(to_public(changes), raise_errors=True) if changes else document


def test_the_changes_that_several_revisions_make_of_the_view_are_not_those_that_become_of_it_later():
    work = Flow(w=Work()).w
    mirror = Mirror(work)
    changes, _ = mirror.apply_summed([Set(("vars", "items"), [[1]]), Splice(("vars", "items"), 1, 0, [[2]])])
    mirror.apply([Splice(("vars", "items", 0), 1, 0, [3])])
    assert work.items == [[1, 3], [2]]
    assert same(said({"vars": {"items": []}}, changes), {"vars": {"items": [[1], [2]]}})


@given(st.data())
def test_a_mirror_takes_in_several_revisions_as_one_delta(data):
    work = Flow(w=Work()).w
    mirror = Mirror(work)
    document = copy(mirror.replica)
    shown = copy(document)
    for _ in range(data.draw(st.integers(1, 2))):
        if data.draw(st.booleans()):
            work.items = data.draw(boxes)
            apply(shown, mirror.cut())
        frames = []
        for revision in range(2, data.draw(st.integers(3, 6))):
            after = copy(document)
            after["vars"][data.draw(st.sampled_from(["items", "items", "table"]))] = data.draw(boxes)
            frames.append(Delta(7, revision, diff(document, after)))
            document = after
        for frame in conflated(frames):
            before = copy(shown)
            changes = (mirror.apply_summed if frame.first else mirror.apply)(frame.changes)[0]
            apply(shown, changes)
            assert same(said(before, changes), shown)
        assert same(mirror.replica, document)
        assert same(shown["vars"], work.state["vars"])
        touched = {change.path[1] for frame in frames for change in frame.changes}
        assert all(same(getattr(work, name), document["vars"][name]) for name in touched)


def test_a_bookmark_is_kept_if_nothing_comes_after_it():
    frames = [Bookmark(7, 1), Delta(7, 2, [Set(("vars", "n"), 2)]), Bookmark(7, 2, 12)]
    assert conflated(frames) == frames[1:]
    assert conflated(frames[:2]) == frames[1:2]
    assert conflated([Bookmark(7, 1), Bookmark(7, 1, 5)]) == [Bookmark(7, 1, 5)]


def delta(revision, changes=1):
    return Delta(7, revision, [Splice(("vars", "items"), 0, 0, [revision])] * changes)


def test_frames_are_taken_in_order_and_once():
    backlog = Backlog()
    frames = [delta(2), delta(3), Bookmark(7, 3)]
    assert backlog.add(frames[:1])
    assert not backlog.add(frames[1:])
    assert backlog.take() == frames
    assert backlog.take() == []
    assert backlog.add([delta(4)])


def test_a_few_frames_are_kept_as_they_are():
    backlog = Backlog()
    frames = [delta(revision) for revision in range(2, backlog_module.CONFLATE_FROM)]
    for frame in frames:
        backlog.add([frame])
    assert backlog.take() == frames


def test_many_frames_are_kept_as_few():
    backlog = Backlog()
    for revision in range(2, 10_000):
        backlog.add([Delta(7, revision, [Set(("vars", "n"), revision)])])
    frames = backlog.take()
    assert len(frames) <= 2 * backlog_module.CONFLATE_FROM
    assert played({"vars": {"n": 0}, "calls": {}}, frames)["vars"]["n"] == 9999
    assert frames[-1].revision == 9999


def test_a_backlog_of_too_many_changes_is_given_up():
    backlog = Backlog()

    def pile_up():
        for revision in range(2, 100_000):
            backlog.add([delta(revision, changes=100)])

    with pytest.raises(OverflowError, match="changes wait for the Flow"):
        pile_up()
    assert backlog.take() == []


def test_a_snapshot_makes_what_was_before_it_void():
    backlog = Backlog()
    for revision in range(2, 200):
        backlog.add([delta(revision, changes=100)])
        if revision % 50 == 0:
            backlog.add([Snapshot(7, revision, {"vars": {"items": []}, "calls": {}})])
    snapshot, delta_since = conflated(backlog.take())
    assert (snapshot.revision, delta_since.first, delta_since.revision) == (150, 151, 199)

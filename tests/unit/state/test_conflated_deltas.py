"""Conflated deltas: fewer changes with the same effect."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from strategies import documents, edited_documents

from lightning_grpc.state.delta import Delete, Set, apply, conflate, diff
from lightning_grpc.state.values import copy, same


@st.composite
def histories(draw):
    """A document, and the changes of a few revisions of it, revision by revision."""
    document = draw(documents())
    revision, changes = document, []
    for _ in range(draw(st.integers(1, 3))):
        after = draw(edited_documents(copy(revision)))
        changes.append(diff(revision, after))
        revision = after
    return document, changes, revision


@given(histories())
def test_conflated_changes_have_the_same_effect(history):
    before, changes, after = history
    document = copy(before)
    for delta in conflate(changes):
        apply(document, delta)
    assert same(document, after)


@given(histories())
def test_conflating_keeps_some_of_the_changes_in_their_order(history):
    _, changes, _ = history
    for delta, conflated in zip(changes, conflate(changes), strict=True):
        kept = iter(delta)
        assert all(any(change is each for each in kept) for change in conflated)


def test_an_entry_that_came_and_went_meanwhile_conflates_to_something_that_applies():
    document = {"vars": {}}
    for delta in conflate([[Set(("vars", "n"), 1)], [Delete(("vars", "n"))]]):
        apply(document, delta)
    assert document == {"vars": {}}


def test_an_entry_that_was_set_many_times_is_one_change_in_the_end():
    conflated = conflate([[Set(("vars", "n"), n)] for n in range(100)])
    assert [delta for delta in conflated if delta] == [[Set(("vars", "n"), 99)]]

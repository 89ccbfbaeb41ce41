"""Deltas: how two values differ, and what applying a difference gives."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import dict_pairs, edited, mutable_parts, values

from lightning_grpc.errors import ProtocolError
from lightning_grpc.state.delta import MISSING, Delete, Set, Splice, apply, diff, prefixed
from lightning_grpc.state.values import copy, same


@st.composite
def list_pairs(draw):
    """Two lists, one made from the other by cutting, pasting and retyping items that repeat a lot."""
    items = st.sampled_from([0, 1, True, 1.0, "a", (1,), float("nan")]) | st.lists(st.integers(0, 1), max_size=2)
    before = draw(st.lists(items, min_size=draw(st.sampled_from([0, 0, 12])), max_size=30))
    after = list(before)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(after)))
        stop = draw(st.integers(start, len(after)))
        after[start:stop] = draw(st.lists(items, max_size=15))
        if after and draw(st.booleans()):
            after[draw(st.integers(-len(after), -1))] = draw(st.sampled_from([0, False, 1, True, 1.0]))
    return before, after


# What is easily lost: a tail that only looks the same, and one behind many neighbours that changed.
LOOKALIKE_TAIL = [0, 1], [0, 7, True]
TAIL_BEHIND_MANY = [*range(10), 100, 5], [*range(10, 20), 100, 5, 7]


def undone(change):
    """The change that takes a change back."""
    if type(change) is Splice:
        return Splice(change.path, change.index, len(change.items), change.old)
    if type(change) is Set and change.old is MISSING:
        return Delete(change.path)
    return Set(change.path, change.old)


@given(dict_pairs() | list_pairs())
@example(LOOKALIKE_TAIL)
@example(TAIL_BEHIND_MANY)
@example(TAIL_BEHIND_MANY[::-1])
def test_applying_the_difference_gives_the_new_value(pair):
    before, after = pair
    document = copy(before)
    apply(document, diff(before, after))
    assert same(document, after)


@given(dict_pairs() | list_pairs())
def test_the_difference_is_empty_exactly_when_the_values_are_the_same(pair):
    before, after = pair
    assert (diff(before, after) == []) == same(before, after)
    assert diff(after, copy(after)) == []


@given(values().flatmap(lambda value: st.tuples(st.just(value), edited(value))))
def test_any_value_in_a_document_may_become_any_other(pair):
    before, after = pair
    document = {"x": copy(before)}
    apply(document, diff(before, after, ("x",)))
    assert same(document, {"x": after})


@given(dict_pairs() | list_pairs())
def test_a_difference_changes_neither_value(pair):
    before, after = copy(pair[0]), copy(pair[1])
    diff(*pair)
    assert same(pair[0], before)
    assert same(pair[1], after)


@given(dict_pairs() | list_pairs())
def test_what_apply_says_was_replaced_takes_the_changes_back(pair):
    before, after = pair
    document = copy(before)
    applied = apply(document, diff(before, after))
    apply(document, [undone(change) for change in reversed(applied)])
    assert same(document, before)


@given(dict_pairs() | list_pairs())
def test_a_difference_carries_what_it_replaces_as_apply_finds_it(pair):
    before, after = pair
    changes = diff(before, after)
    for told, found in zip(changes, apply(copy(before), changes), strict=True):
        assert told == found
        assert (told.old is MISSING) == (found.old is MISSING)
        assert told.old is MISSING or same(told.old, found.old)


@given(dict_pairs() | list_pairs())
def test_a_document_shares_no_container_with_the_changes_applied_to_it(pair):
    before, after = pair
    document = copy(before)
    apply(document, diff(before, after))
    assert not mutable_parts(document) & mutable_parts(after)


@given(dict_pairs() | list_pairs(), st.lists(st.integers() | st.text(max_size=3), max_size=3).map(tuple))
def test_a_prefix_opens_every_path_and_changes_nothing_else(pair, prefix):
    before, after = pair
    changes = diff(before, after)
    moved = prefixed(changes, prefix)
    assert [change.path for change in moved] == [prefix + change.path for change in changes]
    assert moved == diff(before, after, prefix)


def test_one_key_that_changed_is_one_change():
    before = {"vars": {f"v{i}": i for i in range(1000)}}
    after = copy(before)
    after["vars"]["v500"] = True
    assert diff(before, after) == [Set(("vars", "v500"), True)]


def test_an_item_appended_to_a_long_list_is_one_small_change():
    before = list(range(10_000))
    assert diff(before, [*before, 7]) == [Splice((), 10_000, 0, [7])]


def test_an_item_removed_from_the_middle_of_a_list_is_one_small_change():
    before = list(range(1000))
    assert diff(before, before[:500] + before[501:]) == [Splice((), 500, 1, [])]


def test_an_item_put_in_front_of_a_list_is_one_small_change():
    before = list(range(1000))
    assert diff(before, [7, *before]) == [Splice((), 0, 0, [7])]


def test_many_neighbours_that_changed_are_one_splice():
    before = list(range(1000))
    after = [*before[:100], *range(2000, 2050), *before[150:]]
    (change,) = diff(before, after)
    assert change == Splice((), 100, 50, list(range(2000, 2050)))


def test_a_few_items_that_changed_far_apart_are_a_change_each():
    before = list(range(1000))
    after = list(before)
    after[3], after[900] = "a", "b"
    assert diff(before, after) == [Set((3,), "a"), Set((900,), "b")]


def test_a_tuple_that_differs_is_set_as_a_whole():
    before = {"t": (1, [2])}
    after = {"t": (1, [3])}
    assert diff(before, after) == [Set(("t",), (1, [3]))]


def test_a_change_that_equal_comparison_cannot_see_is_a_change():
    assert diff({"a": [1, 0.0]}, {"a": [True, -0.0]}) == [Set(("a", 0), True), Set(("a", 1), -0.0)]
    assert [type(change.value) for change in diff({"a": 1}, {"a": 1.0})] == [float]


@pytest.mark.parametrize(
    "change",
    [
        Set((), 1),
        Set(("missing", "x"), 1),
        Set(("list", 3), 1),
        Set(("list", -1), 1),
        Set(("list", "0"), 1),
        Set(("list", -1, "x"), 1),
        Set(("list", "0", "x"), 1),
        Set(("tuple", 0), 1),
        Set(("scalar", "x"), 1),
        Set(("text", 0), "b"),
        Set(("none", "x", "y"), 1),
        Delete(()),
        Delete(("missing",)),
        Delete(("list", 0)),
        Delete(("scalar", 0)),
        Splice((), 0, 0, [1]),
        Splice(("missing",), 0, 0, [1]),
        Splice(("list",), 4, 0, [1]),
        Splice(("list",), 2, 2, [1]),
        Splice(("list",), -1, 0, [1]),
        Splice(("tuple",), 0, 0, [1]),
        Splice(("text",), 0, 0, ["a"]),
        Splice(("dict",), 0, 0, [1]),
    ],
    ids=repr,
)
def test_a_change_that_does_not_fit_the_document_is_refused_and_applied_to_nothing(change):
    document = {"list": [1, 2, {"x": 3}], "tuple": (1, 2), "scalar": 5, "text": "abc", "none": None, "dict": {}}
    before = copy(document)
    with pytest.raises(ProtocolError, match="does not fit the document"):
        apply(document, [change])
    assert same(document, before)


def test_the_changes_before_one_that_does_not_fit_are_applied():
    document = {"a": 1}
    with pytest.raises(ProtocolError, match=r"Delete at root\['x'\]"):
        apply(document, [Set(("a",), 2), Delete(("x",)), Set(("a",), 3)])
    assert document == {"a": 2}

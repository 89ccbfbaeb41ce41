"""The public form of a delta: DeepDiff's, such that DeepDiff can apply it."""

from __future__ import annotations

import itertools
import math

import deepdiff
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import dict_pairs, dicts, edited_dicts

from lightning_grpc.state.delta import Delete, Set, Splice, apply, diff
from lightning_grpc.state.public import render_path, to_public
from lightning_grpc.state.values import copy, same


def within_the_limits_of_deepdiff(value):
    """Replace what DeepDiff itself cannot apply.

    * Keys with both kinds of quotes, and keys like ``__x__``: its path strings lose them, or it refuses them.
    * Keys of both types in one dict: version 8.6 fails to sort the paths of removed ones.
    * nan in a removed item of a list: it looks for the item by ``==`` and does not find it.
    """
    if isinstance(value, dict):
        texts = {key: item for key, item in value.items() if isinstance(key, str) and is_representable(key)}
        chosen = texts or {key: item for key, item in value.items() if isinstance(key, int)}
        return {key: within_the_limits_of_deepdiff(item) for key, item in chosen.items()}
    if isinstance(value, list | tuple):
        return type(value)(within_the_limits_of_deepdiff(item) for item in value)
    return 0.5 if isinstance(value, float) and math.isnan(value) else value


def is_representable(key):
    return not ("'" in key and '"' in key) and not (key.startswith("__") and key.endswith("__"))


def applied_by_deepdiff(public, value):
    return copy(value) + deepdiff.Delta(public, raise_errors=True)


@given(dict_pairs().map(within_the_limits_of_deepdiff))
def test_deepdiff_applies_the_public_form_of_a_delta(pair):
    before, after = pair
    public = to_public(apply(copy(before), diff(before, after)))
    assert "unrepresentable" not in public
    assert same(applied_by_deepdiff(public, before), after)


@given(dict_pairs())
def test_the_public_form_of_a_difference_is_that_of_its_changes_applied(pair):
    before, after = pair
    changes = diff(before, after)
    assert repr(to_public(changes)) == repr(to_public(apply(copy(before), changes)))


@st.composite
def histories(draw):
    """A dict and what became of it, revision by revision."""
    history = [draw(dicts())]
    for _ in range(2):
        history.append(draw(edited_dicts(history[-1])))
    return [within_the_limits_of_deepdiff(revision) for revision in history]


@given(histories())
def test_deepdiff_applies_the_deltas_of_several_revisions_one_after_the_other(history):
    state = history[0]
    for before, after in itertools.pairwise(history):
        document = copy(before)
        state = applied_by_deepdiff(to_public(apply(document, diff(before, after))), state)
    assert same(state, history[-1])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            Set(("works", "w", "vars", "counter"), 425, 424),
            {"values_changed": {"root['works']['w']['vars']['counter']": {"new_value": 425}}},
        ),
        (
            Set(("vars", "x"), 1.0, 1),
            {"type_changes": {"root['vars']['x']": {"old_type": int, "new_type": float, "new_value": 1.0}}},
        ),
        (
            Set(("vars", "x"), 1, None),
            {"type_changes": {"root['vars']['x']": {"old_type": type(None), "new_type": int, "new_value": 1}}},
        ),
        (Set(("vars", "x"), [1]), {"dictionary_item_added": {"root['vars']['x']": [1]}}),
        (Delete(("vars", "x"), 7), {"dictionary_item_removed": {"root['vars']['x']": 7}}),
        (Splice(("x",), 1, 0, ["b", "c"], []), {"iterable_item_added": {"root['x'][1]": "b", "root['x'][2]": "c"}}),
        (Splice(("x",), 1, 2, [], ["b", "c"]), {"iterable_item_removed": {"root['x'][1]": "b", "root['x'][2]": "c"}}),
        (
            Splice(("x",), 1, 2, ["d"], ["b", "c"]),
            {
                "values_changed": {"root['x'][1]": {"new_value": "d"}},
                "iterable_item_removed": {"root['x'][2]": "c"},
            },
        ),
        (
            Splice(("x",), 0, 1, [2], ["a"]),
            {"type_changes": {"root['x'][0]": {"old_type": str, "new_type": int, "new_value": 2}}},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_kind_of_change_has_deepdiffs_form(change, expected):
    assert to_public([change]) == expected


def test_no_change_has_an_empty_public_form():
    assert to_public([]) == {}


def test_changes_of_one_kind_stand_together():
    public = to_public([Set(("a",), 1, 0), Set(("b",), 2, 1), Set(("c",), 1)])
    assert list(public) == ["values_changed", "dictionary_item_added"]
    assert list(public["values_changed"]) == ["root['a']", "root['b']"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((), "root"),
        (("a", 0, -1), "root['a'][0][-1]"),
        (("0", 0), "root['0'][0]"),
        (("",), "root['']"),
        (("it's",), 'root["it\'s"]'),
        (('say "hi"',), "root['say \"hi\"']"),
        (("a.b", "c[0]"), "root['a.b']['c[0]']"),
        ((2**70,), f"root[{2**70}]"),
    ],
)
def test_a_path_is_written_as_deepdiff_writes_it(path, expected):
    assert render_path(path) == expected


@pytest.mark.parametrize("key", ["'\"", 'it\'s "both"', "__class__", "__x__", "____"])
def test_a_path_that_deepdiff_could_not_read_back_is_listed_as_unrepresentable(key):
    changes = [Set(("vars", key), 2, 1), Set(("vars", "fine"), 2, 1), Delete((key,), 0)]
    assert to_public(changes) == {
        "unrepresentable": [["vars", key], [key]],
        "values_changed": {"root['vars']['fine']": {"new_value": 2}},
    }


@pytest.mark.parametrize(
    "key", ["_x", "__x", "x__", "_", "__init", "a.b", "a[0]", "it's", "", "\\", "\n", "\0", "😀", "*"]
)
def test_deepdiff_reads_back_a_path_with_an_odd_key(key):
    public = to_public([Set(("vars", key), 2, 1)])
    assert applied_by_deepdiff(public, {"vars": {key: 1, "other": 1}}) == {"vars": {key: 2, "other": 1}}


def test_a_path_with_an_integer_too_long_to_be_printed_is_listed_as_unrepresentable():
    key = 10**5000
    public = to_public([Set(("vars", key), 2, 1)])
    assert list(public) == ["unrepresentable"]
    assert public["unrepresentable"] == [["vars", key]]

"""State in JSON: everything can be written, and is read back as it was."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from strategies import values

from lightning_grpc.http.rendering import delta_to_json, from_json, to_json, write
from lightning_grpc.state.delta import Delete, Set, Splice
from lightning_grpc.state.public import to_public
from lightning_grpc.state.values import same


@given(values())
def test_every_value_is_read_back_as_it_was(value):
    assert same(from_json(json.loads(write(to_json(value)))), value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (True, "true"),
        (None, "null"),
        (2**53, "9007199254740992"),
        (2**53 + 1, '{"$int":"9007199254740993"}'),
        (math.nan, '{"$float":"nan"}'),
        (-math.inf, '{"$float":"-inf"}'),
        ((1, [2]), '{"$tuple":[1,[2]]}'),
        ({1: "a", "b": 2}, '{"$dict":[[1,"a"],["b",2]]}'),
        ({"$tuple": 1}, '{"$dict":[["$tuple",1]]}'),
        ({"$tuple": 1, "b": 2}, '{"$tuple":1,"b":2}'),
        ({"$other": 1}, '{"$other":1}'),
        ("é\n", '"é\\n"'),
    ],
)
def test_what_json_cannot_say_is_marked(value, text):
    assert write(to_json(value)) == text


def test_an_integer_of_many_thousand_digits_can_be_written():
    value = -(1 << 50_000)
    assert from_json(json.loads(write(to_json(value)))) == value


@pytest.mark.parametrize(
    "data",
    [
        {"$float": "1.5"},
        {"$float": 1},
        {"$int": "x"},
        {"$int": 5},
        {"$tuple": {}},
        {"$dict": [[1, 2, 3]]},
        {"$dict": [[1.5, 2]]},
        {"$dict": [[None, 2]]},
        {"$dict": [[1, 2], [1, 3]]},
        {"$dict": 1},
    ],
)
def test_a_mark_that_does_not_hold_what_it_must_is_refused(data):
    with pytest.raises(ValueError, match=r"\$|invalid literal"):
        from_json(data)


def test_what_is_nested_too_deep_is_refused():
    data = []
    for _ in range(500):
        data = [data]
    with pytest.raises(ValueError, match="deep"):
        from_json(data)


def test_a_delta_keeps_deepdiffs_form():
    delta = to_public(
        [
            Set(("vars", "n"), (1,), (0,)),
            Set(("vars", "m"), "text", 1),
            Splice(("vars", "log"), 1, 0, [math.inf], []),
            Delete(("vars", "d", "k"), 2**60),
            Delete(("vars", "__odd__"), 1),
        ]
    )
    assert delta_to_json(delta) == {
        "values_changed": {"root['vars']['n']": {"new_value": {"$tuple": [1]}}},
        "type_changes": {"root['vars']['m']": {"old_type": "int", "new_type": "str", "new_value": "text"}},
        "iterable_item_added": {"root['vars']['log'][1]": {"$float": "inf"}},
        "dictionary_item_removed": {"root['vars']['d']['k']": {"$int": str(2**60)}},
        "unrepresentable": [["vars", "__odd__"]],
    }

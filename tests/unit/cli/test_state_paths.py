"""Where something stands in an app's document, as people write it, and what of a delta is about it."""

from __future__ import annotations

import re

import pytest

from lightning_grpc.cli.candidates import places
from lightning_grpc.cli.live_state import below
from lightning_grpc.cli.state_paths import find
from lightning_grpc.errors import ConfigurationError

DOCUMENT = {
    "vars": {"n": 1, "_private": 0, "table": {"a": [1, {"x": 2}], 7: (3, 4)}},
    "calls": {},
    "flows": {"child": {"vars": {"m": 5}, "flows": {}, "works": {}, "structures": {}}},
    "works": {"w": {"vars": {"counter": 9}, "calls": {"latest_call_hash": None}}},
    "structures": {"rows": {"works": {"0": {"vars": {"counter": 8}}}}},
}


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("", ()),
        ("root", ()),
        ("root.n", ("vars", "n")),
        ("w.counter", ("works", "w", "vars", "counter")),
        ("root.rows.0.counter", ("structures", "rows", "works", "0", "vars", "counter")),
        ("root.table.a.1.x", ("vars", "table", "a", 1, "x")),
        ("root.table.7.1", ("vars", "table", 7, 1)),
        ("root.table['a'][0]", ("vars", "table", "a", 0)),
        ("root['vars']['table'][7]", ("vars", "table", 7)),
        ("root['works']['w']['vars']['counter']", ("works", "w", "vars", "counter")),
        ("works.w.vars.counter", ("works", "w", "vars", "counter")),
    ],
)
def test_a_place_is_found_however_it_is_written(place, path):
    found = find(DOCUMENT, place)
    assert found.path == path
    value = DOCUMENT
    for key in path:
        value = value[key]
    assert found.value is value


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("root.nothing", "root has no 'nothing'; it has child, n, rows, table, w"),
        ("root.w.loss", "root.w has no 'loss'; it has counter"),
        ("root.n.deeper", "root.n has no 'deeper'; it has nothing below it"),
        ("root.table.a.9", "root.table.a has no '9'; it has 0 to 1"),
        ("root[", "is no place"),
    ],
)
def test_a_place_that_is_not_there_is_an_error_that_names_what_is(place, says):
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        find(DOCUMENT, place)


def test_places_are_the_components_and_their_public_attributes():
    assert [path for path, _ in places(DOCUMENT)] == [
        "root",
        "root.n",
        "root.table",
        "root.child",
        "root.child.m",
        "root.w",
        "root.w.counter",
        "root.rows",
        "root.rows.0",
        "root.rows.0.counter",
    ]


CHANGES = {
    "values_changed": {"root['vars']['n']": {"new_value": 2}, "root['vars']['nn']": {"new_value": 3}},
    "dictionary_item_added": {"root['works']['w']": {"vars": {"counter": 0}}, "root['vars']['n']['a']": 1},
    "unrepresentable": [["vars", "n", "__x__"], ["works", "w"]],
}


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ((), CHANGES),
        (
            ("vars", "n"),
            {
                "values_changed": {"root['vars']['n']": {"new_value": 2}},
                "dictionary_item_added": {"root['vars']['n']['a']": 1},
                "unrepresentable": [["vars", "n", "__x__"]],
            },
        ),
        (
            ("works", "w", "vars", "counter"),
            {
                "dictionary_item_added": {"root['works']['w']": {"vars": {"counter": 0}}},
                "unrepresentable": [["works", "w"]],
            },
        ),
        (("works", "v"), {}),
    ],
)
def test_of_a_delta_what_is_about_a_place_is_seen(path, seen):
    assert below(CHANGES, path) == seen

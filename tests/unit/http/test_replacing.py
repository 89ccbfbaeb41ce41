"""A whole state as the changes it amounts to."""

from __future__ import annotations

import pytest

from lightning_grpc.errors import UpdateRefusedError
from lightning_grpc.http.replacing import changes_to
from lightning_grpc.state.delta import Set

STATE = {
    "vars": {"n": 1, "items": [1, 2]},
    "calls": {"c": 1},
    "flows": {"child": {"vars": {"x": 0}, "calls": {}, "flows": {}}},
    "works": {"w": {"vars": {"y": (1,)}, "calls": {}}},
    "structures": {"list": {"works": {"0": {"vars": {"z": 0}}}}},
    "app_state": {"stage": "running"},
}


def test_the_same_state_is_no_change():
    assert changes_to(STATE, STATE) == []


def test_only_attributes_that_differ_in_value_or_type_are_set():
    wanted = {
        "vars": {"n": 1.0, "items": [1, 2]},
        "flows": {"child": {"vars": {"x": 5}}},
        "works": {"w": {"vars": {"y": [1]}, "calls": {"other": 1}}},
        "structures": {"list": {"works": {"0": {"vars": {"z": 3}}}}},
        "app_state": {"stage": "failed"},
    }
    assert changes_to(STATE, wanted) == [
        Set(("vars", "n"), 1.0),
        Set(("flows", "child", "vars", "x"), 5),
        Set(("works", "w", "vars", "y"), [1]),
        Set(("structures", "list", "works", "0", "vars", "z"), 3),
    ]


@pytest.mark.parametrize(
    ("wanted", "where"),
    [
        ({"vars": {"new": 1}}, "root['vars']['new']"),
        ({"flows": {"other": {}}}, "root['flows']['other']"),
        ({"var": {}}, "root['var']"),
        ({"vars": 1}, "root['vars']"),
        ({"works": {"w": 1}}, "root['works']['w']"),
        ({3: {}}, "root[3]"),
    ],
)
def test_what_is_not_there_is_refused(wanted, where):
    with pytest.raises(UpdateRefusedError) as refused:
        changes_to(STATE, wanted)
    assert where in str(refused.value)

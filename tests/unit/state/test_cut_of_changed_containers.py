"""Of a changed container only a part is looked at: what is published is all the same valid, small enough and exact."""

from __future__ import annotations

import enum
import math

import pytest

from lightning_grpc.errors import StateTooLargeError
from lightning_grpc.state.cut import CALLS, Cutter
from lightning_grpc.state.delta import apply
from lightning_grpc.state.values import same, size_bytes

LONG = 10_000
"""Items: more than are compared at a time."""


class One(enum.IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()


def cutter_of(limit_bytes=0, **attributes):
    live = {CALLS: {}, **attributes}
    cutter = Cutter(live, attributes, limit_bytes=limit_bytes)
    cutter.cut()
    return cutter, live


@pytest.mark.parametrize("key", [True, 1.0, Text("a"), None, One.ONE])
def test_a_key_that_only_looks_like_the_one_that_was_there_is_a_problem(key):
    cutter, live = cutter_of(table={1: 0, "a": 0})
    for known in list(live["table"]):
        del live["table"][known]
    live["table"][key] = 0
    live["table"][2] = 3
    assert cutter.cut() == []
    assert set(cutter.problems) == {"table"}
    assert cutter.document["vars"]["table"] == {1: 0, "a": 0}


def test_a_key_that_cannot_be_compared_is_a_problem():
    class Odd:
        def __hash__(self):
            return hash("a")

        def __eq__(self, other):
            raise ValueError("odd")

    cutter, live = cutter_of(table={"b": 0})
    live["table"] = {"b": 0, Odd(): 1}
    cutter.cut()
    assert set(cutter.problems) == {"table"}


def test_beside_a_fresh_nan_an_equal_item_that_is_no_value_is_a_problem():
    cutter, live = cutter_of(items=[1, *map(float, range(LONG)), math.nan])
    live["items"][0] = One.ONE
    live["items"][-1] = float("nan")
    assert cutter.cut() == []
    assert set(cutter.problems) == {"items"}
    assert type(cutter.document["vars"]["items"][0]) is int


def test_beside_a_fresh_nan_an_equal_item_of_another_type_is_published():
    cutter, live = cutter_of(items=[1, *range(LONG), math.nan])
    seen = {"vars": {"items": list(cutter.document["vars"]["items"])}}
    live["items"][0] = 1.0
    live["items"][-1] = float("nan")
    apply(seen, cutter.cut())
    assert same(seen["vars"]["items"], live["items"])


def test_what_is_refused_before_it_was_ever_published_does_not_harm_the_next_refusal():
    cutter, _ = cutter_of(100, a=["x" * 200], b=["y" * 300])
    assert set(cutter.problems) == {"a", "b"}
    cutter.cut()
    assert set(cutter.problems) == {"a", "b"}
    assert cutter.document["vars"] == {}


def total_bytes(cutter):
    return sum(size_bytes(value) for value in cutter.document["vars"].values())


@pytest.mark.parametrize("order", [("x", "y"), ("y", "x")])
def test_a_refused_value_keeps_its_room_whoever_comes_first(order):
    cutter, live = cutter_of(110, **dict.fromkeys(order, "." * 50))
    live["x"], live["y"] = "x" * 60, "y" * 500
    cutter.cut()
    assert set(cutter.problems) == {"y"}
    assert total_bytes(cutter) <= 110
    assert cutter.document["vars"]["x"] == "x" * 60


@pytest.mark.parametrize("order", [("x", "y"), ("y", "x")])
def test_a_large_value_may_move_from_one_attribute_to_another(order):
    cutter, live = cutter_of(120, **{"x": "x" * 100, "y": ""} if order == ("x", "y") else {"y": "", "x": "x" * 100})
    live["x"], live["y"] = "", "y" * 100
    cutter.cut()
    assert cutter.problems == {}
    assert cutter.document["vars"] == {"x": "", "y": "y" * 100}


def test_a_list_that_is_written_over_again_and_again_does_not_use_up_the_limit():
    cutter, live = cutter_of(2_000, items=[0] * 10)
    for number in range(1_000):
        live["items"][number % 10] = number + 1
        assert cutter.cut()
        assert cutter.problems == {}


def test_a_list_that_grows_in_place_is_refused_when_it_is_above_the_limit():
    cutter, live = cutter_of(1_000, items=[])
    for _ in range(300):
        live["items"].append(1)
        cutter.cut()
    problem = cutter.problems["items"]
    assert isinstance(problem, StateTooLargeError)
    assert total_bytes(cutter) <= 1_000
    del live["items"][5:]
    cutter.cut()
    assert cutter.problems == {}
    assert cutter.document["vars"]["items"] == [1] * 5

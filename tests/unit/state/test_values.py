"""Values: what state can hold, exactly."""

from __future__ import annotations

import collections
import decimal
import enum
import math
import types
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import LOOKALIKES, containers, fingerprint, keys, leaves, mutable_parts, pairs, permuted, values

from lightning_grpc.errors import InvalidValueError
from lightning_grpc.state.values import MAX_DEPTH, copy, same, size_bytes, validate


class Number(int):
    pass


class Fraction(float):
    pass


class Text(str):
    __slots__ = ()


class Colour(enum.IntEnum):
    RED = 1


class Flag(enum.StrEnum):
    UP = "up"


class Unprintable:
    def __repr__(self):
        return self.missing


class Point(NamedTuple):
    x: int
    y: int


FakeNumpyScalar = types.new_class("float64", (float,), exec_body=lambda body: body.update(__module__="numpy"))

REFUSED = {
    "object": object(),
    "set": {1},
    "frozenset": frozenset({1}),
    "bytes": b"a",
    "bytearray": bytearray(b"a"),
    "complex": 1j,
    "decimal": decimal.Decimal(1),
    "range": range(3),
    "function": lambda: None,
    "class": int,
    "generator": (i for i in ()),
    "int subclass": Number(1),
    "float subclass": Fraction(1),
    "str subclass": Text("a"),
    "int enum": Colour.RED,
    "str enum": Flag.UP,
    "named tuple": Point(1, 2),
    "ordered dict": collections.OrderedDict(a=1),
    "default dict": collections.defaultdict(int),
    "lone surrogate": "a\ud800b",
    "surrogate pair in two halves": "\ud83d\ude00",
    "lone surrogate key": {"a\ud800": 1},
    "float key": {1.0: "a"},
    "bool key": {True: "a"},
    "bool key among others": {"a": 1, 2: 3, False: 4},
    "None key": {None: "a"},
    "tuple key": {(1,): "a"},
    "str subclass key": {Text("a"): 1},
    "int enum key": {Colour.RED: 1},
}


@given(pairs())
def test_same_tells_values_apart_by_value_and_type(pair):
    a, b = pair
    assert same(a, b) == (fingerprint(a) == fingerprint(b))
    assert same(b, a) == same(a, b)


@given(values())
def test_a_value_is_the_same_as_itself_rebuilt_in_another_key_order(value):
    assert same(value, permuted(value))


@pytest.mark.parametrize("a", LOOKALIKES, ids=repr)
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: [v], lambda v: (0, v), lambda v: {"k": v}, lambda v: {1: [v]}])
def test_values_that_look_alike_are_the_same_as_nothing_but_themselves(a, wrap):
    alike = [b for b in LOOKALIKES if same(wrap(a), wrap(copy(b)))]
    assert len(alike) == 1
    assert fingerprint(alike[0]) == fingerprint(a)


def test_every_nan_is_the_same_value():
    assert same(math.nan, float("nan"))
    assert same([float("-nan")], [float("nan")])


def test_dicts_with_other_keys_of_equal_text_are_not_the_same():
    assert not same({"1": 0}, {1: 0})
    assert same({1: 0, "1": 1}, {"1": 1, 1: 0})


@given(values())
def test_a_copy_is_the_same_and_shares_no_container_that_could_change(value):
    duplicate = copy(value)
    assert same(duplicate, value)
    assert not mutable_parts(duplicate) & mutable_parts(value)


@given(containers())
def test_a_copy_has_the_same_objects_as_leaves_in_the_same_order(value):
    originals = list(leaves(value))
    duplicates = list(leaves(copy(value)))
    assert len(originals) == len(duplicates)
    assert all(a is b for a, b in zip(originals, duplicates, strict=True))


@given(values())
def test_every_value_is_accepted(value):
    validate(value)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_text_of_unicode_scalar_values_is_accepted(text):
    validate([text, {text: text}])


@st.composite
def places(draw):
    """A way to bury a value in a valid one, and the path it then has."""
    wraps = []
    path = ("attribute",)
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["list", "tuple", "dict"]))
        others = draw(st.lists(values(2), max_size=3))
        index = draw(st.integers(0, len(others)))
        key = draw(keys()) if kind == "dict" else index
        wraps.append((kind, others, index, key))
        path = (*path, key)

    def bury(value):
        for kind, others, index, key in reversed(wraps):
            items = [*others[:index], value, *others[index:]]
            value = {key: value} if kind == "dict" else items if kind == "list" else tuple(items)
        return value

    return bury, path


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_value_is_refused_by_its_name(value):
    with pytest.raises(InvalidValueError, match=r"^attribute.*HINT: Private attributes") as caught:
        validate(value, ("attribute",))
    assert caught.value.path[0] == "attribute"


@given(places(), st.sampled_from(sorted(REFUSED)))
def test_what_is_no_value_is_refused_by_its_path_however_deep_it_is_buried(place, kind):
    bury, path = place
    with pytest.raises(InvalidValueError) as caught:
        validate(bury(REFUSED[kind]), ("attribute",))
    assert caught.value.path[: len(path)] == path


def test_the_first_of_several_offending_parts_is_named():
    with pytest.raises(InvalidValueError, match=r"table\['a'\]\[1\] is b'x' of type bytes"):
        validate({"a": [1, b"x"], "b": object()}, ("table",))


def test_an_offending_key_is_shown():
    with pytest.raises(InvalidValueError, match=r"table\['a'\] has the key 1\.5 of type float; keys are str or int"):
        validate({"a": {1.5: 0}}, ("table",))


def test_an_offending_item_deep_in_a_long_list_is_found():
    items = [0] * 10_000
    items[7_000] = {1}
    with pytest.raises(InvalidValueError) as caught:
        validate(items, ("items",))
    assert caught.value.path == ("items", 7_000)


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (Number(1), r"convert it with int\(value\)"),
        (Colour.RED, r"convert it with int\(value\)"),
        (Text("a"), r"convert it with str\(value\)"),
        (collections.OrderedDict(), r"convert it with dict\(value\)"),
        (Point(1, 2), r"convert it with tuple\(value\)"),
        ({1}, r"use sorted\(value\)"),
        (b"a", r"use value\.hex\(\)"),
        (FakeNumpyScalar(1), r"use value\.item\(\)"),
    ],
    ids=repr,
)
def test_the_error_says_what_to_do_about_look_alikes(value, advice):
    with pytest.raises(InvalidValueError, match=advice):
        validate(value, ("x",))


def test_a_long_offender_is_shortened_in_the_error():
    with pytest.raises(InvalidValueError) as caught:
        validate(bytes(10_000), ("x",))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {"k": v}, lambda v: {v: 1}, lambda v: {1, v}])
def test_an_object_that_cannot_even_be_printed_is_refused_like_any_other(wrap):
    with pytest.raises(InvalidValueError, match=r"^x"):
        validate(wrap(Unprintable()), ("x",))


def nested(depth, wrap, core=0):
    value = core
    for _ in range(depth):
        value = wrap(value)
    return value


WRAPS = [lambda v: [v], lambda v: (v,), lambda v: {"k": v}, lambda v: [0, {"k": v}][1], lambda v: [1, "x", v]]


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("core", [0, "text"])
def test_containers_may_be_nested_to_the_limit_and_no_deeper(wrap, core):
    validate(nested(MAX_DEPTH, wrap, core), ("x",))
    with pytest.raises(InvalidValueError, match=r"x\[.*is nested more than 40 containers deep"):
        validate(nested(MAX_DEPTH + 1, wrap, core), ("x",))


def test_an_empty_container_counts_as_a_level():
    validate(nested(MAX_DEPTH - 1, lambda v: [v], core=[]))
    with pytest.raises(InvalidValueError):
        validate(nested(MAX_DEPTH, lambda v: [v], core=[]))


def test_a_container_that_contains_itself_is_refused():
    items = [1]
    items.append({"back": items})
    with pytest.raises(InvalidValueError, match="or contains itself"):
        validate(items, ("items",))


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        (None, 1, 8),
        (1.5, 8, 8),
        ("", 0, 0),
        ("abc", 3, 3),
        ("é" * 10, 20, 20),
        ("\U0001f600", 4, 4),
        (2**800, 100, 110),
        ([], 1, 20),
        (list(range(1000)), 4000, 10_000),
        ({"k": "x" * 1000}, 1000, 1100),
        ((("x" * 1000,),), 1000, 1100),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_the_size_of_a_value_is_about_what_it_takes_to_write_it_down(value, least, most):
    assert least <= size_bytes(value) <= most


@given(values())
def test_every_value_has_a_size(value):
    assert size_bytes(value) >= 0

"""What the command line prints: JSON that every reader takes, tables, words."""

from __future__ import annotations

import io
import json
import math
import sys

import pytest
from hypothesis import given
from rich.table import Table
from strategies import values

from lightning_grpc.cli.commands import print_result
from lightning_grpc.cli.output import as_json, one_line, print_json, print_table, schema

HUGE = 10**5000


def strict(text):
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def printed(monkeypatch):
    """Have stdout be in some encoding, and return what was printed there."""

    def redirect(encoding="utf-8"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", stream)
        return lambda: (stream.flush(), stream.buffer.getvalue().decode(encoding))[1]

    return redirect


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (math.nan, {"$float": "nan"}),
        (-math.inf, {"$float": "-inf"}),
        ([1, (2, math.inf)], [1, [2, {"$float": "inf"}]]),
        ({7: {"a": None}, "b": True}, {"7": {"a": None}, "b": True}),
        (HUGE, {"$int": hex(HUGE)}),
        ({HUGE: 1}, {hex(HUGE): 1}),
        ({"old_type": int, "new_type": str}, {"old_type": "int", "new_type": "str"}),
        (2**64, 2**64),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_json_cannot_say_is_said_in_another_way(value, data):
    assert as_json(value) == data
    assert strict(json.dumps(as_json(value), allow_nan=False)) == data


@given(values())
def test_every_value_of_the_state_becomes_json_that_every_reader_takes(value):
    strict(json.dumps(as_json(value), allow_nan=False))


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_json_is_printed_whatever_the_encoding(printed, encoding):
    text = printed(encoding)
    print_json({"word": "größer ✓", "lone": "\ud800"}, indented=False)
    assert strict(text()) == {"word": "größer ✓", "lone": "\ud800"}


def test_letters_are_printed_as_they_are_where_that_can_be_done(printed):
    text = printed()
    print_json("größer ✓", indented=False)
    assert text() == '"größer ✓"\n'


def test_what_a_command_returns_is_json_for_any_reader_too(printed):
    text = printed()
    print_result({"loss": math.nan, "pair": (1, 2)}, as_json=True)
    assert strict(text()) == {"loss": {"$float": "nan"}, "pair": [1, 2]}


def test_an_object_says_what_it_is():
    assert schema("works", works=[]) == {"schema": "lightning-grpc/works/1", "works": []}


def test_a_value_stands_on_one_line():
    assert one_line({"a": "x\ny"}) == "{'a': 'x\\ny'}"
    assert hex(HUGE) in one_line([HUGE])


def test_a_table_has_each_row_on_one_line_if_nobody_looks(printed, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    table = Table("name", box=None)
    table.add_row("x" * 300)
    text = printed()
    print_table(table)
    assert "x" * 300 in text()
    monkeypatch.setenv("COLUMNS", "100")
    text = printed()
    print_table(table)
    assert "x" * 300 not in text()

"""Commands as they are typed into the dashboard."""

from __future__ import annotations

import pytest

from lightning_grpc.dashboard.command_line import parse
from lightning_grpc.errors import CommandArgumentError, UnknownCommandError
from lightning_grpc.service.commands import CommandDescription
from lightning_grpc.service.parameters import ParameterDescription

COMMANDS = [
    CommandDescription(
        "greet all",
        "",
        "root",
        (
            ParameterDescription("name", "str", True),
            ParameterDescription("times", "int", False, 1),
            ParameterDescription("tags", "list", False, (), item_type="str"),
        ),
    ),
    CommandDescription("greet", "", "root"),
]


def test_the_longest_name_and_its_arguments_are_read():
    line = "greet all name='a b' times=3 tags=x tags=y"
    assert parse(line, COMMANDS) == ("greet all", {"name": "a b", "times": 3, "tags": ["x", "y"]})
    assert parse("greet", COMMANDS) == ("greet", {})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("greet all", "'name' is missing"),
        ("greet all name=a who=b", "'who' is none that it takes"),
        ("greet all name=a times=many", "'times'"),
        ("greet x", "'x'"),
        ("greet 'a", "cannot be read"),
    ],
)
def test_a_mistake_is_told_before_anything_is_called(line, words):
    with pytest.raises(CommandArgumentError, match=words):
        parse(line, COMMANDS)


@pytest.mark.parametrize("line", ["nobody", "''", ""])
def test_an_unknown_command_is_told_with_those_that_there_are(line):
    with pytest.raises(UnknownCommandError, match="greet, greet all"):
        parse(line, COMMANDS)

"""A method's signature as options of the command line."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal

import pydantic
import pytest
import rich_click as click
from click.testing import CliRunner

import lightning_grpc as L
from lightning_grpc.cli.command_options import make_command
from lightning_grpc.service.commands import Commands


class Config(pydantic.BaseModel):
    name: str
    size: int = 1


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Line:
    """One line of the command line: what it called, or what it said."""

    def __init__(self, method, *words):
        class Flow(L.LightningFlow):
            def configure_commands(self):
                return {"go": method}

        self.called = []
        command = make_command(Commands(Flow()).describe()[0], lambda *given: self.called.append(given))
        done = CliRunner().invoke(command, words, env={"COLUMNS": "100"})
        self.code = done.exit_code
        self.said = click.unstyle(done.output)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception

    @property
    def arguments(self):
        assert self.code == 0, self.said
        ((arguments, _),) = self.called
        return arguments


def an_int(x: int):
    pass


def a_float(x: float):
    pass


def a_bool(x: bool):
    pass


def a_str(x: str):
    pass


def bare(x):
    pass


def texts(x: list[str]):
    pass


def ints(x: list[int]):
    pass


def any_list(x: list):
    pass


def models(x: list[Config]):
    pass


def any_dict(x: dict):
    pass


def model(x: Config):
    pass


def anything(x: Any):
    pass


def color(x: Color):
    pass


def fast_or_slow(x: Literal["1", "2"]):
    pass


def int_or_text(x: int | str):
    pass


def maybe_int(x: int | None):
    pass


@pytest.mark.parametrize(
    ("method", "words", "value"),
    [
        (an_int, ["--x", "3"], 3),
        (an_int, ["--x=-3"], -3),
        (an_int, ["--x", "-3"], -3),
        (an_int, ["--args", "x=3"], 3),
        (a_float, ["--x", "2"], 2.0),
        (a_float, ["--args", "x=1e3"], 1000.0),
        (a_bool, ["--x"], True),
        (a_bool, ["--no-x"], False),
        (a_bool, ["--args", "x=false"], False),
        (a_bool, ["--args", "x=yes"], True),
        (a_str, ["--x", "3"], "3"),
        (a_str, ["--x", ""], ""),
        (a_str, ["--args", "x=a=b c"], "a=b c"),
        (bare, ["--args", "x=my_own_name"], "my_own_name"),
        (texts, ["--x", "a", "--x", "b"], ["a", "b"]),
        (texts, ["--args", "x=a", "--args", "x=b"], ["a", "b"]),
        (ints, ["--x", "1", "--x", "2"], [1, 2]),
        (any_list, ["--x", "1"], ["1"]),
        (models, ["--x", '{"name": "a"}', "--x", '{"name": "b"}'], [{"name": "a"}, {"name": "b"}]),
        (any_dict, ["--x", '{"a": [1, null]}'], {"a": [1, None]}),
        (model, ["--x", '{"name": "a"}'], {"name": "a"}),
        (model, ["--args", 'x={"name": "a"}'], {"name": "a"}),
        (anything, ["--x", "[1]"], [1]),
        (color, ["--x", "red"], "red"),
        (fast_or_slow, ["--x", "1"], "1"),
        (int_or_text, ["--x", "1"], 1),
        (int_or_text, ["--x", "one"], "one"),
        (maybe_int, ["--x", "1"], 1),
    ],
)
def test_an_option_becomes_the_value_that_the_annotation_says(method, words, value):
    arguments = Line(method, *words).arguments
    assert arguments == {"x": value}
    assert type(arguments["x"]) is type(value)


@pytest.mark.parametrize(
    ("method", "words", "says"),
    [
        (an_int, [], "Missing argument 'x': give it by --x"),
        (texts, [], "Missing argument 'x'"),
        (a_bool, [], "Missing argument 'x'"),
        (an_int, ["--x", "three"], "takes an int, not 'three'"),
        (an_int, ["--args", "x=three"], "takes an int, not 'three'"),
        (an_int, ["--y", "3"], "No such option"),
        (an_int, ["3"], "unexpected extra argument"),
        (an_int, ["--args", "y=3"], "There is no argument 'y'; it takes x."),
        (an_int, ["--args", "x"], "--args takes NAME=VALUE, not 'x'"),
        (an_int, ["--args", "=x"], "--args takes NAME=VALUE"),
        (an_int, ["--x", "3", "--args", "x=3"], "The argument 'x' is given twice"),
        (an_int, ["--args", "x=3", "--args", "x=3"], "The argument 'x' is given twice"),
        (a_float, ["--x", "much"], "takes a float"),
        (a_bool, ["--args", "x=perhaps"], "takes true or false"),
        (ints, ["--x", "1", "--x", "b"], "takes an int, not 'b'"),
        (any_dict, ["--x", "[]"], "takes a JSON object"),
        (model, ["--x", "name"], "takes JSON, not 'name'"),
    ],
)
def test_a_wrong_line_is_a_usage_error_and_nothing_is_called(method, words, says):
    line = Line(method, *words)
    assert line.code == 2
    assert says in " ".join(line.said.replace("│", " ").split())
    assert line.called == []


def test_only_what_is_given_is_sent():
    def go(a: int = 1, b: bool = True, c: list[str] = [], d: dict | None = None):  # noqa: B006
        pass

    assert Line(go).arguments == {}
    assert Line(go, "--no-b", "--d", "{}").arguments == {"b": False, "d": {}}


def test_an_underscore_may_be_a_dash():
    def go(max_size: int, be_quick: bool = False):
        pass

    expected = {"max_size": 3, "be_quick": True}
    assert Line(go, "--max-size", "3", "--be-quick").arguments == expected
    assert Line(go, "--max_size", "3", "--be_quick").arguments == expected
    assert Line(go, "--args", "max-size=3", "--args", "be_quick=true").arguments == expected


def test_a_parameter_called_like_an_option_of_our_own_is_given_by_args():
    def go(json: str, app: int, help: bool, args: list[str]):  # noqa: A002
        pass

    words = ["--args", "json=a", "--args", "app=1", "--args", "help=yes", "--args", "args=b", "--json"]
    line = Line(go, *words)
    assert line.called == [({"json": "a", "app": 1, "help": True, "args": ["b"]}, True)]
    assert "give it by --args app=..." in Line(go, *words[:2]).said


def test_a_parameter_called_like_the_no_of_another_has_no_option():
    def go(x: bool, no_x: bool):
        pass

    assert Line(go, "--no-x", "--args", "no_x=yes").arguments == {"x": False, "no_x": True}


def test_help_shows_what_it_does_and_what_it_takes():
    def go(name: str, config: Config, color: Color = Color.RED, sizes: list[int] = [1, 2], loud: bool = False):  # noqa: B006
        """Go somewhere.

        Quite far.
        """

    line = Line(go, "--help")
    said = " ".join(line.said.replace("│", " ").replace("`", "").split())
    assert line.code == 0
    for words in ("Go somewhere.", "Quite far.", "--name", "str; required", "name: string, size: integer (optional)"):
        assert words in said
    for words in (
        "list[int]; repeatable; default [1, 2]",
        "--loud",
        "--no-loud",
        "default false",
        'default "red"',
        "--json",
    ):
        assert words in said
    assert line.called == []

"""Mistakes on the command line of ``run work``: what is said of them, and the exit code."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from lightning_grpc.cli.durations import parse_duration
from lightning_grpc.cli.main import main

SMALL = """
import time
import lightning_grpc as L

class Small(L.LightningWork):
    def __init__(self, size=0):
        super().__init__()
        self.size = size

    def run(self):
        pass

class Other(L.LightningWork):
    def run(self):
        pass
"""


@pytest.fixture
def said(tmp_path, monkeypatch):
    """Return what runs the command in a folder of its own; that returns the exit code and what was said."""
    (tmp_path / "small.py").write_text(SMALL)
    (tmp_path / "broken.py").write_text("import lightning_grpc\n\n1 / 0\n")
    (tmp_path / "needs.py").write_text("import surely_not_installed\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("COLUMNS", "1000")

    def say(*arguments):
        done = CliRunner().invoke(main, ["run", "work", *arguments])
        for name in ("small", "broken", "needs"):
            sys.modules.pop(name, None)
        return done.exit_code, " ".join(done.output.split())

    return say


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "Name a Work: FILE.py:CLASS, or MODULE:CLASS."),
        (["nothing"], 2, "'nothing' names no Work; give FILE.py:CLASS or MODULE:CLASS"),
        (["none.py:Counter"], 2, "none.py does not exist; give the Python file"),
        ([".:Counter"], 2, ". is a folder; give the Python file"),
        (["./:Counter"], 2, "is a folder; give the Python file"),
        (["no.such.module:Counter"], 2, "there is no module 'no'"),
        (["small:Smell"], 2, "small has no class 'Smell'; it defines Small, Other"),
        (["small.py:time"], 2, "is not the class of a Work, but a value of type module; it defines Small, Other"),
        (["small.py:L.LightningFlow"], 2, "is not the class of a Work, but the class LightningFlow"),
        (["small.py:L.LightningWork"], 2, "is not the class of a Work, but the class LightningWork"),
        (["small.py:Small", "--args", "seven"], 2, "--args: it is no JSON"),
        (["small.py:Small", "--args", "7"], 2, "--args: a JSON list or object is needed"),
        (["small.py:Small", "--drain", "soon"], 2, "'soon' is no duration"),
        (["small.py:Small", "--bind", "here"], 2, "'here' is no address"),
        (["small.py:Small", "--bind", "127.0.0.1:1#name"], 1, "names a Work; give an address to listen on"),
        (["small.py:Small", "--bind", "unix:/tmp/w", "--port", "1"], 2, "--port goes with HOST:PORT only"),
        (["small.py:Small", "--bind", "0.0.0.0:0"], 1, "Two ways to go on"),
        (["small.py:Small", "--name", "a#b"], 1, "'a#b' is no name for a Work"),
        (["small.py:Small", "--tls-cert", "small.py"], 2, "give --tls-cert and --tls-key"),
        (["--work", "small.py:Small", "--name", "x"], 2, "--name and --args are for the Work that is named without"),
        (["small.py:Small", "--work", "small.py:Small"], 1, "two Works are called Small; give them names of their own"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(said, arguments, code, words):
    given, output = said(*arguments)
    assert words in output
    assert "Traceback" not in output
    assert given == code


def test_a_constructor_that_raises_is_told_with_what_it_was_called_with(said):
    code, words = said("small.py:Small", "--args", "[1, 2, 3]")
    assert code == 1
    assert "small.py:Small: its constructor raised this exception; it was called with [1, 2, 3]." in words
    assert "TypeError" in words
    code, words = said("small.py:Small", "--args", '{"size": [1, {"a": null}], "shape": 1}')
    assert code == 1
    assert "unexpected keyword argument 'shape'" in words


def test_a_file_that_raises_is_told_with_the_traceback_of_the_user(said):
    code, words = said("broken.py:Work")
    assert code == 1
    assert "broken.py raised this exception while it was loaded" in words
    assert 'broken.py", line 3, in <module> 1 / 0' in words
    assert "load_work" not in words


def test_a_module_that_is_missing_inside_of_the_users_is_not_taken_for_it(said):
    code, words = said("needs:Work")
    assert code == 1
    assert "needs raised this exception while it was loaded" in words
    assert "No module named 'surely_not_installed'" in words


def test_the_help_has_examples_and_exit_codes(said):
    code, words = said("--help")
    assert code == 0
    assert "lightning-grpc run work trainer.py:Trainer --port 0" in words
    assert "71 a run that was interrupted did not let go" in words


@pytest.mark.parametrize("text", ["", "10 parsecs", "-1s", "1e3s", "s", "nan", "1s1s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="is no duration; give a number and its unit"):
        parse_duration(text)

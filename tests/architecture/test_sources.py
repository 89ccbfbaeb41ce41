"""Rules that the sources keep: sizes, and what nobody may import."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "lightning_grpc"
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if PACKAGE / "v1" not in path.parents)
LONGEST = 400

all_sources = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))


def imported_names(path):
    """Every module that a source imports, wherever in it; `from a import b` counts as `a` and `a.b`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def top(name):
    return name.partition(".")[0]


def test_the_sources_are_found():
    assert len(SOURCES) > 40
    assert PACKAGE / "state" / "cut.py" in SOURCES


@all_sources
def test_a_module_has_fewer_than_400_lines(path):
    assert len(path.read_text().splitlines()) < LONGEST


@all_sources
def test_nothing_is_pickled_but_a_work_on_its_way_to_its_process(path):
    allowed = path == PACKAGE / "runtimes" / "transfer.py"
    picklers = {top(name) for name in imported_names(path)} & {"pickle", "_pickle", "cloudpickle", "dill", "shelve"}
    assert allowed or not picklers


@all_sources
def test_no_deepdiff_delta_is_ever_made_or_loaded(path):
    assert "deepdiff.Delta" not in set(imported_names(path))
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)]
    assert not [node for node in calls if node.attr == "Delta" and ast.unparse(node.value) == "deepdiff"]


@all_sources
def test_deepdiff_is_imported_where_it_is_used_and_not_when_a_module_is(path):
    for node in ast.parse(path.read_text()).body:
        for each in ast.walk(node) if not isinstance(node, ast.FunctionDef | ast.ClassDef) else []:
            names = [alias.name for alias in each.names] if isinstance(each, ast.Import) else []
            names += [each.module or ""] if isinstance(each, ast.ImportFrom) else []
            assert "deepdiff" not in map(top, names)


@all_sources
def test_nothing_is_unmarshalled_but_copies_that_were_just_made(path):
    used = {ast.unparse(node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert path == PACKAGE / "state" / "cut.py" or not used & {"marshal.load", "marshal.loads"}


@all_sources
def test_a_module_says_what_it_is(path):
    text = path.read_text()
    assert not text or ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("room", ["utils", "helpers", "common", "manager", "misc"])
def test_no_room_is_called_by_a_word_that_says_nothing(room):
    named = [path for path in SOURCES if path.stem == room or path.parent.name == room]
    assert named == []


def requirement(text):
    """A requirement's name and version, such as ``("rich", (13, 9))``; zeros at the end do not count."""
    name, version = (part.strip() for part in text.replace(">=", "==").split("=="))
    numbers = [int(number) for number in re.findall(r"\d+", version)]
    while numbers[-1] == 0:
        numbers.pop()
    return name, tuple(numbers)


def test_the_floors_that_are_tested_are_the_floors_that_are_stated():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    stated = [*project["dependencies"], *extras["admin"], *extras["otel"]]
    tested = (ROOT / "tests" / "floor-requirements.txt").read_text().splitlines()
    tested = [line for line in tested if line.strip() and not line.startswith("#")]
    assert all(">=" in line for line in stated)
    assert all("==" in line for line in tested)
    assert dict(map(requirement, tested)) == dict(map(requirement, stated))

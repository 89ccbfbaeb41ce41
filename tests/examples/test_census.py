"""The census runs for real, on real files, with and without a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator

import pytest
from example_runs import DEADLINE_S, ROOT, STARTED, Example

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class Terminal:
    """A census that runs in a terminal of 80 columns and 24 rows."""

    def __init__(self, example: Example) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        environment = {
            name: value for name, value in example.environment.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}
        }
        self.process = subprocess.Popen(
            example.command, cwd=ROOT, env=environment, stdin=slave, stdout=slave, stderr=slave
        )
        os.close(slave)
        self.text = ""

    def read_until(self, text: str) -> None:
        """Read what appears until `text` has."""
        while text not in self.text:
            assert self._read(), f"{text!r} has not appeared: {self.text}"

    def read_to_end(self) -> int:
        """Read what appears until the app has ended and return its exit code."""
        while self._read():
            pass
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def _read(self) -> bool:
        data = b""
        with contextlib.suppress(OSError):  # Linux: the other side is closed
            data = os.read(self._master, 1 << 16)
        self.text += data.decode(errors="replace")
        return bool(data)


@pytest.fixture
def terminal(example) -> Iterator:
    terminals = []

    def open_terminal(*arguments: str) -> Terminal:
        terminals.append(Terminal(example("census", *arguments)))
        return terminals[-1]

    yield open_terminal
    for each in terminals:
        each.close()


@pytest.fixture
def folder(tmp_path):
    """A folder of which everything is known: 12 valid files and one that is not."""
    for number in range(1, 13):
        body = "".join(f"    x = {line}\n" for line in range(number - 1))
        (tmp_path / f"module_{number:02}.py").write_text(f"class C:\n    pass\ndef f{number}():\n{body}    return\n")
    (tmp_path / "bad.py").write_text("def f(:\n")
    return tmp_path


def test_the_census_counts_files_of_the_standard_library(run_example):
    ran = run_example("census", "--limit", "200", "--works", "3")
    assert (ran.code, ran.err) == (0, STARTED)
    text = " ".join(ran.out.split())
    assert re.search(r"Census of the standard library of Python 3\.\d+\.\d+", text)
    assert re.search(r"200 files, [\d.]+ MB, [\d,]+ lines: [\d,]+ functions, [\d,]+ classes", text)
    assert "Read by 3 Works in" in text
    assert any(re.match(r" *\d+  \S+ +\S+\.py:\d+$", line) for line in ran.lines)
    assert "Functions by length in lines" in ran.lines


def test_without_a_terminal_the_census_prints_plain_text(run_example):
    ran = run_example("census", "--limit", "50")
    assert ran.code == 0
    assert all(character.isprintable() or character == "\n" for character in ran.out)
    assert "100% 50 of 50 files" in ran.out
    assert ran.out.count(" of 50 files") <= 10


@pytest.mark.parametrize("works", [1, 2, 5])
def test_however_many_works_there_are_the_census_counts_the_same(run_example, folder, works):
    ran = run_example("census", "--folder", str(folder), "--works", str(works))
    assert (ran.code, ran.err) == (0, STARTED)
    text = " ".join(ran.out.split())
    lines = sum(3 + number for number in range(1, 13))
    assert re.search(rf"13 files, [\d.]+ \w+, {lines} lines: 12 functions, 12 classes, \d+ syntax nodes\.", text)
    assert "1 is no valid Python, such as bad.py (line 1: invalid syntax)." in text
    table = [line.split() for line in ran.lines if re.search(r"module_\d+\.py:3$", line)]
    assert table == [[f"{number + 1}", f"f{number}", f"module_{number:02}.py:3"] for number in range(12, 2, -1)]
    chart = [line for line in ran.lines if "█" in line]
    assert [(line.split()[0], *line.split()[2:]) for line in chart] == [
        ("1-5", "4", "33%"),
        ("6-10", "5", "41%"),
        ("11-20", "3", "25%"),
    ]


def test_there_are_no_more_works_than_files(run_example, folder):
    ran = run_example("census", "--folder", str(folder), "--works", "40")
    assert ran.code == 0
    assert "Read by 13 Works in" in " ".join(ran.out.split())


def test_a_folder_without_python_files_is_an_error_that_says_so(run_example, tmp_path):
    ran = run_example("census", "--folder", str(tmp_path))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"There are no Python files below {tmp_path.resolve()}; ")


def test_a_terminal_shows_progress_and_keeps_the_report(terminal):
    shown = terminal("--limit", "100")
    assert shown.read_to_end() == 0
    assert shown.text.count(HIDE_CURSOR) == shown.text.count(SHOW_CURSOR) == 1
    progress, report = shown.text.split(SHOW_CURSOR)
    assert "Work 0" in progress
    assert "Work 1" in progress
    assert "━" in progress
    assert "Read by " in report
    assert "largest functions" in report
    assert "Functions by length in lines" in report


def test_ctrl_c_ends_the_census_and_gives_the_cursor_back(terminal):
    shown = terminal()
    shown.read_until("Work 0")
    shown.process.send_signal(signal.SIGINT)
    assert shown.read_to_end() == 130
    assert shown.text.rindex(SHOW_CURSOR) > shown.text.rindex(HIDE_CURSOR)
    assert "Traceback" not in shown.text

"""A terminal that takes nothing, after Ctrl-S or on a line that is dead, does not hold the dashboard."""

from __future__ import annotations

import contextlib
import os
import pty
import termios
import threading
import time

import pytest

from lightning_grpc.dashboard.terminal import Terminal

DEADLINE_S = 30.0


@pytest.fixture
def ends():
    keyboard_and_screen, terminal = pty.openpty()
    with os.fdopen(terminal, "r", encoding="utf-8") as read_from, open(os.ttyname(terminal), "w") as write_to:
        yield keyboard_and_screen, Terminal(read_from, write_to), read_from
    os.close(keyboard_and_screen)


def fill(terminal):
    """Paint other lines every time, and more than a terminal that is not read can hold."""
    for number in range(1000):
        terminal.paint([[(f"{number} {'x' * 1000}", "")] for _ in range(40)])


def test_what_is_not_taken_is_given_up_and_painted_anew_when_it_is(ends):
    screen, terminal, _ = ends
    terminal.open()
    with pytest.raises(TimeoutError, match="takes nothing"):
        fill(terminal)
    seen = bytearray()

    def read():
        while b"the last word" not in seen:
            seen.extend(os.read(screen, 65536))

    reader = threading.Thread(target=read, name="screen", daemon=True)
    reader.start()
    lines = [[("as before", "")], [("the last word", "")]]
    deadline_s = time.monotonic() + DEADLINE_S
    painted = None
    while painted is None:  # the reader may need a while before it takes what the terminal still holds
        assert time.monotonic() < deadline_s
        with contextlib.suppress(TimeoutError):
            painted = terminal.paint(lines)
    assert painted == 2
    reader.join(DEADLINE_S)
    assert b"the last word" in seen
    assert terminal.paint(lines) == 0


def test_a_terminal_that_takes_nothing_is_given_back_as_it_was(ends):
    _, terminal, keyboard = ends
    before = termios.tcgetattr(keyboard)
    terminal.open()
    assert termios.tcgetattr(keyboard) != before
    with pytest.raises(TimeoutError):
        fill(terminal)
    terminal.close()
    assert termios.tcgetattr(keyboard) == before

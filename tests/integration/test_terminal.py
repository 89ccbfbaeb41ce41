"""The command line at a terminal: what a person sees after each key."""

from __future__ import annotations

import re
import signal

import pytest
from screens import terminal
from served_apps import Board, Served, app_process, entry_of, until

COLOUR = re.compile(rb"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7])(?:;\d+)*m")
SHOW_CURSOR = b"\x1b[?25h"
HIDE_CURSOR = b"\x1b[?25l"


@pytest.fixture
def served():
    with Served(Board(with_work=True)) as app:
        yield app


@pytest.mark.parametrize("columns", [80, 120])
def test_help_shows_panels_that_fit_the_screen(columns):
    with terminal("--help", columns=columns, lines=60) as screen:
        assert screen.ended() == 0
        top = next(row for row in screen.rows if "─ Look ─" in row)
        assert top.startswith("╭")
        assert top.endswith("╮")
        width = len(top)
        assert width <= columns
        for row in screen.rows:
            if row.startswith("│"):
                assert row.endswith("│")
                assert len(row) == width
        assert "lightning-grpc state --watch" in screen.text


def test_stop_asks_and_takes_no_for_an_answer(served):
    name = served.app.name
    with terminal("stop", name, columns=120) as screen:
        screen.until(f"End {name}, process", "the question")
        screen.press("n\n")
        assert screen.ended() == 1
        assert "ERROR: nothing was ended" in screen.text
    assert entry_of(name).is_live


def test_stop_ends_the_app_when_told_so(tmp_path):
    with app_process(tmp_path) as (_, name):
        until(lambda: entry_of(name), "the app is registered")
        with terminal("stop", name, columns=120) as screen:
            screen.until(f"End {name}, process", "the question")
            screen.press("y\n")
            assert screen.ended() == 0
            assert screen.text.splitlines()[1].strip() == f"{name} has ended."
        assert entry_of(name) is None


def test_ctrl_c_at_a_question_ends_it_quietly(served):
    with terminal("stop", served.app.name, columns=120) as screen:
        screen.until("[y/N]", "the question")
        screen.interrupt()
        assert screen.ended() == -signal.SIGINT  # which shells call 130
        assert screen.text.strip().splitlines() == [screen.rows[0]]
    assert entry_of(served.app.name).is_live


def test_works_are_shown_in_place_and_the_cursor_comes_back(served):
    with terminal("works", "--watch", "--app", served.app.name, columns=160) as screen:
        screen.until("MiB", "the Work, with the memory of its process")
        with served.client() as client:
            client.stop_work("root.step")

        def shows_that_it_is_gone(each):
            heads = [row.partition(" ")[0] for row in each.rows if row.startswith(("name ", "root.step "))]
            return heads == ["name", "root.step"] and "MiB" not in each.text  # what is painted may come in pieces

        screen.until(shows_that_it_is_gone, "once that its process is gone")
        screen.interrupt()
        assert screen.ended() == 130
        assert screen.raw.rfind(SHOW_CURSOR) > screen.raw.rfind(HIDE_CURSOR)
        assert "Traceback" not in screen.text


def test_sigterm_ends_a_watch_and_the_cursor_comes_back(served):
    with terminal("works", "--watch", "--app", served.app.name, columns=160) as screen:
        screen.until("root.step", "the Work")
        screen.process.terminate()
        assert screen.ended() == 143
        assert HIDE_CURSOR in screen.raw
        assert screen.raw.rfind(SHOW_CURSOR) > screen.raw.rfind(HIDE_CURSOR)
        assert "Traceback" not in screen.text


def test_nothing_moves_on_a_terminal_that_cannot(served):
    with terminal("works", "--watch", "--app", served.app.name, columns=160, TERM="dumb") as screen:
        screen.until("root.step", "the Work")
        screen.interrupt()
        assert screen.ended() == 130
        assert b"\x1b" not in screen.raw


def test_changes_are_lines_on_the_screen_and_ctrl_c_ends_them(served):
    with terminal("state", "root.n", "--watch", "--app", served.app.name, columns=120) as screen:
        screen.until("Ctrl-C ends this", "that it watches")
        with served.client() as client:
            client.update("root.n", 41)
        screen.until("{'values_changed': {\"root['vars']['n']\": {'new_value': 41}}}", "the change")
        screen.interrupt()
        assert screen.ended() == 130
        assert "Traceback" not in screen.text
        assert "Aborted" not in screen.text


def test_a_tree_fits_the_screen_and_long_values_are_cut(served):
    with served.client() as client:
        client.update("root.text", "x" * 500)
    with terminal("state", "root", "--app", served.app.name, columns=120, lines=60) as screen:
        assert screen.ended() == 0
        row = next(row for row in screen.rows if "text:" in row)
        assert row.endswith("...")
        assert "root of " in screen.rows[0]


def test_a_long_wait_is_shown_and_gone_when_it_is_over(served):
    served.root.hold(1)
    with served.client() as client:
        client.update("root.n", 1)  # which has it run, and be held up
    until(served.root._entered.is_set, "the Flow is held up")
    with terminal("works", "--app", served.app.name, columns=120) as screen:
        screen.until(f"waiting for {served.app.name} to answer", "what is waited for")
        served.root.go_on()
        assert screen.ended() == 0
        assert "waiting for" not in screen.text
        assert "root.step" in screen.text


@pytest.mark.parametrize(
    ("variables", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_are_left_out_where_they_are_not_wanted(served, variables, is_coloured):
    with served.client() as client:
        until(lambda: client.works()[0].stage == "started", "the Work has a status that is coloured")
        until(lambda: list(client.logs("root", tail=5)), "a line was printed")
    for words in (("works",), ("logs", "--tail", "5")):
        with terminal(*words, "--app", served.app.name, columns=120, **variables) as screen:
            assert screen.ended() == 0
            assert bool(COLOUR.search(screen.raw)) == is_coloured, words


def test_an_unknown_command_is_a_message_that_fits_the_screen(served):
    with terminal("ad", "--app", served.app.name, columns=80) as screen:
        assert screen.ended() == 2
        assert "Did you mean add?" in " ".join(screen.text.replace("│", " ").split())

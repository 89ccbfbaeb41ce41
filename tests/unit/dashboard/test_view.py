"""What the screen shows: at every size, of every tab, whatever the values are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import NOW_S, SIZES, TRACEBACK, Scene, document, work

from lightning_grpc.dashboard.events import CommandsListed, ConnectionLost, Ended, Noted, Ticked
from lightning_grpc.dashboard.model import TABS
from lightning_grpc.service.commands import CommandDescription
from lightning_grpc.state.delta import Set

all_sizes = pytest.mark.parametrize(("width", "height"), SIZES)


def full(width=120, height=40, state=None):
    """A scene in which every tab has something to show."""
    scene = Scene(state, width, height)
    scene.measure(NOW_S - 1, revision=5, runs=30).measure()
    scene.change(Set(("works", "bad", "vars", "step"), 6), at_s=NOW_S)
    scene.print("a line", "another", kind="stderr")
    return scene


@all_sizes
@pytest.mark.parametrize("tab", range(1, len(TABS) + 1))
@pytest.mark.parametrize("keys", [(), ("tab",), ("z",), ("?",), ("/", "b"), (":", "b")])
def test_every_screen_fits_at_every_size(width, height, tab, keys):
    lines = full(width, height).press(str(tab), *keys).lines
    assert len(lines) == height


@all_sizes
def test_long_names_and_values_are_cut_with_an_ellipsis(width, height):
    state = document(**{"long_" * 50: "v" * 5000, "list": list(range(10_000))})
    state["works"]["name_" * 60] = work("pending", "running")
    scene = full(width, height, state)
    assert sum("…" in line for line in scene.lines) >= 3
    for tab in "1234567":
        assert scene.press(tab).lines


@all_sizes
def test_wide_characters_keep_the_columns_straight(width, height):
    state = document(wide="日本語テキスト" * 30, emoji="👩‍💻🎉" * 20, accents="e\u0301" * 40, heart="❤️")
    state["works"]["作業者の名前がとても長い場合はどうなるか"] = work("pending", "running")
    scene = full(width, height, state).print("印刷された行" * 50, "🎉 done")
    for tab in "1234":
        borders = [line.rstrip()[-1] for line in scene.press(tab).lines[2:-1]]
        assert set(borders) <= set("╮│╯┓┃┛")


def test_control_characters_and_escape_sequences_are_shown_and_do_nothing():
    evil = "a\x1b[2J\x1b]0;title\x07\r\n\x00\u202egnp.exe"
    state = document(evil=evil, **{"key\x1b[31m": 1})
    state["works"]["w\x1b[2J"] = work("pending", "running", "failed", reason="r\x1b[1m", message=f"Traceback\n{evil}")
    scene = full(state=state).print(evil, "\x1b[31mred\x1b[0m").press("c")
    scene.change(Set(("vars", "evil"), evil + "x"))
    for tab in "1234567":
        text = scene.press(tab).text
        assert not any(ord(char) < 32 and char != "\n" for char in text)
        assert "\u202e" not in text
    assert "\\x1b[2J" in scene.press("1").line("evil")
    log = scene.press("3").line("red")
    assert "[31m" not in log
    assert "\x1b[2J" not in scene.printed()


def test_rich_markup_in_values_is_not_interpreted():
    markup = "[bold red]x[/] :smile: [link=http://a]b[/link]"
    scene = full(state=document(markup=markup)).print(markup)
    assert markup in scene.line("markup ")
    assert "[bold red]x[/] :smile:" in scene.printed()
    assert markup in scene.press("3").text


def test_nothing_is_told_by_colour_alone():
    scene = full(200, 60)
    for stage, glyph in {
        "running": "►",
        "succeeded": "✓",
        "pending": "◔",
        "not_started": "○",
        "stopped": "■",
        "failed": "✗",
    }.items():
        assert any(f"{glyph} {stage}" in line for line in scene.lines), stage
    assert "• ✗ failed" in scene.line("bad ")
    assert "▌" in scene.line("root  ")


def test_the_header_tells_who_how_long_how_fast_and_why():
    first, second = full().lines[:2]
    for part in ("app.py", "► running", "up 1h01m", "rev 8", "2.0 Δ/s", "10 runs/s", "cpu 100%", "mem 80M", "unix:"):
        assert part in first
    assert "run 40 took 0.5ms, suspended by a blocking call  because schedule of root: hourly" in second


def test_a_run_of_the_flow_that_does_not_end_is_told():
    scene = full().measure(NOW_S + 1, under_way_s=3.25)
    assert "the Flow's run is under way since 3.2s" in scene.lines[1]


def test_the_tree_shows_what_is_known_of_a_work():
    line = full(159, 40).line("bad ")
    for part in ("✗ failed", "20", "1.0s", "100%", "50M", "70", "2ms", "500ms", "100"):
        assert part in line


@pytest.mark.parametrize("name", ["w", "a_rather_long_name_of_a_work_that_is_cut"])
def test_a_larger_screen_shows_no_fewer_columns(name):
    state = document()
    state["works"][name] = work("pending", "running")

    def columns(width, height):
        heading = full(width, height, state).line("component")
        return next(part for part in heading.split("┃") if "component" in part).split()

    assert columns(160, 50)[-4:] == ["lag", "heard", "pid", "resync"]
    seen = [len(columns(width, 60)) for width in range(50, 300)]
    assert seen == sorted(seen)


def test_the_detail_stands_beside_a_tree_that_leaves_it_room():
    def is_beside(width):
        return "Components" in (top := full(width, 60).lines[2]) and "╭" in top

    assert [is_beside(width) for width in (120, 160, 200)] == [False, False, True]


def running_work():
    """A Work that has run for 59 seconds, and was heard half a second ago."""
    state = document()
    state["works"]["busy"] = work("pending", "running")
    scene = Scene(state, 140, 40)
    return scene.measure(works=("root.bad", "root.busy"))


def figures_of_busy(scene, at_s):
    """What the tree says of it at a time: how long it runs, and when it was heard."""
    scene.tell(Ticked(NOW_S + at_s))
    words = scene.line("busy ").split()
    return words[words.index("running") + 2], words[-4], scene.styles_of(words[-4])


def test_while_the_connection_is_lost_runs_take_no_longer_and_the_last_sign_of_life_ages():
    scene = running_work()
    assert figures_of_busy(scene, 1)[:2] == ("1m00s", "500ms")
    scene.tell(ConnectionLost(NOW_S + 3, "nobody answers"))
    ran, heard, styles = figures_of_busy(scene, 20)
    assert (ran, heard) == ("1m02s", "20s")
    assert "bad" in styles
    assert "1m02s" in scene.press("c").text


def test_when_the_app_has_ended_time_stands_still():
    scene = running_work().tell(Ended(NOW_S + 2, "the app has ended"))
    assert figures_of_busy(scene, 60)[:2] == ("1m01s", "500ms")
    assert "in 1m28s" in scene.press("t").line("hourly:app.py:3")


def test_while_it_is_paused_time_stands_still():
    scene = running_work().press("p")
    before = [line for line in scene.lines if "paused" not in line]
    scene.tell(Ticked(NOW_S + 60)).press("home")
    assert [line for line in scene.lines if "paused" not in line] == before


def test_a_flow_tells_how_many_works_below_it_are_at_which_stage():
    assert "► 1 running  ✓ 1 succeeded  ◔ 1 pending  ○ 1 not_started  ■ 1 stopped" in full().line("▾ team")


def test_a_work_that_is_not_heard_is_unreachable():
    state = document()
    state["works"]["lost"] = work("pending", "running", "running", reason="unreachable")
    assert "? unreachable" in full(state=state).line("lost ")


def test_what_has_changed_flashes_then_fades_then_is_as_before():
    scene = full().change(Set(("vars", "n"), 2))
    assert "n       •" in scene.line(" int ")
    assert "flash" in scene.styles_of("2")
    scene.tell(Ticked(NOW_S + 1))
    assert "flash" not in scene.styles_of("2")
    assert "fade" in scene.styles_of("2")
    assert "fade" in scene.styles_of("n ")
    assert scene.model.is_fading()
    scene.tell(Ticked(NOW_S + 3))
    assert "•" not in scene.line(" int ")
    assert "fade" not in scene.styles_of("2")
    assert not scene.model.is_fading()


def test_numbers_have_a_line_of_their_history():
    scene = full()
    for value in (2, 5, 9, 3):
        scene.change(Set(("vars", "n"), value))
    assert "▁▂▅█▃" in scene.line(" int ")


def test_a_pair_of_a_part_and_a_whole_has_a_bar():
    scene = full().press(":").type("bad").press("enter")
    assert "███" in scene.line("step ")
    assert "30.0 %" in scene.line("step ")
    assert "%" not in scene.line("steps")


def test_values_are_unfolded_and_folded():
    scene = full().press("tab", "down", "down", "down")
    assert "{'a': [1, 2], 7: {'deep': 1.5}}" in scene.line("table")
    scene.press("enter")
    assert [line.split()[1:3] for line in scene.lines if "list[2]" in line or "dict[1]" in line] == [
        ["▸", "a"],
        ["▸", "7"],
    ]
    scene.press("down", "right", "down", "left")
    assert "list[2]" in next(line for line in scene.lines if "▌" in line and "┃" in line)
    scene.press("left", "left", "left")
    assert "list[2]" not in scene.text


def test_deltas_are_shown_in_deepdiffs_form():
    line = full().press("d").line("root.bad  ")
    assert "values_changed: {\"root['vars']['step']\": {'new_value': 6}}" in line
    assert " 8 " in line
    scene = full().change(Set(("vars", "n"), 2), revisions=30).press("d")
    assert "9..38  root" in scene.line("new_value': 2")


@all_sizes
def test_a_zoomed_list_shows_its_lowest_row_as_a_whole(width, height):
    scene = full(width, height).change(Set(("vars", "n"), "start " + "語" * 150 + " end")).press("d")
    assert " end'" not in scene.text
    assert " end'" in scene.press("z").text
    scene.change(Set(("vars", "n"), "x" * 50_000))
    assert "lines more" in scene.text
    assert " end'" in scene.press("up").text
    scene.press("up")
    assert " end'" not in scene.text
    assert "tail" in scene.print("head" + "." * width + "tail").press("l").text


def test_calls_show_statuses_and_the_traceback():
    text = full().press(":").type("bad").press("enter", "c").text
    assert "◔ pending" in text
    assert "✗ failed (user_exception)" in text
    assert "ZeroDivisionError: division" in text
    assert 'File "work.py", line 3, in run' in text


def test_schedules_show_when_they_fire_next():
    assert "in 1m30s" in full().press("t").line("hourly:app.py:3")


def test_runs_show_their_causes_the_newest_first():
    lines = [line for line in full().press("w").lines if "of root" in line and "│" in line]
    assert ["schedule" in lines[0], "state of root.bad: step" in lines[1]] == [True, True]


def test_commands_show_what_they_take():
    assert "name: str" in full().press("m").line("greet")


def test_how_the_latest_command_went_stands_below_the_commands():
    scene = full().press("m")
    scene.tell(Noted(NOW_S, f"the command greet failed with X: y\n{TRACEBACK}", is_error=True, command="greet name=a"))
    assert "✗ the command greet failed with X: y (m shows where)" in scene.lines[-1]
    assert "✗ greet name=a" in scene.line("greet name=a")
    assert "ZeroDivisionError: division" in scene.text
    assert "name: str" in scene.text, "the commands are there too"
    scene.tell(Noted(NOW_S + 1, "pause is done: " + "x" * 300 + "end", command="pause"), Ticked(NOW_S + 60))
    assert "✓ pause" in scene.text
    assert "xend " in scene.text, "a long result is there as a whole"
    assert "ZeroDivisionError" not in scene.text


@pytest.mark.parametrize("height", range(14, 30))
def test_how_a_command_failed_is_seen_at_every_height(height):
    scene = full(80, height).press("m")
    scene.tell(Noted(NOW_S, f"the command greet failed with X: y\n{TRACEBACK}", is_error=True, command="greet name=a"))
    assert "✗ greet name=a" in scene.text
    assert "ZeroDivisionError: division" in scene.text
    assert len(scene.lines) == height


def test_an_outcome_leaves_the_commands_what_room_it_does_not_need_and_is_there_if_none_fits_the_filter():
    scene = (
        full(80, 30)
        .press("m", "z")
        .tell(CommandsListed(NOW_S, tuple(CommandDescription(f"c{number}", "", "root") for number in range(20))))
    )
    scene.tell(Noted(NOW_S, "c0 is done", command="c0"))
    assert sum("root" in line for line in scene.lines) >= 18
    assert "c0 is done" in scene.press("/").type("nosuch").press("enter").text


def test_of_a_very_long_result_the_begin_is_shown_and_the_rest_is_not_kept():
    scene = full().press("m").tell(Noted(NOW_S, "pause is done: begin" + "x" * 5_000_000, command="pause"))
    assert "pause is done: begin" in scene.text
    assert "lines more" in scene.text
    assert len(scene.model.ui.outcome.text) < 30_000


def test_where_the_traceback_is_is_told_on_a_narrow_screen_too():
    failed = Noted(NOW_S, f"the command greet failed with {'X' * 200}\nTraceback", is_error=True, command="greet")
    assert "… (m shows where)" in full(60, 20).tell(failed).lines[-1]


def test_what_is_under_way_leaves_the_outcome_of_the_command_before():
    scene = full().press("m").tell(Noted(NOW_S, "pause is done: 5", command="pause"))
    scene.tell(Noted(NOW_S + 1, "greet is running ...", is_under_way=True))
    assert "pause is done: 5" in scene.text


def test_a_lost_connection_is_told_with_its_age_and_the_last_state_stays():
    scene = full().tell(ConnectionLost(NOW_S, "nobody answers"), Ticked(NOW_S + 5))
    assert "connection lost 5.0s ago, trying again: nobody answers" in scene.lines[1]
    assert "? unreachable" in scene.lines[0]
    assert "✗ failed" in scene.text


def test_the_end_is_told_and_the_last_state_stays():
    scene = full().tell(Ended(NOW_S, "the app has ended"))
    assert "ended: the app has ended" in scene.lines[1]
    assert "table" in scene.text


def test_a_screen_that_is_too_small_says_so():
    scene = full(40, 10)
    assert "too small: 40x10" in scene.text
    for width, height in ((1, 1), (3, 2), (49, 14), (50, 13)):
        assert len(scene.resize(width, height).lines) == height


@settings(max_examples=60, deadline=None)
@given(st.integers(50, 220), st.integers(14, 70), st.sampled_from("1234567"), st.text(max_size=40))
def test_any_size_and_any_text_fit(width, height, tab, text):
    state = document(**{"text": text, f"k{text}": [text]})
    state["works"][f"w{text}"] = work("pending", "running", "failed", reason=text or "r", message=text)
    scene = full(width, height, state).print(text).press(tab)
    scene.tell(Noted(NOW_S, text, command=text))
    assert len(scene.lines) == height

"""What keys do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scenes import NOW_S, Scene, document, work

from lightning_grpc.dashboard.events import (
    ConnectionLost,
    Ended,
    KeyPressed,
    Noted,
    Quit,
    RunCommand,
    StopWork,
    Ticked,
)
from lightning_grpc.dashboard.model import NOTE_S
from lightning_grpc.dashboard.view_head import KEYS
from lightning_grpc.state.delta import Delete, Set


def selected(scene):
    return scene.model.ui.selected


@pytest.mark.parametrize(("down", "up"), [("down", "up"), ("j", "k")])
def test_arrows_and_letters_move_in_the_tree(down, up):
    scene = Scene().press(down, down)
    assert selected(scene) == "root.team.items"
    assert selected(scene.press(up)) == "root.team"
    assert selected(scene.press("G")) == "root.bad"
    assert selected(scene.press(down)) == "root.bad"
    assert selected(scene.press("g")) == "root"
    assert selected(scene.press("pagedown")) == "root.bad"


def test_components_are_folded_and_unfolded():
    scene = Scene().press("j", "left")
    assert "root.team.items.0" not in scene.text
    assert "▸ team" in scene.text
    assert "items" in scene.press("right").text
    assert "items" not in scene.press("space").text
    scene.press("l")
    assert "items" in scene.text
    assert scene.model.ui.tab == "state"
    assert scene.press("l").model.ui.tab == "logs"


def test_left_leads_to_the_component_above():
    scene = Scene().press("j", "j", "j")
    assert selected(scene) == "root.team.items.0"
    assert selected(scene.press("h")) == "root.team.items"
    assert selected(scene.press("h", "h")) == "root.team"


def test_tab_and_enter_change_the_focus_and_z_zooms():
    scene = Scene()
    assert scene.press("tab").model.ui.focus == "detail"
    assert scene.press("tab").model.ui.focus == "tree"
    assert scene.press("enter").model.ui.focus == "detail"
    scene.press("z")
    assert "Components" not in scene.text
    assert "Components" in scene.press("esc").text


@pytest.mark.parametrize(
    ("key", "tab"),
    [
        *zip("vdlcwtm", ("state", "deltas", "logs", "calls", "runs", "schedules", "commands"), strict=True),
        ("2", "deltas"),
    ],
)
def test_a_letter_shows_a_tab(key, tab):
    assert Scene().press(key).model.ui.tab == tab


def test_a_filter_narrows_while_it_is_typed_and_esc_clears_it():
    scene = Scene().press("/").type("items.1")
    assert "root.team.items.1" in scene.text
    assert "items.0" not in scene.text
    scene.press("backspace", "2")
    assert "items.2" in scene.press("enter").text
    assert "✓ succeeded" not in scene.text
    assert "✓ succeeded" in scene.press("esc").text
    scene.press("/").type("xyz").press("esc")
    assert "items" in scene.text


def test_each_list_has_a_filter_of_its_own():
    scene = Scene().print("apple", "pear").press("l", "tab", "/").type("pea").press("enter")
    assert "pear" in scene.text
    assert "apple" not in scene.text
    assert "▾ team" in scene.text
    scene.change(Set(("vars", "n"), 2)).change(Set(("works", "bad", "vars", "step"), 9)).press("d", "/").type("'n'")
    assert "new_value': 2" in scene.text
    assert "new_value': 9" not in scene.text


def test_a_jump_goes_to_the_component_that_is_meant():
    assert selected(Scene().press(":").type("bad").press("enter")) == "root.bad"
    scene = Scene().press("j", "left", ":").type("items.3")
    assert "root.team.items.3" in scene.lines[-1]
    assert selected(scene.press("enter")) == "root.team.items.3"
    assert "○ not_started" in scene.line("▌")
    scene.press(":").type("nobody").press("enter")
    assert "no component like 'nobody'" in scene.lines[-1]
    assert Scene().press(":").type("ba").press("tab").model.ui.prompt.text == "root.bad"


def test_pause_keeps_the_screen_and_what_comes():
    scene = Scene().press("p").change(Set(("vars", "n"), 77))
    assert "paused at revision 7; 1 have come since" in scene.lines[1]
    assert " 77" not in scene.line(" int ")
    assert " 77" in scene.press("p").line(" int ")


def test_a_list_that_grows_is_followed_until_one_scrolls_back():
    scene = Scene(width=120, height=24).press("d", "tab")
    for value in range(100):
        scene.change(Set(("vars", "n"), value + 10))
    assert "'new_value': 109" in scene.text
    scene.press("up", "up")
    assert "'new_value': 107" in scene.text
    assert "'new_value': 108" not in scene.text
    before = scene.lines[3:-1]
    scene.change(Set(("vars", "n"), 500))
    assert scene.lines[-8:-2] == before[-7:-1]
    scene.press("home")
    assert "'new_value': 10}" in scene.text
    assert "'new_value': 500" in scene.press("end").text
    assert scene.model.ui.anchors["deltas"] is None


def test_a_work_is_stopped_only_after_a_yes():
    scene = Scene().press("s")
    assert "select one first" in scene.lines[-1]
    scene.press("G", "s")
    assert "Stop root.bad? Its process ends, for good." in scene.lines[-1]
    assert scene.press("n").wishes == []
    assert scene.press("s", "enter").wishes == []
    assert scene.press("s", "y").wishes == [StopWork("root.bad")]
    assert scene.model.ui.confirm == ""


def test_nothing_is_stopped_while_the_connection_is_lost():
    scene = Scene().tell(ConnectionLost(NOW_S, "away")).press("G", "s", "y")
    assert scene.wishes == []
    assert "not connected" in scene.lines[-1]


def test_a_command_is_typed_completed_and_executed():
    scene = Scene().press("r").type("gr").press("tab").type("name=World")
    assert scene.lines[-1].startswith(" run> greet name=World")
    assert scene.press("enter").wishes == [RunCommand("greet name=World")]
    assert Scene().press("r").type("pause").press("esc").wishes == []
    assert Scene().press("r").press("ctrl-u", "enter").wishes == []


def test_enter_on_a_command_fills_it_in():
    scene = Scene().press("m", "tab", "enter")
    assert scene.model.ui.prompt.text == "greet name="
    scene.press("ctrl-w")
    assert scene.model.ui.prompt.text == "greet"


def test_q_leaves_but_not_while_something_is_typed():
    assert Scene().press("/").type("q").wishes == []
    assert Scene().press("q").wishes == [Quit()]
    assert Scene().press("?", "q").wishes == []
    assert Scene().press("/", "ctrl-c").wishes == [Quit(is_interrupt=True)]


def test_after_the_end_the_last_state_can_be_looked_at_until_there_is_nothing_to_go_back_from():
    scene = Scene().tell(Ended(NOW_S, "over")).press("c", "enter", "enter")
    assert scene.model.ui.zoomed
    assert scene.wishes == []
    scene.press("esc").press("j", "space")
    assert scene.wishes == []
    assert scene.press("esc").wishes == [Quit()]
    assert Scene().tell(Ended(NOW_S, "over")).press("q").wishes == [Quit()]


def test_what_is_under_way_is_told_with_how_long_it_lasts_until_it_is_known_how_it_went():
    scene = Scene().tell(Noted(NOW_S, "slow is running ...", is_under_way=True))
    assert "◔ slow is running ..." in scene.lines[-1]
    scene.tell(Ticked(NOW_S + 60))
    assert "◔ slow is running ... 1m00s" in scene.lines[-1]
    scene.tell(Noted(NOW_S + 60, "slow is done"))
    assert "✓ slow is done" in scene.lines[-1]
    assert "slow" not in scene.tell(Ticked(NOW_S + 70)).lines[-1]


def test_what_is_typed_after_r_is_the_command_wherever_the_cursor_is():
    scene = Scene().press("m", "tab", "r").type("pause").press("enter")
    assert scene.wishes == [RunCommand("pause")]


@pytest.mark.parametrize("keys", [("G", "s"), ("r",), ("m", "tab", "enter")])
def test_of_a_recording_nothing_is_asked_for_that_would_be_refused(keys):
    scene = Scene()
    scene.model = replace(scene.model, is_replay=True)
    assert "✗ this is a recording: it cannot be changed" in scene.press(*keys).lines[-1]
    assert scene.press("y").wishes == []


def test_the_smallest_of_usual_screens_tells_how_to_leave():
    assert " q quit " in Scene(width=80, height=24).lines[-1]


def test_a_note_stays_for_a_while():
    scene = Scene().tell(Noted(NOW_S, "done: hello\nworld"))
    assert "✓ done: hello  world" in scene.lines[-1]
    assert "done" not in scene.tell(Ticked(NOW_S + NOTE_S + 1)).lines[-1]


def test_the_help_tells_of_every_key():
    text = Scene().press("?").text
    for keys, what in KEYS:
        assert keys in text
        assert what[:30] in text
    for key in "vdlcwtm/:psrzq?":
        assert any(key in keys for keys, _ in KEYS)


def test_a_key_that_means_nothing_changes_nothing():
    scene = Scene()
    before = scene.model.ui
    assert scene.press("X", "f5", "é").model.ui == before


def test_components_that_come_and_go_are_shown():
    scene = Scene().press("G").change(Set(("works", "new"), work("pending")))
    assert "new" in scene.text
    scene.press(":").type("new").press("enter").change(Delete(("works", "new"), None))
    assert " new " not in scene.text
    assert scene.model.component().name == "root"
    assert scene.press("j").lines


def test_a_scene_of_any_keys_is_always_drawn():
    keys = [
        "tab",
        "down",
        "enter",
        "z",
        "c",
        "d",
        "j",
        "G",
        "up",
        "/",
        "x",
        "esc",
        "right",
        "left",
        "m",
        "enter",
        "esc",
    ]
    scene = Scene(document(), 80, 24)
    for at in range(200):
        scene.tell(KeyPressed(NOW_S, keys[(at * 7 + at // 5) % len(keys)]))
        assert len(scene.lines) == 24

"""What is known of an app after its events."""

from __future__ import annotations

import gc
import weakref

from scenes import NOW_S, Scene, document, metrics

from lightning_grpc.dashboard import rows
from lightning_grpc.dashboard.document import document_of
from lightning_grpc.dashboard.events import ConnectionLost, ConnectionMade, Ended, LinesPrinted, StateReplaced
from lightning_grpc.dashboard.model import MAX_DELTA_BYTES, MAX_DELTAS, MAX_HISTORIES, MAX_LINES, MAX_POINTS
from lightning_grpc.dashboard.rows import delta_text
from lightning_grpc.dashboard.tree import components_of, is_of_the_tree, owner_of
from lightning_grpc.state.delta import Set, Splice
from lightning_grpc.wire.logs import LogLine


def test_rates_are_made_of_two_answers():
    data = Scene().measure(NOW_S, revision=100, runs=10).model.data
    assert data.total.rate is None
    data = Scene().measure(NOW_S, revision=100, runs=10).measure(NOW_S + 2, revision=140, runs=30).model.data
    assert (data.total.rate, data.runs_rate, data.total.cpu_share) == (20, 10, 1)
    assert (data.figures["root.bad"].rate, data.figures["root.bad"].cpu_share) == (200, 1)


def test_an_app_that_was_started_anew_has_no_rate_from_before():
    data = Scene().measure(NOW_S, revision=100, runs=10).measure(NOW_S + 2, revision=5, runs=1).model.data
    assert data.total.rate is None
    assert data.runs_rate is None


def test_a_process_that_was_replaced_has_no_share_from_before():
    scene = Scene().measure(NOW_S)
    told = metrics(NOW_S + 1)
    usages = {"root.bad": type(told.usage)(555, 0.5, 1, 1)}
    assert scene.measure(NOW_S + 1, usages=usages).model.data.figures["root.bad"].cpu_share is None


def test_everything_that_grows_is_bounded():
    scene = Scene()
    for number in range(MAX_DELTAS + 10):
        scene.change(Set(("vars", "n"), number))
    lines = tuple(LogLine("root", "stdout", NOW_S, str(number)) for number in range(MAX_LINES + 10))
    data = scene.tell(LinesPrinted(NOW_S, lines)).model.data
    assert (len(data.deltas), data.deltas[-1].number) == (MAX_DELTAS, MAX_DELTAS + 9)
    assert (len(data.lines), data.lines[-1].number) == (MAX_LINES, MAX_LINES + 9)
    assert len(data.histories["vars", "n"]) == MAX_POINTS
    scene.change(*(Set(("vars", f"v{number}"), number) for number in range(MAX_HISTORIES + 10)))
    assert len(scene.model.data.histories) <= MAX_HISTORIES
    assert len(scene.model.data.changed_at_s) <= 1000


def test_of_large_deltas_fewer_are_kept_and_always_the_newest():
    scene = Scene()
    for number in range(60):
        scene.change(Set(("vars", "n"), chr(65 + number) * 1_000_000, 0))
    deltas = scene.model.data.deltas
    assert sum(each.weight for each in deltas) <= MAX_DELTA_BYTES
    assert sum(each.weight for each in deltas) == scene.model.data.deltas_bytes
    assert 10 < len(deltas) < 30
    scene.change(Set(("vars", "n"), "x" * 2 * MAX_DELTA_BYTES))
    assert [each.number for each in scene.model.data.deltas] == [60]


def test_the_text_of_a_delta_does_not_outlive_it():
    scene = Scene().change(Set(("vars", "n"), 1))
    entry = scene.model.data.deltas[-1]
    assert delta_text(entry) is delta_text(entry)
    before, known = len(rows._texts), weakref.ref(entry)
    del entry, scene
    gc.collect()
    assert known() is None
    assert len(rows._texts) < before


def test_a_history_holds_numbers_alone():
    scene = Scene().change(Set(("vars", "n"), float("nan"))).change(Set(("vars", "n"), 10**400))
    scene.change(Set(("vars", "n"), True)).change(Set(("vars", "n"), "x"))
    assert ("vars", "n") not in scene.model.data.histories


def test_deltas_are_told_component_by_component():
    scene = Scene().change(
        Set(("vars", "n"), 2), Set(("works", "bad", "vars", "step"), 3), Set(("app_state", "stage"), "stopping")
    )
    assert [each.component for each in scene.model.data.deltas] == ["root", "root.bad", "app"]
    assert {each.revision for each in scene.model.data.deltas} == {8}


def test_the_state_is_that_of_the_newest_revision_and_shares_with_those_before():
    scene = Scene()
    before = scene.model.data.document
    scene.change(Splice(("vars", "table", "a"), 2, 0, [3]))
    after = scene.model.data.document
    assert (before["vars"]["table"]["a"], after["vars"]["table"]["a"]) == ([1, 2], [1, 2, 3])
    assert before["works"] is after["works"]


def test_what_is_not_new_makes_no_new_model():
    scene = Scene()
    before = scene.model
    assert scene.tell(ConnectionMade(NOW_S)).model is before


def test_a_lost_connection_counts_from_its_first_failure_and_ends_with_the_next_success():
    scene = Scene().measure(NOW_S).measure(NOW_S + 1)
    scene.tell(ConnectionLost(NOW_S + 1, "one"), ConnectionLost(NOW_S + 4, "two"))
    assert (scene.model.data.connection.since_s, scene.model.data.connection.reason) == (NOW_S + 1, "two")
    assert scene.model.data.total.rate is None
    assert scene.tell(ConnectionMade(NOW_S + 5)).model.data.connection.state == "live"


def test_how_fast_things_go_on_is_not_known_while_the_connection_is_lost():
    scene = Scene().measure(NOW_S).tell(ConnectionLost(NOW_S + 1, "gone"))
    data = scene.measure(NOW_S + 2).measure(NOW_S + 3).model.data  # as of a Work by itself, which others tell of too
    assert (data.total.rate, data.figures["root.bad"].rate) == (None, None)
    assert data.total.memory_bytes
    scene.tell(ConnectionMade(NOW_S + 4))
    assert scene.measure(NOW_S + 5).model.data.total.rate == 0


def test_after_the_end_nothing_is_lost_any_more():
    scene = Scene().tell(Ended(NOW_S, "over"), ConnectionLost(NOW_S, "gone"))
    assert scene.model.data.connection.state == "ended"


def test_a_state_that_is_told_anew_replaces_all():
    scene = Scene().tell(StateReplaced(NOW_S, 99, {"vars": {"other": 1}, "calls": {}}))
    assert [each.name for each in scene.model.data.components] == ["root"]
    assert scene.model.data.revision == 99


def test_owners_and_the_tree_are_told_from_paths():
    assert owner_of(("flows", "team", "structures", "items", "works", "0", "vars", "x"))[0] == "root.team.items.0"
    assert owner_of(("vars", "works", "x")) == ("root", ())
    assert is_of_the_tree(("flows", "team"))
    assert is_of_the_tree(("structures",))
    assert not is_of_the_tree(("works", "w", "vars", "n"))
    assert [each.name for each in components_of(document())][:4] == [
        "root",
        "root.team",
        "root.team.items",
        "root.team.items.0",
    ]


def test_the_document_for_programs_has_all_that_is_shown():
    scene = Scene().measure(NOW_S).measure(NOW_S + 1, revision=9)
    scene.change(Set(("vars", "n"), 2)).print("a line")
    told = document_of(scene.model)
    assert told["schema"] == "lightning-grpc/dashboard/1"
    assert (told["kind"], told["stage"], told["revision"], told["deltas_per_s"]) == ("app", "running", 8, 2)
    bad = next(each for each in told["components"] if each["name"] == "root.bad")
    assert (bad["stage"], bad["reason"], bad["vars"]["step"], bad["usage"]["pid"]) == (
        "failed",
        "user_exception",
        5,
        100,
    )
    assert told["deltas"][-1]["changes"] == {"values_changed": {"root['vars']['n']": {"new_value": 2}}}
    assert told["lines"][-1]["text"] == "a line"
    assert told["latest_runs"][0]["causes"] == [{"kind": "state", "component": "root.bad", "paths": ["step"]}]
    assert [each["name"] for each in told["commands"]] == ["greet", "pause"]

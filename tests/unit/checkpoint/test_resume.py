"""What of an app's document is set on a tree that is made afresh."""

from __future__ import annotations

import pytest

import lightning_grpc as L
from lightning_grpc.checkpoint.checkpoint import Checkpoint
from lightning_grpc.checkpoint.file import CheckpointFile
from lightning_grpc.checkpoint.resume import resume, states_of
from lightning_grpc.components.calls import FOR_GOOD, LATEST, START, resumed, stage_of, stopped_for_good
from lightning_grpc.components.flow import collect_state
from lightning_grpc.errors import CheckpointError, ChildError, ConfigurationError
from lightning_grpc.structures import Dict, List


class Work(L.LightningWork):
    def __init__(self, **options):
        super().__init__(**options)
        self.n = 0
        self.items = []

    def run(self):
        pass


class Child(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.w = Work()
        self.seen = 0


class Stage(Child):
    """Comes in a run and has a structure of its own."""

    def __init__(self):
        super().__init__()
        self.parts = Dict(a=Work(), b=Work())


class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.child = Child()
        self.table = Dict(a=Work(), b=Work())
        self.rows = List(Work())
        self.late = None
        self.count = 0

    def run(self):
        pass


class Reattaching(Root):
    def load_state_dict(self, flow_state, children_states, strict=True):
        for name in sorted(children_states):
            place, _, key = name.partition(".")
            if place == "late" and not key:
                self.late = Stage()
            elif place == "table":
                self.table[key] = Work()
            elif place == "rows":
                self.rows.append(Work(), number=int(key))
        super().load_state_dict(flow_state, children_states, strict)


class Dag(L.LightningFlow):
    """Has a Work, and comes as a whole into a structure of another Flow."""

    def __init__(self):
        super().__init__()
        self.w = Work()


class Scheduling(L.LightningFlow):
    """Attaches what its structures have had as docs/checkpoints.md says."""

    def __init__(self):
        super().__init__()
        self.by_name = Dict()
        self.dags = List()

    def run(self):
        pass

    def load_state_dict(self, flow_state, children_states, strict=True):
        for name in children_states:
            place, _, key = name.partition(".")
            if "." in key:
                continue
            if place == "by_name":
                self.by_name[key] = Dag()
            elif place == "dags":
                self.dags.append(Dag(), number=int(key))
        super().load_state_dict(flow_state, children_states, strict)


def document_of(root):
    return {**root.state, "app_state": {"stage": "running"}}


def without_calls(state):
    return {key: value for key, value in state.items() if key != "calls"}


def grown(root):
    """Let a tree become what it may become in a run."""
    root.late = Stage()
    del root.late.parts["a"]
    root.late.seen = 3
    root.late.w.n = 4
    del root.table["a"]
    root.table["new"] = Work()
    root.table["new"].items = [1, 2]
    root.rows.append(Work())
    root.rows.append(Work())
    root.rows[2].n = 7
    del root.rows[1]
    root.count = 5
    root.child.w.n = 6
    return root


def test_the_states_of_a_document_are_those_of_its_tree():
    root = grown(Reattaching())
    expected = collect_state(root)
    of_a_process = {"_url", "_port", "_internal_ip", "_public_ip"}
    for name, state in states_of(document_of(root)).items():
        kept = {key: value for key, value in expected[name]["vars"].items() if key not in of_a_process}
        assert state["vars"] == kept or state == expected[name]
    assert states_of(document_of(root)).keys() == expected.keys()


def test_flows_in_structures_come_again_with_their_works():
    before = Scheduling()
    before.by_name["a"] = Dag()
    for number in range(3):
        before.dags.append(Dag())
        before.dags[number].w.n = number
    del before.dags[1]
    after = Scheduling()
    resume(after, document_of(before))
    assert after.state == before.state
    assert [dag.w.n for dag in after.dags] == [0, 2]


def test_a_tree_that_has_grown_and_shrunk_is_made_again():
    before = grown(Reattaching())
    after = Reattaching()
    resume(after, document_of(before))
    assert after.state == before.state
    assert [row.name for row in after.rows] == ["root.rows.0", "root.rows.2"]
    after.rows.append(Work())
    assert after.rows[-1].name == "root.rows.3"


def test_a_component_that_is_not_attached_again_is_an_error_that_names_it():
    with pytest.raises(CheckpointError, match=r"late.*load_state_dict"):
        resume(Root(), document_of(grown(Reattaching())))


def test_an_attribute_that_is_not_declared_any_more_is_an_error_that_names_it():
    document = document_of(Root())
    document["vars"]["former"] = 1
    with pytest.raises(CheckpointError, match="former"):
        resume(Root(), document)


def test_what_is_new_in_the_code_is_left_as_it_is():
    document = document_of(grown(Reattaching()))
    del document["structures"]["table"], document["vars"]["count"], document["flows"]["child"]
    after = Reattaching()
    resume(after, document)
    assert set(after.table) == {"a", "b"}
    assert after.count == 0
    assert after.child.w.n == 0


def test_what_tells_of_a_process_that_is_gone_is_not_taken_over():
    before, after = Root(), Root()
    work = before.child.w
    work.url, work._internal_ip = "http://127.0.0.1:1234", "127.0.0.1"
    before.child.w.port  # noqa: B018 - picks one
    resume(after, document_of(before))
    assert (after.child.w.url, after.child.w.internal_ip, after.child.w._port) == ("", "", None)


def test_a_number_that_was_given_is_not_given_again():
    rows = List(Work(), Work())
    with pytest.raises(ChildError, match="number 1"):
        rows.append(Work(), number=1)


def entry(*stages, **last):
    statuses = [{"stage": stage, "timestamp": float(at)} for at, stage in enumerate(stages, 1)]
    statuses[-1].update(last)
    successes = int("succeeded" in stages)
    return {"name": "run", "call_id": "3", "statuses": statuses, "successes": successes}


OVER = {
    "succeeded": entry("pending", "running", "succeeded"),
    "handled": entry("pending", "running", "failed", raised=False),
}
NOT_OVER = {
    "pending": entry("pending"),
    "running": entry("pending", "running"),
    "silent": entry("pending", "running", "running", reason="unreachable"),
    "cut off": entry("pending", "running", "stopped", reason="sigterm_signal_handler"),
    "raised": entry("pending", "running", "failed", raised=True),
    "died": entry("pending", "running", "failed", reason="process_died"),
    "again": {**entry("pending", "running"), "successes": 4},
}


@pytest.mark.parametrize("name", OVER)
def test_a_call_that_is_over_stays_so(name):
    calls = resumed({"k": OVER[name], LATEST: "k"}, raise_exception=True)
    assert calls == {"k": OVER[name], LATEST: "k"}


@pytest.mark.parametrize("name", NOT_OVER)
def test_a_call_that_is_not_over_counts_as_not_started(name):
    before = NOT_OVER[name]
    calls = resumed({"k": before, LATEST: "k"}, raise_exception=True)
    assert stage_of(calls["k"]) == "not_started"
    assert calls["k"]["successes"] == before["successes"]
    assert calls[LATEST] == "k"


def test_a_failure_without_a_word_is_handled_if_the_work_does_not_raise():
    calls = resumed({"k": NOT_OVER["died"], LATEST: "k"}, raise_exception=False)
    assert stage_of(calls["k"]) == "failed"


def test_a_success_that_is_not_heard_any_more_is_a_success():
    silent = entry("pending", "running", "succeeded", "succeeded", reason="unreachable")
    calls = resumed({"k": silent, LATEST: "k"}, raise_exception=True)
    assert stage_of(calls["k"]) == "succeeded"
    assert len(calls["k"]["statuses"]) == 3


def test_the_start_of_a_process_that_is_gone_is_forgotten():
    calls = resumed({START: entry("pending", "started"), LATEST: START}, raise_exception=True)
    assert calls == {LATEST: None}
    calls = resumed({START: entry("started"), "k": OVER["succeeded"], LATEST: START}, raise_exception=True)
    assert calls == {"k": OVER["succeeded"], LATEST: "k"}


def test_a_work_that_a_flow_has_stopped_stays_stopped():
    calls = {"k": entry("pending", "running", "stopped", **{FOR_GOOD: True}), "other": NOT_OVER["pending"], LATEST: "k"}
    assert resumed(calls, raise_exception=True) == calls
    assert stopped_for_good(calls)


def test_a_checkpoint_is_not_overwritten_by_chance(tmp_path):
    first = Checkpoint(tmp_path, resuming=False)
    assert first.begin("app.py", "0.1", 1, document_of(Root())) == 1
    first.close()
    with pytest.raises(CheckpointError, match=r"a checkpoint of app.py already. Resume it \(--resume"):
        Checkpoint(tmp_path, resuming=False)
    again = Checkpoint(tmp_path, resuming=True)
    again.close()


def test_revisions_go_on_after_a_resume(tmp_path):
    root = Root()
    first = Checkpoint(tmp_path, resuming=True)
    first.resume(root)
    assert first.begin("app.py", "0.1", 1, document_of(root)) == 1
    first.close()
    second = Checkpoint(tmp_path, resuming=True)
    second.resume(root)
    assert second.begin("app.py", "0.1", 2, document_of(root)) == 1
    second.close()
    root.count = 9
    third = Checkpoint(tmp_path, resuming=True)
    assert third.begin("app.py", "0.1", 3, document_of(root)) == 2
    third.close()
    file = CheckpointFile.open_to_read(tmp_path)
    assert [(run.epoch, run.revision) for run in file.runs()] == [(1, 1), (2, 1), (3, 2)]
    assert [file.document_at(n)["vars"]["count"] for n in (1, 2)] == [0, 9]
    file.close()


@pytest.mark.parametrize(
    ("options", "match"),
    [({"resume": True}, "checkpoint_dir"), ({"checkpoint_limit_bytes": 0}, "checkpoint_limit_bytes")],
)
def test_options_that_make_no_sense_are_refused(options, match):
    with pytest.raises(ConfigurationError, match=match):
        L.LightningApp(Root(), **options).run()

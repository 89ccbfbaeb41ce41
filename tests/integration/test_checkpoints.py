"""An app that goes on from its checkpoint, with real processes."""

from __future__ import annotations

import contextlib

import pytest
from resumable_works import Driven, Late, Reattaching

import lightning_grpc as L
from lightning_grpc.checkpoint.file import CheckpointFile
from lightning_grpc.errors import CheckpointError, WorkFailedError


class Interrupted(Exception):
    """Ends an app in the middle of something."""


@pytest.fixture
def notes(tmp_path):
    file = tmp_path / "notes"
    file.touch()
    return file


@pytest.fixture
def run(tmp_path, notes):
    """Return what runs an app from its checkpoint and returns its root."""

    def run_app(body, kind=Driven, **options):
        root = kind(notes, body, **options)
        app = L.LightningApp(root, checkpoint_dir=tmp_path / "checkpoint", resume=True)
        with contextlib.suppress(Interrupted):
            app.run()
        with contextlib.closing(CheckpointFile.open_to_read(tmp_path / "checkpoint")) as file:
            assert file.check() == []
            assert file.revisions() == range(1, app.revision + 1)
            assert file.document_at(app.revision) == app.state
        return root

    return run_app


def executions(notes):
    return notes.read_text().splitlines()


def test_a_flow_goes_on_with_its_state_and_does_not_repeat_calls_that_are_over(run, notes):
    def first(flow):
        flow.work.run("well", 1)
        flow.n += 1
        flow.log.append({"after": ("call", 1)})
        raise Interrupted

    def second(flow):
        assert flow.n == 1
        flow.work.run("well", 1)
        flow.work.run("well", 2)
        flow.n += 1
        flow.stop()

    run(first)
    root = run(second)
    assert root.n == 2
    assert root.log == [{"after": ("call", 1)}]
    assert root.work.num_successes == 2
    assert executions(notes) == ["root.work well 1 from 0", "root.work well 2 from 1"]


def test_a_call_that_is_over_is_seen_as_such_though_its_process_starts_with_the_app(run, notes):
    def first(flow):
        flow.work.run()
        raise Interrupted

    def second(flow):
        flow.n += 1
        flow.work.run()
        if flow.work._calls.get("start") and flow.n > 1:  # its new process is up
            assert flow.work.has_succeeded
            flow.stop()

    run(first)
    run(second)
    assert executions(notes) == ["root.work well 0 from 0"]


def test_a_call_that_was_not_over_is_executed_again_and_finds_what_it_had_written(run, notes, tmp_path):
    go_on = tmp_path / "go on"

    def first(flow):
        flow.work.run(f"waits {go_on}")
        flow.work.run("well", 2)
        if flow.work.progress == 1:
            raise Interrupted

    def second(flow):
        if flow.n == 0:
            assert not flow.work.has_started or flow.work.status.stage == "started"
            assert flow.work.num_successes == 0
            flow.n = 1
        go_on.touch()
        flow.work.run(f"waits {go_on}")
        flow.work.run("well", 2)
        if flow.work.num_successes == 2:
            flow.stop()

    assert run(first, parallel=True).work.left_with == "a word"
    root = run(second, parallel=True)
    assert root.work.left_with == "a word"
    assert [line.partition(" ")[2] for line in executions(notes)] == [
        f"waits {go_on} 0 from 0",
        f"waits {go_on} 0 from 1",
        "well 2 from 2",
    ]


def test_a_blocking_call_that_was_not_over_blocks_again_until_it_is(run, notes, tmp_path):
    go_on = tmp_path / "go on"

    def first(flow):
        flow.n += 1
        if flow.work.progress == 1:
            raise Interrupted
        flow.work.run(f"waits {go_on}")

    def second(flow):
        go_on.touch()
        flow.work.run(f"waits {go_on}")
        assert flow.work.has_succeeded
        flow.stop()

    run(first)
    assert run(second).work.progress == 2


def test_an_uncached_call_is_counted_on(run):
    def body(flow):
        flow.work.run()
        flow.n += 1
        if flow.n in (2, 5):
            raise Interrupted

    run(body, cache_calls=False)
    root = run(body, cache_calls=False)
    assert root.n == 5
    assert root.work.num_successes == root.work.progress == 5


def test_a_work_that_the_flow_had_stopped_stays_stopped(run, notes):
    def first(flow):
        flow.work.run("well", 1)
        flow.work.stop()
        raise Interrupted

    def second(flow):
        assert flow.work.has_stopped
        flow.work.run("well", 2)
        with pytest.raises(RuntimeError, match="only once"):
            flow.work.start()
        flow.stop()

    run(first)
    root = run(second)
    assert root.work.num_successes == 1
    assert executions(notes) == ["root.work well 1 from 0"]


def test_a_work_that_the_flow_had_stopped_in_the_middle_of_a_call_stays_stopped(run, notes, tmp_path):
    def first(flow):
        flow.work.run(f"waits {tmp_path / 'never'}")
        if flow.work.progress == 1:
            flow.work.stop()
            flow.n += 1
        if flow.work.left_with:  # its last word has come
            raise Interrupted

    def second(flow):
        assert flow.work.has_stopped
        flow.work.run("well", 2)
        flow.stop()

    run(first, parallel=True)
    assert run(second, parallel=True).work.has_stopped
    assert len(executions(notes)) == 1


def test_a_call_whose_failure_ended_the_app_is_executed_again(run, notes, tmp_path):
    repaired = tmp_path / "repaired"

    def body(flow):
        flow.work.run(f"fails {repaired}")
        flow.stop()

    with pytest.raises(WorkFailedError):
        run(body)
    repaired.touch()
    root = run(body)
    assert root.work.has_succeeded
    assert len(executions(notes)) == 2


def test_a_failure_that_the_flow_handles_stays_one(run, notes):
    def first(flow):
        flow.work.run("fails without a file")
        assert flow.work.has_failed
        raise Interrupted

    def second(flow):
        assert flow.work.has_failed
        flow.work.run("fails without a file")
        flow.stop()

    run(first, raise_exception=False)
    run(second, raise_exception=False)
    assert len(executions(notes)) == 1


def grow(flow):
    """Attach a Flow and Works in a run, and remove some of them."""
    if flow.late is None:
        flow.late = Late(flow._file)
        flow.late.seen = 4
        flow.table["a"] = flow.new_work()
        flow.table["b"] = flow.new_work()
        for _ in range(3):
            flow.rows.append(flow.new_work())
    works = [flow.late.work, *flow.table.values(), *flow.rows]
    for work in works:
        work.run()
    if all(work.has_succeeded for work in works):
        del flow.table["a"]
        del flow.rows[1]
        raise Interrupted


def test_components_that_came_in_a_run_are_there_again(run, notes):
    def second(flow):
        works = [flow.late.work, flow.table["b"], *flow.rows[:2]]
        for work in works:
            work.run()
        assert all(work.has_succeeded for work in works)
        if len(flow.rows) == 2:
            flow.rows.append(flow.new_work())
        flow.rows[2].run("well", 3)
        if flow.rows[2].has_succeeded:
            flow.stop()

    def third(flow):
        flow.rows[2].run("well", 4)
        if flow.rows[2].num_successes == 2:
            flow.stop()

    run(grow, Reattaching)
    root = run(second, Reattaching)
    assert root.late.seen == 4
    assert list(root.table) == ["b"]
    names = [row.name for row in root.rows]
    assert names == ["root.rows.0", "root.rows.2", "root.rows.3"]
    run(third, Reattaching)
    assert sorted(executions(notes)) == sorted(
        [f"root.{name} well 0 from 0" for name in ("late.work", "table.a", "table.b", "rows.0", "rows.1", "rows.2")]
        + ["root.rows.3 well 3 from 0", "root.rows.3 well 4 from 1"]
    )


def test_a_component_that_is_not_attached_again_is_named_and_nothing_is_changed(run, tmp_path):
    run(grow, Reattaching)
    with contextlib.closing(CheckpointFile.open_to_read(tmp_path / "checkpoint")) as file:
        before = file.revisions()
    with pytest.raises(CheckpointError, match=r"late.*load_state_dict"):
        run(grow)
    with contextlib.closing(CheckpointFile.open_to_read(tmp_path / "checkpoint")) as file:
        assert file.revisions() == before
    run(lambda flow: flow.stop(), Reattaching)  # it was let go of


def test_a_work_is_removed_made_again_under_its_name_and_resumed(run, notes):
    def first(flow):
        if flow.n == 0:
            flow.table["x"] = flow.new_work(parallel=False)
            flow.n = 1
        if flow.n == 1:
            flow.table["x"].run("well", 1)
            del flow.table["x"]
            flow.table["x"] = flow.new_work(parallel=False)
            flow.n = 2
        flow.table["x"].run("well", 1)
        raise Interrupted

    def second(flow):
        flow.table["x"].run("well", 1)
        if flow.table["x"].has_succeeded:
            flow.stop()

    run(first, Reattaching)
    assert run(second, Reattaching).table["x"].num_successes == 1
    assert executions(notes) == ["root.table.x well 1 from 0"] * 2


def test_an_app_that_has_ended_by_itself_runs_its_flow_again_when_resumed(run, notes):
    def body(flow):
        flow.work.run()
        flow.n += 1
        flow.stop()

    run(body)
    assert run(body).n == 2
    assert len(executions(notes)) == 1


def test_an_app_that_cannot_write_its_checkpoint_fails(tmp_path, notes, monkeypatch):
    def body(flow):
        flow.n += 1

    def fails(self, rows):
        raise CheckpointError("the disk is full")

    monkeypatch.setattr(CheckpointFile, "append", fails)
    app = L.LightningApp(Driven(notes, body), checkpoint_dir=tmp_path / "checkpoint")
    with pytest.raises(CheckpointError, match="the disk is full"):
        app.run()
    assert app.stage.value == "failed"


def test_an_app_whose_first_revision_cannot_be_written_does_not_begin(tmp_path, notes, monkeypatch):
    def fails(self, *args):
        raise CheckpointError("the disk is full")

    def body(flow):
        pytest.fail("it has begun")

    monkeypatch.setattr(CheckpointFile, "create", fails)
    with pytest.raises(CheckpointError, match="the disk is full"):
        L.LightningApp(Driven(notes, body), checkpoint_dir=tmp_path / "checkpoint").run()
    monkeypatch.undo()
    L.LightningApp(Driven(notes, lambda flow: flow.stop()), checkpoint_dir=tmp_path / "checkpoint").run()


def test_schedules_and_iterations_are_gone_on_with(run, notes):
    def body(flow):
        for n in flow.experimental_iterate(range(4), user_key="numbers"):
            flow.work.run("well", n)
            flow.log.append(n)
            if flow.log == [0, 1]:
                raise Interrupted
        if flow.schedule("yearly", user_key="once"):
            flow.n += 1
            return
        if flow.late is None:
            flow.late = "said"
            raise Interrupted
        flow.stop()

    run(body)
    run(body)
    root = run(body)
    assert root.log == [0, 1, 1, 2, 3]
    assert root.n == 1
    assert len(executions(notes)) == 4


def test_the_last_word_that_cannot_be_written_fails_an_app_that_ended_well(tmp_path, notes, monkeypatch):
    def fails(self, rows):
        raise CheckpointError("the disk is full")

    monkeypatch.setattr(CheckpointFile, "append", fails)
    app = L.LightningApp(Driven(notes, lambda flow: flow.stop()), checkpoint_dir=tmp_path / "checkpoint")
    with pytest.raises(CheckpointError, match="the disk is full"):
        app.run()
    assert app.stage.value == "failed"


def test_two_apps_do_not_write_one_checkpoint(tmp_path, notes):
    directory = tmp_path / "checkpoint"

    def body(flow):
        with pytest.raises(CheckpointError, match="another app is running"):
            L.LightningApp(Driven(notes, body), checkpoint_dir=directory, resume=True).run()
        flow.stop()

    L.LightningApp(Driven(notes, body), checkpoint_dir=directory).run()


def test_an_app_without_a_checkpoint_imports_no_sqlite():
    import subprocess
    import sys

    code = (
        "import sys, lightning_grpc as L\n"
        "Root = type('Root', (L.LightningFlow,), {'run': lambda self: self.stop()})\n"
        "L.LightningApp(Root()).run()\n"
        "sys.exit('sqlite3' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=50)

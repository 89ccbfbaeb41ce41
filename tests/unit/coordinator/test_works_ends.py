"""The end of Works: stopped by the Flow, or with the app."""

from __future__ import annotations

import pytest
from tick_harness import App, Root, Work, app_of, calls

from lightning_grpc.coordinator.events import (
    StartWork,
    StopWork,
)

# Stopping one Work.


def test_stop_is_final():
    def body(root):
        root.w.run()
        root.w.stop()

    app, work, process = app_of(body, options={"parallel": True})
    app.run()
    assert work.has_stopped
    assert process.stop is not None
    process.exit("exited with code 0")
    assert work.has_stopped
    app.root._body = calls(("again",))
    assert not app.run()
    assert len(app.runs_ordered) == 1
    assert len(app.sent(StartWork)) == 1
    assert app.tick.failure is None
    with pytest.raises(RuntimeError, match="can be started only once"):
        work.start()


def test_stopping_twice_is_stopping_once():
    app, work, _ = app_of(lambda root: (root.w.stop(), root.w.stop()))
    app.run()
    app.run()
    assert len(app.sent(StopWork)) == 1
    assert [status.stage for status in work.statuses].count("stopped") == 1


def test_a_blocking_call_of_a_stopped_work_returns():
    def body(root):
        if not root.w.has_stopped:
            root.w.stop()
        root.w.run()

    app, _, _ = app_of(body)
    assert not app.run()


def test_a_work_that_never_ran_may_be_stopped():
    app, work, _ = app_of(lambda root: root.w.stop(), options={"start_with_flow": False})
    app.run()
    assert work.has_stopped
    assert app.commands == []


def test_a_work_that_was_idle_is_stopped_and_stays_so():
    app, work, process = app_of(calls(()))
    app.run()
    process.execute()
    app.settle()
    work.stop()
    app.step()
    assert work.has_stopped
    process.exit("exited with code 0")
    assert work.has_stopped


def test_a_stopped_works_late_word_does_not_bring_it_back():
    app, work, process = app_of(calls(()), options={"parallel": True})
    app.run()
    app.root._body = None
    work.stop()
    app.step()
    process.begin()  # was on its way when the Work was stopped
    process.exit("was killed by signal 9")
    assert work.has_stopped
    assert app.tick.failure is None


def test_a_stopped_works_own_account_of_its_end_is_shown():
    app, work, process = app_of(calls(()), options={"parallel": True})
    app.run()
    process.begin()
    work.stop()
    app.step()
    process.write(counter=8)
    process.end("stopped", "sigterm_signal_handler")
    process.exit("exited with code 0")
    assert work.has_stopped
    assert work.counter == 8
    assert work.status.reason == "sigterm_signal_handler"


def test_several_works_are_stopped_at_once():
    root = Root(lambda root: root.stop_works(root.works()), a=Work(), b=Work())
    app = App(root)
    app.run()
    assert [command.work for command in app.sent(StopWork)] == ["root.a", "root.b"]
    assert root.a.has_stopped
    assert root.b.has_stopped


def test_a_failure_while_a_work_is_being_stopped_is_none():
    app, work, process = app_of(calls(()), options={"parallel": True})
    app.run()
    process.begin()
    work.stop()
    app.step()
    process.fail()
    process.exit("exited with code 1")
    assert app.tick.failure is None


# The end of the app.


def test_at_the_end_every_process_is_stopped_once():
    app = App(Root(a=Work(), b=Work(), c=Work(start_with_flow=False)))
    app.tick.begin_end("the app is ending")
    app.step()
    assert [(command.work, command.reason) for command in app.sent(StopWork)] == [
        ("root.a", "the app is ending"),
        ("root.b", "the app is ending"),
    ]
    assert app.tick.has_processes
    for process in app.all_processes:
        process.exit("exited with code 0")
    assert not app.tick.has_processes


def test_end_statuses_stay_true():
    root = Root(
        lambda root: [work.run() for work in root.works()],
        done=Work(parallel=True),
        failed=Work(parallel=True, raise_exception=False),
        running=Work(parallel=True),
        waiting=Work(parallel=True),
        untouched=Work(parallel=True),
    )
    app = App(root)
    root._body = lambda root: [work.run() for work in (root.done, root.failed, root.running, root.waiting)]
    app.run()
    app.processes["root.done"].execute()
    app.processes["root.failed"].begin()
    app.processes["root.failed"].fail()
    app.processes["root.running"].begin()
    app.tick.begin_end("the app is ending")
    app.step()
    for process in app.all_processes:
        process.exit("exited with code 0")
    assert root.done.has_succeeded
    assert root.failed.has_failed
    assert root.running.has_stopped
    assert root.waiting.has_stopped
    assert root.untouched.status.stage == "started"
    assert app.tick.failure is None


def test_an_end_that_the_work_itself_tells_of_is_shown():
    app, work, process = app_of(calls(()), options={"parallel": True})
    app.run()
    process.begin()
    app.tick.begin_end("the app is ending")
    process.end("stopped", "sigterm_signal_handler", "the app is ending")
    process.exit("exited with code 0")
    assert work.has_stopped
    assert work.status.message == "the app is ending"


def test_a_run_that_fails_or_dies_while_the_app_ends_is_no_failure_of_the_app():
    root = Root(lambda root: [work.run() for work in root.works()], a=Work(parallel=True), b=Work(parallel=True))
    app = App(root)
    app.run()
    for process in app.all_processes:
        process.begin()
    app.tick.begin_end("the app is ending")
    app.processes["root.a"].fail()
    app.processes["root.b"].exit("was killed by signal 9")
    assert app.tick.failure is None
    assert root.a.has_failed
    assert root.b.has_stopped


def test_nothing_is_started_while_the_app_ends():
    app = App(Root(w=Work()), start=False)
    app.tick.begin_end("the app is ending")
    app.tick.start_with_flow()
    app.step()
    assert app.sent(StartWork) == []
    assert not app.tick.has_processes


def test_a_work_that_was_starting_when_the_app_ended_is_stopped():
    app = App(Root(w=Work()), start=False)
    app.tick.start_with_flow()
    app.step()
    app.tick.begin_end("the app is ending")
    app.step()
    process = app.processes["root.w"]
    assert process.stop is not None
    process.start()
    assert app.tick.has_processes
    process.exit("exited with code 0")
    assert not app.tick.has_processes
    assert app.tick.failure is None

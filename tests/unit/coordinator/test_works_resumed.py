"""Works whose calls come from an earlier run of the app."""

from __future__ import annotations

import pytest
from tick_harness import App, Root, Work, app_of, calls

from lightning_grpc.checkpoint.resume import resume
from lightning_grpc.components.calls import LATEST, call_hash, stopped_for_good
from lightning_grpc.coordinator.events import StartWork


def resumed_from(app, body=None, *, options=None):
    """An app whose state is that of another one, which has ended without a word."""
    work = Work(**(options or {}))
    root = Root(body, w=work)
    resume(root, app.document)
    again = App(root)
    return again, work, again.processes.get("root.w")


def test_a_cached_call_that_is_over_is_not_ordered_again():
    app, _, process = app_of(calls((1,)))
    app.run()
    process.execute(counter=5)
    again, work, _ = resumed_from(app, calls((1,)))
    assert not again.run()
    assert again.runs_ordered == []
    assert work.counter == 5


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("begun", [True, False])
def test_a_call_that_was_not_over_is_ordered_again_under_an_id_of_its_own(parallel, begun):
    options = {"parallel": parallel}
    app, _, process = app_of(calls((1,)), options=options)
    app.run()
    if begun:
        process.begin()
        process.write(counter=3)
    again, work, process = resumed_from(app, calls((1,)), options=options)
    assert not work.is_running
    assert not work.is_pending
    assert again.run() is not parallel
    assert [order.call_id for order in again.runs_ordered] == ["2"]
    assert work.counter == (3 if begun else 0)
    process.execute(counter=4)
    assert again.settle() > 0
    assert work.has_succeeded
    assert work.num_successes == 1


def test_an_uncached_call_does_not_take_an_earlier_runs_end_for_its_own():
    options = {"cache_calls": False, "parallel": True}
    app, _, process = app_of(calls(()), options=options)
    app.run()
    process.execute()
    again, work, process = resumed_from(app, calls(()), options=options)
    again.run()
    assert [order.call_id for order in again.runs_ordered] == ["2"]
    assert work.is_pending
    process.bookmark()
    process.execute()
    assert work.num_successes == 2


def test_ids_go_on_after_those_of_all_works():
    app = App(
        Root(lambda root: [work.run() for work in (root.a, root.b)], a=Work(parallel=True), b=Work(parallel=True))
    )
    app.run()
    root = Root(app.root._body, a=Work(parallel=True), b=Work(parallel=True))
    resume(root, app.document)
    again = App(root)
    again.run()
    assert [order.call_id for order in again.runs_ordered] == ["3", "4"]


def test_a_work_that_was_not_called_again_may_be_stopped():
    app, _, process = app_of(calls((1,)), options={"parallel": True})
    app.run()
    process.begin()
    again, work, _ = resumed_from(app, options={"parallel": True})
    work.stop()
    again.step()
    assert work.has_stopped


def test_a_process_that_dies_before_the_call_is_made_again_fails_the_app():
    app, _, process = app_of(calls((1,)), options={"parallel": True})
    app.run()
    process.begin()
    again, work, process = resumed_from(app, options={"parallel": True})
    process.exit()
    assert again.tick.failure is not None
    assert work.has_failed


class TestStoppedByItsFlow:
    def resumed(self, app):
        again, work, _ = resumed_from(app, calls((2,)), options={"parallel": True})
        assert work.has_stopped
        again.run()
        assert again.sent(StartWork) == again.runs_ordered == []
        with pytest.raises(RuntimeError, match="only once"):
            work.start()

    def test_while_it_was_idle(self):
        app, work, process = app_of(calls((1,)), options={"parallel": True})
        app.run()
        process.execute()
        work.stop()
        app.step()
        self.resumed(app)

    def test_before_it_had_started(self):
        app, work, _ = app_of(options={"start_with_flow": False})
        work.stop()
        app.step()
        self.resumed(app)

    def test_in_the_middle_of_a_run_of_which_it_has_told_the_end(self):
        app, work, process = app_of(calls((1,)), options={"parallel": True})
        app.run()
        process.begin()
        work.stop()
        app.step()
        process.end("stopped", "sigterm_signal_handler")
        process.exit("exited with code 0")
        self.resumed(app)

    def test_after_it_was_interrupted_by_somebody_else(self):
        app, work, process = app_of(calls((1,)), options={"parallel": True, "raise_exception": False})
        app.run()
        process.begin()
        process.end("stopped", "sigterm_signal_handler")
        assert not stopped_for_good(work._calls)
        work.stop()
        app.step()
        assert [status.stage for status in work.statuses].count("stopped") == 1
        self.resumed(app)


def test_a_work_that_the_apps_end_has_stopped_is_not_stopped_for_good():
    app, _, process = app_of(calls((1,)), options={"parallel": True})
    app.run()
    process.begin()
    app.tick.begin_end("the app is ending")
    app.step()
    process.end("stopped", "sigterm_signal_handler")
    process.exit("exited with code 0")
    again, work, _ = resumed_from(app, calls((1,)), options={"parallel": True})
    assert not work.has_stopped
    again.run()
    assert len(again.runs_ordered) == 1


def test_the_latest_call_is_the_same_as_before():
    app, _, process = app_of(calls((1,), (2,)), options={"parallel": True})
    app.run()
    process.execute()
    _, work, _ = resumed_from(app, options={"parallel": True, "start_with_flow": False})
    assert work._calls[LATEST] == call_hash((2,), {})
    assert work.num_successes == 1

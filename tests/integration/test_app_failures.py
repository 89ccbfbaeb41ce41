"""Failures and ends, with real processes (issue: Components, Failure and End)."""

from __future__ import annotations

import pytest
from sample_works import Counter, Failing, Hooks, Quiet, wait_for

import lightning_grpc as L
from lightning_grpc.errors import FlowFailedError, NotTransferableError, WorkFailedError
from lightning_grpc.runners import MultiProcessRuntime


class Watching(L.LightningFlow):
    """Runs a Work and stops when it has failed."""

    def __init__(self, work, how):
        super().__init__()
        self.work = work
        self.how = how

    def run(self):
        self.work.run(self.how)
        if self.work.has_failed or self.work.has_succeeded:
            self.stop()


def watch(work, how):
    flow = Watching(work, how)
    app = L.LightningApp(flow)
    app.run()
    return app


def test_an_exception_fails_the_work_and_keeps_what_it_wrote_before():
    app = watch(Failing(raise_exception=False), "raise")
    work = app.root.work
    assert work.status.reason == "user_exception"
    assert work.status.message.startswith("Traceback (most recent call last):")
    assert 'raise ValueError("the reason given")' in work.status.message
    assert "lightning_grpc" not in work.status.message
    assert work.before == 5
    assert app.stage.value == "stopping"


def test_an_exception_fails_the_app_if_the_work_is_to_raise(capfd):
    flow = Watching(Failing(), "raise")
    app = L.LightningApp(flow)
    with pytest.raises(WorkFailedError, match="the reason given") as caught:
        MultiProcessRuntime(app, start_server=False).dispatch()
    assert caught.value.work == "root.work"
    assert caught.value.remote_type == "ValueError"
    assert app.stage.value == "failed"
    assert app.exception is caught.value
    assert "ValueError: the reason given" in capfd.readouterr().err


def test_a_hook_that_handles_the_exception_keeps_the_app_going():
    app = watch(Quiet(), "raise")
    assert app.root.work.has_failed
    assert app.root.work.before == 6


def test_a_return_value_fails_the_run():
    work = watch(Failing(raise_exception=False), "return").root.work
    assert work.status.reason == "invalid_return_value"
    assert "returned 7" in work.status.message


def test_sys_exit_in_a_run_is_a_failure():
    assert watch(Failing(raise_exception=False), "exit").root.work.status.reason == "user_exception"


@pytest.mark.parametrize(("how", "trace"), [("kill", "SIGKILL"), ("leave", "exited with code 3")])
def test_a_process_that_dies_is_a_failure_of_its_own_kind(how, trace):
    work = watch(Failing(raise_exception=False), how).root.work
    assert work.has_failed
    assert work.status.reason == "process_died"
    assert trace in work.status.message


def test_a_process_that_dies_fails_the_app_if_the_work_is_to_raise():
    with pytest.raises(WorkFailedError, match="SIGKILL") as caught:
        watch(Failing(), "kill")
    assert caught.value.reason == "process_died"


def test_a_value_put_into_a_container_that_state_cannot_hold_fails_the_run():
    work = watch(Failing(raise_exception=False), "smuggle").root.work
    assert work.has_failed
    assert "items[0]" in work.status.message
    assert "of type set" in work.status.message


def test_the_flow_goes_on_with_another_call_after_the_process_died():
    class Twice(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.work = Failing(raise_exception=False)

        def run(self):
            self.work.run("kill")
            if self.work.has_failed:
                self.work.run("well")
            if self.work.has_succeeded:
                self.stop()

    flow = Twice()
    L.LightningApp(flow).run()
    assert flow.work.has_succeeded


def test_an_exception_in_the_flow_surfaces_with_its_own_type():
    class Broken(L.LightningFlow):
        def run(self):
            raise ZeroDivisionError("in the flow")

    app = L.LightningApp(Broken())
    with pytest.raises(ZeroDivisionError, match="in the flow"):
        app.run()
    assert app.stage.value == "failed"


def test_stop_and_fail_work_from_a_flow_below_the_root():
    class Child(L.LightningFlow):
        def __init__(self, end):
            super().__init__()
            self.end = end

        def run(self):
            getattr(self, self.end)("the last word")

    class Root(L.LightningFlow):
        def __init__(self, end):
            super().__init__()
            self.child = Child(end)

        def run(self):
            self.child.run()

    app = L.LightningApp(Root("stop"))
    app.run()
    assert app.stage.value == "stopping"
    app = L.LightningApp(Root("fail"))
    with pytest.raises(FlowFailedError, match="the last word"):
        app.run()
    assert app.stage.value == "failed"


def test_a_value_that_a_flow_puts_into_a_container_and_state_cannot_hold_fails_the_app():
    class Careless(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.items = []

        def run(self):
            self.items.append(object())

    with pytest.raises(AttributeError, match=r"items\[0\]"):
        L.LightningApp(Careless()).run()


def test_a_work_that_cannot_travel_says_which_attribute_is_in_the_way(tmp_path):
    class Stuck(L.LightningWork):
        def __init__(self, handle):
            super().__init__()
            self._handle = handle

        def run(self):
            pass

    class Flow(L.LightningFlow):
        def __init__(self, handle):
            super().__init__()
            self.work = Stuck(handle)

        def run(self):
            self.work.run()

    with (tmp_path / "file").open("w") as handle, pytest.raises(NotTransferableError, match=r"_handle"):
        L.LightningApp(Flow(handle)).run()


def test_the_hooks_run_in_the_works_process_and_stop_is_seen_at_once(tmp_path):
    class Flow(L.LightningFlow):
        def __init__(self, file):
            super().__init__()
            self.work = Hooks(file)
            self.other = Counter()

        def run(self):
            self.work.run()
            if self.work.is_running and self.work.has_entered:
                self.work.stop()
                assert self.work.has_stopped
            if self.work.has_stopped:
                self.work.run("again")
                self.other.run()
                self.stop()

    notes = tmp_path / "notes"
    flow = Flow(notes)
    L.LightningApp(flow).run()
    pid = flow.work.pid
    assert wait_for(lambda: notes.read_text() == f"start {pid}\nrun {pid}\nexit {pid}\n", 5), notes.read_text()
    assert flow.work.has_stopped


def test_an_app_runs_only_once():
    app = L.LightningApp(Counter())
    app.run()
    with pytest.raises(ValueError, match="has been run"):
        app.run()

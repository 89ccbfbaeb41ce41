"""Failures of Works: failed runs, dead processes, silence, older incarnations, lost tracks."""

from __future__ import annotations

import pytest
from tick_harness import App, Root, Work, app_of, calls

from lightning_grpc.components.calls import LATEST
from lightning_grpc.coordinator.events import (
    FramesReceived,
    ResyncWork,
    RunRefused,
    StateLost,
    WorkExited,
    WorkReachable,
    WorkStarted,
    WorkStartFailed,
    WorkUnreachable,
)
from lightning_grpc.errors import (
    RuntimeStartError,
    WorkFailedError,
)
from lightning_grpc.state.delta import Set, Splice
from lightning_grpc.state.subscription import Bookmark, Delta, Snapshot
from lightning_grpc.state.values import same

# Failures.


def test_a_failed_run_fails_the_app_if_the_work_is_to_raise():
    app, work, process = app_of(calls(()), options={"raise_exception": True})
    app.run()
    process.begin()
    process.write(counter=3)
    process.fail(message="Traceback: ValueError: no")
    failure = app.tick.failure
    assert isinstance(failure, WorkFailedError)
    assert (failure.work, failure.reason, failure.remote_type) == ("root.w", "user_exception", "ValueError")
    assert failure.remote_traceback == "Traceback: ValueError: no"
    assert failure.call_hash == app.runs_ordered[0].call_hash
    assert (work.has_failed, work.counter) == (True, 3)


def test_a_failed_run_is_a_status_if_the_work_is_not_to_raise():
    app, work, process = app_of(calls(()), options={"raise_exception": False})
    app.run()
    process.begin()
    process.write(counter=3)
    process.fail(message="Traceback: ValueError: no")
    assert app.tick.failure is None
    assert work.has_failed
    assert (work.status.reason, work.status.message) == ("user_exception", "Traceback: ValueError: no")
    assert work.counter == 3
    assert not app.run()  # it returns: a failed call is done
    assert len(app.runs_ordered) == 1


def test_whether_a_failure_is_raised_is_for_the_works_own_hook_to_say():
    app, _, process = app_of(calls(()), options={"raise_exception": False})
    app.run()
    process.begin()
    process.fail(raised=True)
    assert isinstance(app.tick.failure, WorkFailedError)


def test_the_first_failure_is_the_one_that_ends_the_app():
    app = App(Root(lambda root: [work.run() for work in root.works()], a=Work(parallel=True), b=Work(parallel=True)))
    app.run()
    for name in ("root.b", "root.a"):
        app.processes[name].begin()
        app.processes[name].fail()
    assert app.tick.failure.work == "root.b"


def test_a_start_hook_that_failed_fails_the_app():
    work = Work(start_with_flow=False)
    app = App(Root(lambda root: root.w.start(), w=work))
    app.run()
    process = app.processes["root.w"]
    process.tell(WorkStarted("root.w", process.incarnation, process.epoch, 1))
    entry = {"name": "start", "call_id": f"{process.epoch}", "successes": 0}
    statuses = [
        {"stage": "pending", "timestamp": 1.0},
        {"stage": "failed", "timestamp": 2.0, "reason": "user_exception", "message": "m", "raised": True},
    ]
    process.set_call("start", {**entry, "statuses": statuses})
    assert isinstance(app.tick.failure, WorkFailedError)
    assert app.tick.failure.reason == "user_exception"


@pytest.mark.parametrize("raise_exception", [True, False])
@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("parallel", [True, False])
def test_a_process_that_dies_while_a_call_is_under_way_is_a_failure(raise_exception, begun, parallel):
    app, work, process = app_of(calls(()), options={"raise_exception": raise_exception, "parallel": parallel})
    app.run()
    if begun:
        process.begin()
        process.write(counter=9)
    process.exit("was killed by signal 9")
    assert work.has_failed
    assert work.status.reason == "process_died"
    assert "killed by signal 9" in work.status.message
    assert work.counter == (9 if begun else 0)
    if raise_exception:
        assert isinstance(app.tick.failure, WorkFailedError)
        assert app.tick.failure.reason == "process_died"
    else:
        assert app.tick.failure is None
        assert not app.run()
        assert len(app.runs_ordered) == 1


def test_an_uncached_blocking_call_whose_process_died_returns_to_the_flow():
    seen = []

    def body(root):
        if not root.w.has_failed:
            root.w.run()
        root.w.run("again")
        seen.append([status.reason for status in root.w.statuses])

    app, _, process = app_of(body, options={"cache_calls": False, "raise_exception": False})
    app.settle()
    process.begin()
    process.exit()
    app.settle()
    assert [order.args for order in app.runs_ordered] == [(), ("again",)]
    app.processes["root.w"].start()
    app.processes["root.w"].begin()
    app.processes["root.w"].exit()
    app.run()
    assert seen[0][-1] == "process_died"


def test_all_calls_under_way_fail_when_the_process_dies():
    app, work, process = app_of(calls((1,), (2,)), options={"parallel": True, "raise_exception": False})
    app.run()
    process.begin()
    process.exit()
    stages = [entry["statuses"][-1]["stage"] for key, entry in work.state["calls"].items() if key.startswith("run:")]
    assert stages == ["failed", "failed"]


def test_a_process_that_dies_when_it_has_done_its_call_is_no_failure():
    app, work, process = app_of(calls(()))
    app.run()
    process.execute(counter=1)
    app.settle()
    process.exit("exited with code 0")
    assert app.tick.failure is None
    assert work.has_succeeded
    assert not app.run()


def test_a_process_that_died_when_idle_is_started_anew_by_the_next_call():
    app, work, process = app_of(calls((1,)))
    app.run()
    process.execute(counter=5)
    process.exit()
    app.root._body = calls((1,), (2,))
    app.run()
    second = app.processes["root.w"]
    assert second is not process
    assert second.incarnation > process.incarnation
    assert app.packages[-1]["vars"]["counter"] == 5
    second.start()
    second.execute(counter=6)
    assert not app.run()
    assert work.counter == 6
    assert work.num_successes == 2


def test_a_failed_start_is_a_failure_of_the_call_that_wanted_it():
    app, work, _ = app_of(calls(()), options={"start_with_flow": False, "raise_exception": False})
    app.run()
    app.processes["root.w"].start_failed("no such interpreter")
    assert work.has_failed
    assert (work.status.reason, work.status.message) == ("start_failed", "no such interpreter")
    assert app.tick.failure is None
    assert not app.run()


@pytest.mark.parametrize("start_with_flow", [True, False])
def test_a_failed_start_ends_the_app_if_the_work_is_to_raise(start_with_flow):
    work = Work(start_with_flow=start_with_flow)
    app = App(Root(calls(()), w=work), start=False)
    app.tick.start_with_flow()
    app.step()
    if not start_with_flow:
        app.run()
    app.processes["root.w"].start_failed("no such interpreter")
    assert isinstance(app.tick.failure, RuntimeStartError)
    assert "no such interpreter" in str(app.tick.failure)
    assert work.has_failed


@pytest.mark.parametrize("raise_exception", [True, False])
def test_a_refused_call_is_a_failure_with_that_reason(raise_exception):
    app, work, process = app_of(calls(()), options={"raise_exception": raise_exception})
    app.run()
    process.refuse("the arguments do not fit")
    assert work.has_failed
    assert (work.status.reason, work.status.message) == ("refused", "the arguments do not fit")
    assert (app.tick.failure is not None) == raise_exception
    assert not app.run()


def test_a_refusal_of_a_call_that_is_not_under_way_is_of_no_consequence():
    app, work, process = app_of(calls(()))
    app.run()
    process.execute()
    order = app.runs_ordered[0]
    app.hear(RunRefused("root.w", process.incarnation, order.call_hash, order.call_id, "late"))
    app.hear(RunRefused("root.w", process.incarnation, "run:other", "99", "unknown"))
    assert work.has_succeeded
    assert app.tick.failure is None


def test_a_work_that_breaks_the_protocol_for_good_has_failed_and_is_ended():
    app, work, process = app_of(calls(()), options={"raise_exception": False})
    app.run()
    process.begin()
    app.hear(StateLost("root.w", process.incarnation, "its frames do not fit together"))
    assert work.has_failed
    assert (work.status.reason, work.status.message) == ("protocol_error", "its frames do not fit together")
    assert process.stop is not None
    assert app.tick.failure is None


# Silence.


def test_a_work_that_falls_silent_is_shown_as_unreachable_and_taken_back():
    app, work, process = app_of(calls(()), options={"parallel": True})
    app.run()
    process.begin()
    before = work.statuses
    process.unreachable("no sign of life for 3.2 s")
    assert work.status.reason == "unreachable"
    assert work.status.stage == "running"
    assert work.status.message == "no sign of life for 3.2 s"
    assert app.tick.changed
    process.reachable()
    assert work.statuses == before


def test_an_unreachable_work_is_shown_once():
    app, work, process = app_of(calls(()), options={"parallel": True})
    app.run()
    process.begin()
    for _ in range(3):
        process.unreachable()
    assert [status.reason for status in work.statuses].count("unreachable") == 1
    process.reachable()
    process.reachable()
    assert [status.reason for status in work.statuses].count("unreachable") == 0


def test_an_unreachable_work_that_goes_on_has_its_own_word_shown():
    app, work, process = app_of(calls(()), options={"parallel": True})
    app.run()
    process.begin()
    process.unreachable()
    process.reachable()
    process.succeed()
    assert [status.stage for status in work.statuses] == ["pending", "running", "succeeded"]


def test_a_work_that_dies_while_it_is_unreachable_has_failed():
    app, work, process = app_of(calls(()), options={"raise_exception": False})
    app.run()
    process.begin()
    process.unreachable()
    process.exit()
    assert work.has_failed
    assert work.status.reason == "process_died"


def test_a_work_that_is_heard_again_though_it_never_was_silent_changes_nothing():
    app, _, process = app_of()
    app.settle()
    process.reachable()
    assert app.changes == []
    assert not app.tick.changed


# Incarnations.


def test_what_an_older_incarnation_is_heard_to_do_is_of_no_consequence():
    app, work, old = app_of(calls((1,)))
    app.run()
    old.execute(counter=1)
    old.exit()
    app.root._body = calls((1,), (2,))
    app.run()
    new = app.processes["root.w"]
    new.start()
    before = app.root.state
    calls_before = list(app.commands)
    name, incarnation = old.name, old.incarnation
    app.hear(
        FramesReceived(name, incarnation, [Snapshot(old.epoch, 9, {"vars": {"counter": 99}, "calls": {LATEST: None}})]),
        FramesReceived(name, incarnation, [Delta(old.epoch, 10, [Set(("vars", "counter"), 98)])]),
        FramesReceived(name, incarnation, [Bookmark(old.epoch, 10, 12345)]),
        RunRefused(name, incarnation, app.runs_ordered[-1].call_hash, app.runs_ordered[-1].call_id, "no"),
        WorkUnreachable(name, incarnation, "silent"),
        WorkReachable(name, incarnation),
        WorkStarted(name, incarnation, old.epoch, 1),
        WorkStartFailed(name, incarnation, "no"),
        WorkExited(name, incarnation, "was killed"),
    )
    assert same(app.root.state, before)
    assert app.commands == calls_before
    assert app.tick.failure is None
    new.execute(counter=2)
    assert not app.run()
    assert work.counter == 2


def test_events_of_works_that_are_not_there_are_of_no_consequence():
    app, _, _ = app_of()
    app.hear(WorkExited("root.missing", 1, "was killed"), WorkStarted("root.missing", 1, 5, 1))
    assert app.tick.failure is None


def test_a_new_incarnations_snapshot_replaces_what_the_old_one_left():
    app, work, process = app_of(calls(()), options={"raise_exception": False})
    app.run()
    process.begin()
    process.write(counter=5, items=[1, 2], table={"a": {"b": 1}})
    process.exit()
    app.root._body = calls((2,))
    app.run()
    second = app.processes["root.w"]
    second.document["vars"].update(counter=0, items=[9])
    second.start()
    assert (work.counter, work.items, work.table) == (0, [9], {"a": {"b": 1}})


# Lost track.


def a_delta_that_does_not_fit(process):
    return Delta(process.epoch, process.revision + 1, [Set(("vars", "table", "missing", "x"), 1)])


def a_wrong_digest(process):
    return Bookmark(process.epoch, process.revision, 12345)


def an_unknown_section(process):
    return Delta(process.epoch, process.revision + 1, [Set(("stuff", "x"), 1)])


def a_whole_section(process):
    return Delta(process.epoch, process.revision + 1, [Set(("vars",), {})])


def a_splice_of_everything(process):
    return Delta(process.epoch, process.revision + 1, [Splice((), 0, 0, [1])])


def an_attribute_with_a_number_for_a_name(process):
    return Delta(process.epoch, process.revision + 1, [Set(("vars", 5), 1)])


def a_snapshot_without_a_section(process):
    return Snapshot(process.epoch, process.revision + 1, {"vars": {}})


def a_snapshot_with_another_section(process):
    return Snapshot(process.epoch, process.revision + 1, {"vars": {}, "calls": {LATEST: None}, "more": {}})


@pytest.mark.parametrize(
    "nonsense",
    [
        a_delta_that_does_not_fit,
        a_wrong_digest,
        an_unknown_section,
        a_whole_section,
        a_splice_of_everything,
        an_attribute_with_a_number_for_a_name,
        a_snapshot_without_a_section,
        a_snapshot_with_another_section,
    ],
)
def test_a_mirror_that_lost_track_is_made_anew_once_from_a_snapshot(nonsense):
    app, work, process = app_of(lambda root: None)
    process.write(counter=1)
    app.follow = False
    process.tell_frames(nonsense(process))
    assert [type(command) for command in app.resyncs] == [ResyncWork]
    assert app.resyncs[0].incarnation == process.incarnation
    process.write(counter=2)  # was on its way
    process.tell_frames(process.bookmark())
    assert len(app.resyncs) == 1
    assert work.counter == 1
    process.tell_frames(process.snapshot())
    assert work.counter == 2
    app.document = app.root.state
    app.follow = True
    process.write(counter=3)
    process.tell_frames(process.bookmark())
    assert work.counter == 3
    assert len(app.resyncs) == 1


def test_a_wrong_digest_changes_nothing_that_is_shown():
    app, _, process = app_of()
    process.tell_frames(a_wrong_digest(process))
    assert app.changes == []
    process.tell_frames(process.snapshot())
    assert app.changes == []


def test_a_bookmark_without_a_digest_proves_nothing_and_harms_nothing():
    app, _, process = app_of()
    process.tell_frames(Bookmark(process.epoch, process.revision, None))
    assert app.resyncs == []

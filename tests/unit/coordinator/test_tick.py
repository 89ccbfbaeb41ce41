"""The coordinator's mind: calls, suspension, statuses, failures and ends, without I/O."""

from __future__ import annotations

import deepdiff
import pytest
from tick_harness import App, Flow, Root, Work, essence

from lightning_grpc.components.calls import LATEST
from lightning_grpc.components.structures import Dict, List
from lightning_grpc.coordinator.events import (
    EndRequested,
    FramesReceived,
    ResyncWork,
    RunRefused,
    RunWork,
    StartWork,
    StateLost,
    StopWork,
    WorkExited,
    WorkReachable,
    WorkStarted,
    WorkStartFailed,
    WorkUnreachable,
)
from lightning_grpc.coordinator.tick import Tick
from lightning_grpc.errors import (
    FlowSuspended,
    InvalidValueError,
    RuntimeStartError,
    WorkFailedError,
)
from lightning_grpc.state.delta import Set, Splice, apply
from lightning_grpc.state.public import to_public
from lightning_grpc.state.subscription import Bookmark, Delta, Snapshot
from lightning_grpc.state.values import same


def app_of(body=None, *, options=None, **attributes):
    """An app whose root has one Work, `w`, made with some options; returns the app, the Work and its process."""
    work = Work(**(options or {}))
    app = App(Root(body, w=work, **attributes))
    return app, work, app.processes.get("root.w")


def calls(*argument_lists):
    """A body that calls the Work with each of some arguments, in order."""

    def body(root):
        for arguments in argument_lists:
            root.w.run(*arguments)

    return body


# Starting.


def test_works_start_with_the_app_unless_they_say_otherwise():
    root = Root(a=Work(), b=Work(start_with_flow=False), c=Flow(w=Work()), items=[Work()])
    app = App(root)
    assert [command.work for command in app.sent(StartWork)] == ["root.a", "root.c.w", "root.items.0"]
    assert len({command.incarnation for command in app.sent(StartWork)}) == 3


def test_a_work_that_does_not_start_with_the_app_starts_with_its_first_call():
    app, work, _ = app_of(calls(()), options={"start_with_flow": False})
    assert app.commands == []
    app.run()
    start, run = app.commands
    assert isinstance(start, StartWork)
    assert isinstance(run, RunWork)
    assert run.incarnation == start.incarnation
    assert work.is_pending


def test_a_work_may_be_started_without_a_call_and_only_once():
    app, work, _ = app_of(lambda root: root.w.start(), options={"start_with_flow": False})
    app.run()
    app.processes["root.w"].start()
    app.run()
    assert len(app.sent(StartWork)) == 1
    assert app.runs_ordered == []
    assert work.status.stage == "started"
    assert work.has_started


def test_a_work_that_has_started_says_so():
    _, work, process = app_of()
    assert work.status.stage == "started"
    assert [status.stage for status in work.statuses] == ["pending", "started"]
    assert process.document["calls"][LATEST] == "start"


def test_the_package_of_a_work_is_made_when_it_starts():
    work = Work(start_with_flow=False)
    app = App(Root(lambda root: root.w.run(), w=work))
    work.counter = 7
    app.run()
    assert app.packages[0]["vars"]["counter"] == 7


# Calls.


@pytest.mark.parametrize("parallel", [True, False])
def test_a_cached_call_is_executed_once(parallel):
    app, work, process = app_of(calls((1,)), options={"parallel": parallel})
    for _ in range(3):
        app.run()
    process.execute(counter=5)
    for _ in range(3):
        assert not app.run()
    assert len(app.runs_ordered) == 1
    assert app.root._completed >= 3
    assert work.has_succeeded
    assert work.counter == 5


@pytest.mark.parametrize("parallel", [True, False])
def test_each_distinct_cached_call_is_executed_once(parallel):
    arguments = [(1,), (1.0,), (True,), ("1",), (1,), ((1,),), ([1],), (1.0,)]
    app, work, _ = app_of(calls(*arguments), options={"parallel": parallel})
    app.work_off()
    assert len(app.runs_ordered) == 6
    assert work.num_successes == 6


def test_a_call_travels_with_its_arguments_as_they_were():
    items, table = [1], {"k": (1, 2.0)}

    def body(root):
        root.w.run(items, name=table)

    app, _, _ = app_of(body)
    app.run()
    items.append(2)
    table["more"] = 3
    (order,) = app.runs_ordered
    assert same((order.args, order.kwargs), (([1],), {"name": {"k": (1, 2.0)}}))
    assert order.call_hash.startswith("run:")
    assert order.requested_at_s > 0


def test_an_argument_that_is_no_value_is_the_flows_error():
    app, _, _ = app_of(lambda root: root.w.run({1}))
    with pytest.raises(InvalidValueError, match=r"argument 0 of run\(\)"):
        app.run()
    assert app.runs_ordered == []


def test_a_call_is_pending_at_once_running_when_it_runs_and_then_succeeded():
    seen = []

    def body(root):
        root.w.run()
        seen.append(root.w.status.stage)

    app, work, process = app_of(body, options={"parallel": True})
    app.run()
    process.begin()
    app.settle()
    process.succeed()
    app.settle()
    assert list(dict.fromkeys(seen)) == ["pending", "running", "succeeded"]
    assert [status.stage for status in work.statuses] == ["pending", "running", "succeeded"]


def test_a_blocking_call_suspends_the_flow_and_returns_once_it_is_done():
    steps = []

    def body(root):
        steps.append("before")
        root.w.run()
        steps.append("after")

    app, _, process = app_of(body)
    assert app.run()
    process.begin()
    assert app.run()
    assert steps == ["before", "before"]
    process.succeed()
    assert not app.run()
    assert steps == ["before", "before", "before", "after"]


def test_a_suspended_flow_is_not_swallowed_by_except_exception():
    def body(root):
        try:
            root.w.run()
        except Exception:
            root.swallowed = True

    app, _, _ = app_of(body, swallowed=False)
    assert app.run()
    assert not app.root.swallowed


def test_a_parallel_call_lets_the_flow_go_on():
    app, _, _ = app_of(calls(()), options={"parallel": True})
    assert not app.run()
    assert app.root._completed == 1


def test_a_parallel_uncached_call_is_executed_again_each_time_it_has_finished():
    app, work, process = app_of(calls(()), options={"parallel": True, "cache_calls": False})
    for number in range(1, 4):
        app.run()
        assert len(app.runs_ordered) == number
        app.run()
        assert len(app.runs_ordered) == number
        process.execute()
        assert work.num_successes == number


def test_an_uncached_blocking_call_returns_once_for_each_execution():
    seen = []

    def body(root):
        root.w.run()
        seen.append(root.w.counter)

    app, _, process = app_of(body, options={"cache_calls": False})
    for counter in (1, 2, 3):
        app.settle()
        process.execute(counter=counter)
    app.settle()
    assert seen == [1, 2, 3]
    assert len(app.runs_ordered) == 4  # the last run of the root has asked for the next


@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_loop_of_uncached_blocking_calls_completes(n):
    def body(root):
        if root.done:
            return
        for _ in range(n):
            root.w.run()
        root.done = True

    app, work, _ = app_of(body, options={"cache_calls": False}, done=False)
    app.work_off()
    assert app.root.done
    assert work.num_successes == n
    assert len(app.runs_ordered) == n


def test_loops_of_uncached_blocking_calls_of_several_works_and_arguments_complete():
    def body(root):
        if root.done:
            return
        for i in range(3):
            root.a.run(i % 2)
            root.b.run()
        root.done = True

    options = {"cache_calls": False}
    app = App(Root(body, a=Work(**options), b=Work(**options), done=False))
    app.work_off()
    assert app.root.done
    assert (app.root.a.num_successes, app.root.b.num_successes) == (3, 3)


def test_each_completed_run_of_the_root_makes_its_uncached_blocking_calls_anew():
    def body(root):
        if root.rounds < 3:
            root.w.run()
            root.w.run()
            root.rounds += 1

    app, work, _ = app_of(body, options={"cache_calls": False}, rounds=0)
    app.work_off()
    assert app.root.rounds == 3
    assert work.num_successes == 6


def test_an_uncached_blocking_call_that_failed_returns_too():
    seen = []

    def body(root):
        if not root.w.has_failed:
            root.w.run()
        seen.append(root.w.status.stage)

    app, _, process = app_of(body, options={"cache_calls": False, "raise_exception": False})
    app.settle()
    process.begin()
    process.fail()
    app.settle()
    assert seen[-1] == "failed"
    assert app.tick.failure is None


def test_a_second_call_while_one_runs_is_queued_in_order():
    app, work, process = app_of(calls(("a",), ("b",)), options={"parallel": True})
    app.run()
    assert [order.args for order in app.runs_ordered] == [("a",), ("b",)]
    process.begin()
    assert work.is_pending  # the latest call is the second
    process.succeed()
    assert work.is_pending
    process.begin()
    assert work.is_running
    process.succeed()
    assert work.has_succeeded
    assert work.num_successes == 2


def test_call_ids_are_unique_in_the_app():
    app = App(
        Root(
            lambda root: [work.run(i) for work in root.works() for i in range(3)],
            a=Work(parallel=True),
            b=Work(parallel=True),
        )
    )
    app.run()
    assert len({order.call_id for order in app.runs_ordered}) == 6


def test_a_call_that_was_finished_before_the_app_began_is_not_executed_again():
    app, work, process = app_of(calls((1,)))
    app.run()
    process.execute()
    state = app.root.state
    fresh, work, _ = app_of(calls((1,)))
    fresh.root.set_state(state)
    fresh.run()
    assert fresh.runs_ordered == []
    assert work.has_succeeded


def test_a_tree_whose_flow_was_run_directly_can_be_run_as_an_app():
    class Direct(Work):
        def run(self, *args):
            self.counter += 1

    root = Root(calls((1,)), w=Direct())
    root.run()
    assert root.w.counter == 1
    app = App(root)
    app.run()


def test_a_removed_work_cannot_be_used_and_says_so():
    app = App(Root(items=[Work()]))
    gone = app.root.items.pop()
    for use in (gone.run, gone.start, gone.stop):
        with pytest.raises(RuntimeError, match="was removed from the app"):
            use()


# When the root is run.


def test_a_root_that_changes_nothing_is_run_once():
    app, _, _ = app_of()
    assert app.settle() == 1
    assert app.settle() == 0


def test_a_flow_that_writes_is_run_again_until_it_writes_no_more():
    def body(root):
        if root.n < 5:
            root.n += 1

    app, _, _ = app_of(body, n=0)
    assert app.settle() == 6


def test_a_flow_that_changes_a_container_in_place_is_run_again():
    def body(root):
        if len(root.seen) < 3:
            root.seen.append(len(root.seen))

    app, _, _ = app_of(body, seen=[])
    assert app.settle() == 4
    assert app.document["vars"]["seen"] == [0, 1, 2]


def test_what_a_suspended_run_wrote_is_kept_and_no_reason_to_run_it_again():
    def body(root):
        root.n += 1
        root.w.run()

    app, _, _ = app_of(body, n=0)
    app.settle()
    assert not app.tick.changed
    assert app.document["vars"]["n"] == app.root.n > 0


def test_a_works_write_is_a_reason_to_run_the_root():
    app, _, process = app_of()
    app.settle()
    process.write(counter=1)
    assert app.settle() == 1


def test_a_bookmark_is_no_reason_to_run_the_root():
    app, _, process = app_of()
    app.settle()
    process.tell_frames(process.bookmark())
    assert not app.tick.changed


def test_a_signal_is_noted_for_the_loop():
    app, _, _ = app_of()
    app.hear(EndRequested(15))
    assert app.tick.end_signal == 15


def test_what_a_flow_put_into_a_container_that_state_cannot_hold_is_its_error():
    app, _, _ = app_of(lambda root: root.child.seen.append({1}), child=Flow(seen=[]))
    with pytest.raises(InvalidValueError, match=r"root\.child \(Flow\): seen\[0\] is \{1\}"):
        app.run()


def test_what_a_flow_put_into_a_mirrors_container_that_state_cannot_hold_is_its_error():
    def body(root):
        root.w.items.append({1})
        root.w.counter = 1

    app, _, _ = app_of(body)
    with pytest.raises(InvalidValueError, match=r"root\.w \(Work\): items\[0\] is \{1\}"):
        app.run()


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


# What the Flow writes on a mirror.


def test_what_the_flow_writes_on_a_running_work_changes_only_the_mirror():
    def body(root):
        root.w.run()
        if root.w.counter < 3:
            root.w.counter += 1

    app, work, process = app_of(body, options={"parallel": True})
    app.settle()
    assert work.counter == 3
    assert process.document["vars"]["counter"] == 0
    assert app.document["works"]["w"]["vars"]["counter"] == 3
    process.begin()
    process.tell_frames(process.bookmark())
    assert app.resyncs == []
    assert work.counter == 3


def test_what_the_flow_wrote_travels_once_with_the_next_call():
    app, work, _ = app_of(calls((1,)), options={"parallel": True})
    work.counter = 5
    work.items = [1]
    work.table["k"] = 1
    app.run()
    app.root._body = calls((1,), (2,))
    app.run()
    first, second = app.runs_ordered
    assert first.attributes == {"counter": 5, "items": [1], "table": {"k": 1}}
    assert second.attributes == {}


def test_what_the_flow_writes_after_a_call_travels_with_the_one_after():
    def body(root):
        root.w.run(1)
        root.w.counter = 7
        root.w.run(2)

    app, _, _ = app_of(body, options={"parallel": True})
    app.run()
    assert [order.attributes for order in app.runs_ordered] == [{}, {"counter": 7}]


def test_what_travels_is_not_changed_by_later_writes():
    def body(root):
        root.w.items.append(1)
        root.w.run(1)
        root.w.items.append(2)

    app, _, _ = app_of(body, options={"parallel": True})
    app.follow = False
    app.run()
    assert app.runs_ordered[0].attributes == {"items": [1]}


def test_what_the_flow_wrote_before_the_process_started_is_in_the_package():
    app, work, _ = app_of(calls(()), options={"start_with_flow": False})
    work.counter = 5
    app.run()
    assert app.packages[-1]["vars"]["counter"] == 5
    assert app.runs_ordered[0].attributes == {}


def test_what_the_flow_wrote_stays_when_the_first_snapshot_arrives():
    def body(root):
        if root._begun == 1:
            root.w.counter = 5
        else:
            root.w.run()

    app = App(Root(body, w=Work(parallel=True)), start=False)
    app.tick.start_with_flow()
    app.step()
    app.run()
    app.processes["root.w"].start()
    assert app.root.w.counter == 5
    app.run()
    assert app.runs_ordered[0].attributes == {"counter": 5}


def test_the_works_later_write_wins():
    app, work, process = app_of(calls((1,)), options={"parallel": True})
    work.counter = 5
    work.items = [5]
    work.table = {"flow": 1}
    app.run()
    app.processes["root.w"].orders[0].attributes.clear()  # as if it had been written after the call
    app.tick._works._by_name["root.w"].mirror.take_written()
    work.counter = 6
    work.items.append(6)
    work.table["more"] = 1
    app.run()
    process.write(counter=1, items=[1], table={"work": 1})
    assert (work.counter, work.items, work.table) == (1, [1], {"work": 1})
    app.root._body = calls((1,), (2,))
    app.run()
    assert app.runs_ordered[-1].attributes == {}


def test_an_attribute_the_work_does_not_touch_keeps_what_the_flow_wrote():
    app, work, process = app_of()
    work.counter = 5
    app.run()
    process.write(items=[1])
    assert (work.counter, work.items) == (5, [1])


def test_a_container_the_flow_changed_in_place_is_told_of_when_the_run_is_over():
    def body(root):
        if not root.w.items:
            root.w.items.append("from the flow")

    app, _, process = app_of(body)
    app.settle()
    assert app.document["works"]["w"]["vars"]["items"] == ["from the flow"]
    process.write(counter=1)
    assert process.document["vars"]["items"] == []


def test_a_container_the_flow_changed_in_place_is_the_works_again_when_the_work_writes_it():
    def body(root):
        if root.w.items == [1]:
            root.w.items.append("from the flow")

    app, work, process = app_of(body)
    process.write(items=[1])
    app.settle()
    assert work.items == [1, "from the flow"]
    process.edit(lambda variables: variables["items"].append(2))
    app.settle()
    assert work.items == [1, 2]
    assert app.document["works"]["w"]["vars"]["items"] == [1, 2]


@pytest.mark.parametrize("others", [0, 7])
def test_the_works_later_write_wins_over_what_the_flow_changed_in_place_if_every_work_has_its_turn(others):
    def body(root):
        if root.w.items == [1]:
            root.w.items.append("from the flow")

    root = Root(body, w=Work(), others=List(*[Work() for _ in range(others)]))
    app = App(root, follow=False)
    process = app.processes["root.w"]
    process.write(items=[1])
    app.run()
    process.edit(lambda variables: variables["items"].append(2))
    for _ in range(10):
        app.run()
    assert root.w.items == [1, 2]
    app.root._body = calls(())
    app.run()
    assert app.runs_ordered[0].attributes == {}


def test_what_the_flow_changed_in_place_is_told_of_in_the_end_however_many_works_there_are():
    def body(root):
        if not root.works.works[0].items:
            for work in root.works.works:
                work.items.append("from the flow")

    app = App(Root(body, works=List(*[Work() for _ in range(30)])), follow=False)
    app.document = app.root.state
    for _ in range(10):
        app.run()
        apply(app.document, app.changes)
    assert same(essence(app.document), essence(app.root.state))


def test_the_flows_reference_to_a_mirrors_container_stays_good():
    _, work, process = app_of()
    process.write(items=[1], table={"a": {"b": [1]}})
    items, inner = work.items, work.table["a"]
    process.edit(lambda variables: variables["items"].append(2))
    process.edit(lambda variables: variables["table"]["a"]["b"].append(2))
    assert work.items is items
    assert work.table["a"] is inner
    assert (items, inner) == ([1, 2], {"b": [1, 2]})


def test_a_flows_container_given_an_equal_one_of_other_types_is_told_of():
    def body(root):
        root.flags = [True, 0.0]

    app, _, _ = app_of(body, flags=[1, 0])
    app.settle()
    assert same(app.document["vars"]["flags"], [True, 0.0])


# What the tick tells of.


def test_changes_carry_the_place_of_their_component():
    root = Root(w=Work(), child=Flow(n=0, w=Work()), items=[Work(), Flow(n=0)], table={"k": Work()})
    app = App(root)
    app.settle()

    def paths():
        return sorted(change.path for change in app.changes)

    for name, path in {
        "root.w": ("works", "w"),
        "root.child.w": ("flows", "child", "works", "w"),
        "root.items.0": ("structures", "items", "works", "0"),
        "root.table.k": ("structures", "table", "works", "k"),
    }.items():
        app.processes[name].write(counter=5)
        assert paths() == [(*path, "vars", "counter")]
        assert app.changes == [Set((*path, "vars", "counter"), 5)]
        assert app.changes[0].old == 0
    root.child.n = 1
    root.items[1].n = 2
    root.w.counter = 3
    app.run()
    assert paths() == [
        ("flows", "child", "vars", "n"),
        ("structures", "items", "flows", "1", "vars", "n"),
        ("works", "w", "vars", "counter"),
    ]


def test_a_change_inside_a_container_is_told_as_such():
    app, _, process = app_of()
    process.write(items=list(range(100)))
    process.edit(lambda variables: variables["items"].append(100))
    assert app.changes == [Splice(("works", "w", "vars", "items"), 100, 0, [100])]


def test_deepdiff_applies_every_delta_of_the_app_one_after_the_other():
    def body(root):
        root.seen.append(root._begun)
        if root._begun == 3:
            root.late = Work(parallel=True)
            root.items.append(Flow(n=[1]))
        if root._begun > 3:
            root.late.run()
            root.items[1].n.insert(0, root._begun)
        root.w.run(root._begun % 3)
        root.w.table = {"from": ["the", "flow"]}

    root = Root(body, seen=[], late=None, w=Work(parallel=True, raise_exception=False), items=[Work()])
    app = App(root)
    document = root.state
    app.told.clear()

    def look():
        nonlocal document
        while app.told:
            document = document + deepdiff.Delta(to_public(app.told.pop(0)), raise_errors=True)
        assert same(essence(document), essence(root.state))

    for step in range(6):
        app.run()
        look()
        process = app.processes["root.w"]
        if process.is_alive and process.orders:
            process.begin()
            process.edit(lambda variables: variables["items"].extend([1, {"a": 2}]))
            process.edit(lambda variables: variables["items"].pop(0))
            look()
            process.fail() if step == 2 else process.succeed(counter=step)
            look()
    process.exit()
    root.items.pop(0)
    app.step()
    look()


def test_commands_and_changes_are_given_out_once():
    tick = Tick(Root(lambda root: root.w.run(), w=Work()), lambda work: b"")
    tick.start_with_flow()
    assert [type(command) for command in tick.take_commands()] == [StartWork]
    assert tick.take_commands() == []
    tick.cut()
    tick.take_changes()
    assert tick.take_changes() == []


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


# Components that come and go.


def grow(root):
    if not getattr(root, "late", None):
        root.late = Work(parallel=True)
        root.late.counter = 5
    root.late.run()


def test_a_work_attached_during_run_is_started_by_its_call():
    app = App(Root(grow, late=None))
    app.run()
    assert [command.work for command in app.sent(StartWork)] == ["root.late"]
    assert app.packages[-1]["vars"]["counter"] == 5
    app.processes["root.late"].start()
    app.processes["root.late"].execute(counter=6)
    app.settle()
    assert app.root.late.counter == 6
    assert app.root.late.has_succeeded


def test_a_tree_attached_during_run_is_taken_in_as_a_whole():
    def body(root):
        if not getattr(root, "child", None):
            root.child = Flow(n=1, items=[Work(parallel=True)], w=Work(parallel=True))
            root.child.items.append(Work(parallel=True))
        for work in root.child.works():
            work.run()

    app = App(Root(body))
    app.run()
    names = ["root.child.w", "root.child.items.0", "root.child.items.1"]
    assert [command.work for command in app.sent(StartWork)] == names
    for name in names:
        app.processes[name].start()
        app.processes[name].execute(counter=1)
    assert [work.counter for work in app.root.child.works()] == [1, 1, 1]


@pytest.mark.parametrize(
    ("attributes", "attach"),
    [
        ({}, lambda root: setattr(root, "w", Work())),
        ({"w": None}, lambda root: setattr(root, "w", Work())),
        ({}, lambda root: setattr(root, "child", Flow(n=1))),
        ({}, lambda root: setattr(root, "child", Flow(n=1, w=Work()))),
        ({}, lambda root: setattr(root, "many", [Work(), Flow(n=1)])),
        ({"items": List()}, lambda root: root.items.append(Work())),
        ({"table": Dict()}, lambda root: root.table.update(k=Flow(n=1))),
        ({"grid": List()}, lambda root: root.grid.append(List(Work()))),
        ({}, lambda root: (setattr(root, "child", Flow(n=1)), setattr(root.child, "n", 2))),
    ],
    ids=[
        "work",
        "work for None",
        "flow",
        "flow with a work",
        "list",
        "item of a list",
        "item of a dict",
        "list in a list",
        "flow that is written at once",
    ],
)
def test_a_component_that_is_attached_is_told_of_with_all_its_state(attributes, attach):
    def body(root):
        if root._begun == 1:
            attach(root)

    app = App(Root(body, **attributes))
    app.run()
    app.run()


@pytest.mark.parametrize(
    ("attributes", "remove"),
    [
        ({"items": [Work(), Work()]}, lambda root: root.items.pop(0)),
        ({"table": {"a": Work(), "b": Flow(w=Work())}}, lambda root: root.table.pop("b")),
    ],
    ids=["item of a list", "item of a dict"],
)
def test_a_component_that_is_removed_is_told_of(attributes, remove):
    def body(root):
        if root._begun == 1:
            remove(root)

    app = App(Root(body, **attributes))
    app.run()
    app.run()


def test_a_removed_work_is_stopped_and_forgotten():
    app = App(Root(items=[Work(parallel=True), Work(parallel=True)]))
    gone = app.root.items[0]
    app.root._body = lambda root: [work.run() for work in root.items]
    app.run()
    process = app.processes["root.items.0"]
    app.root._body = lambda root: root.items.remove(gone) if gone in root.items else None
    app.run()
    assert [command.work for command in app.sent(StopWork)] == ["root.items.0"]
    app.hear(WorkExited("root.items.0", process.incarnation, "exited with code 0"))
    assert app.tick.failure is None
    assert gone.name == ""
    assert [work.name for work in app.root.works()] == ["root.items.1"]


def test_what_a_removed_flow_writes_is_told_to_nobody():
    app = App(Root(table={"f": Flow(n=0, seen=[])}))
    gone = app.root.table.pop("f")
    app.root._body = lambda root: gone.seen.append(1)
    app.run()
    gone.n = 1
    app.run()
    assert app.changes == []


def test_a_removed_works_process_is_one_of_the_apps_until_it_has_ended():
    app = App(Root(items=[Work()]))
    process = app.processes["root.items.0"]
    app.root.items.clear()
    app.step()
    assert app.tick.has_processes
    app.hear(WorkExited("root.items.0", process.incarnation, "exited with code 0"))
    assert not app.tick.has_processes


def test_a_removed_work_may_come_back_as_another_incarnation():
    app = App(Root(table={"k": Work(parallel=True)}))
    old = app.processes["root.table.k"]
    app.root._body = lambda root: root.table["k"].run()
    app.run()
    work = app.root.table.pop("k")
    app.step()
    app.root.table["k"] = work
    app.run()
    new = app.processes["root.table.k"]
    assert new.incarnation > old.incarnation
    app.hear(WorkExited("root.table.k", old.incarnation, "exited with code 0"))
    assert app.tick.failure is None
    new.start()
    if new.orders:
        new.execute(counter=4)
    assert app.root.table["k"] is work


def test_a_flow_suspended_by_a_child_is_resumed_when_the_child_is_done():
    def body(root):
        root.child.w.run()
        root.done = True

    app = App(Root(body, child=Flow(w=Work()), done=False))
    app.settle()
    assert not app.root.done
    app.processes["root.child.w"].execute()
    app.settle()
    assert app.root.done


def test_a_call_outside_of_a_run_suspends_the_caller_too():
    _, work, _ = app_of()
    with pytest.raises(FlowSuspended, match=r"root\.w"):
        work.run()

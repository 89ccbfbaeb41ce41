"""Calls of Works: starting, caching, suspending, queueing."""

from __future__ import annotations

import pytest
from tick_harness import App, Flow, Root, Work, app_of, calls

from lightning_grpc.components.calls import LATEST, advanced, requested
from lightning_grpc.coordinator.events import (
    RunWork,
    StartWork,
)
from lightning_grpc.errors import (
    InvalidValueError,
)
from lightning_grpc.state.values import copy, same

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


# A Work that others call, too, and that leaves out what is long over.


@pytest.mark.parametrize("anew", [False, True], ids=["by a delta", "by a snapshot"])
def test_a_cached_call_stays_done_when_the_work_has_left_out_its_entry(anew):
    app, work, process = app_of(calls((1,)), n=0)
    app.work_off()
    (order,) = app.runs_ordered
    document = copy(process.document)
    other = advanced(requested("run", "7", 1.0, caller="somebody else"), process.status("running"))
    del document["calls"][order.call_hash]
    document["calls"].update({"run:other": other, LATEST: "run:other"})
    if anew:
        process.document = document
        process.revision += 1
        process.tell_frames(process.snapshot())
    else:
        process.publish(document)
    app.root.n += 1
    app.work_off()
    assert app.runs_ordered == [order]
    assert work._calls[order.call_hash]["successes"] == 1
    assert work._calls["run:other"]["caller"] == "somebody else"

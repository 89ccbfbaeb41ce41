"""Schedules and iterations of an app without threads: what they wake, what is told of them, and how passes end."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tick_harness import App, Flow, Root, Work, app_of

from lightning_grpc.components.structures import Dict, List
from lightning_grpc.coordinator.timetable import Timetable

HOUR = 3600.0
NOON = 1_782_907_200.0  # 2026-07-01 12:00 UTC


class Clockwork(App):
    """An app whose time stands still unless a test moves it."""

    def __init__(self, root, now=NOON + 1, **options):
        self._start = now
        super().__init__(root, **options)
        self.tick.now = now

    def step(self):
        now = self.tick.now
        super().step()
        self.tick.now = now

    def at(self, now):
        """Move the clock, and run the root if that is a reason to; returns how often it was run."""
        self.tick.now = now
        self.tick.look_at_the_clock()
        return self.settle()


def hourly(root):
    if root.schedule("hourly"):
        root.fired += 1


# Waking.


def test_a_schedule_wakes_the_root_when_it_fires_and_not_before():
    app = Clockwork(Root(hourly, fired=0))
    app.settle()
    assert (app.root.fired, app.tick.earliest_s) == (1, NOON + HOUR)
    assert app.at(NOON + HOUR - 1) == 0
    assert app.at(NOON + HOUR) > 0
    assert (app.root.fired, app.tick.earliest_s) == (2, NOON + 2 * HOUR)


def test_without_a_schedule_there_is_nothing_to_wake_for():
    app = Clockwork(Root())
    app.settle()
    assert app.tick.earliest_s == inf
    assert app.at(NOON + 1e9) == 0


def test_a_firing_is_a_cause_that_names_the_flow_and_the_schedule():
    root = Root(lambda root: root.child.schedule("hourly", user_key="k"), child=Flow())
    app = Clockwork(root)
    app.settle()
    app.tick.now = NOON + HOUR
    app.tick.look_at_the_clock()
    assert app.tick.changed
    (cause,) = app.tick.begin_run()
    assert (cause.kind, cause.component, cause.paths) == ("schedule", "root.child", ("k",))
    assert str(cause) == "schedule of root.child: k"


def test_the_earliest_of_several_schedules_is_woken_for():
    app = Clockwork(Root(lambda root: [root.schedule(each) for each in ("daily", "*/5 * * * *", "hourly")]))
    app.settle()
    assert app.tick.earliest_s == NOON + 300


def test_many_missed_firings_are_one_run():
    app = Clockwork(Root(hourly, fired=0))
    app.settle()
    app.at(NOON + 1000.5 * HOUR)
    assert app.root.fired == 2


def test_a_clock_that_was_set_back_wakes_the_root_which_asks_anew():
    app = Clockwork(Root(hourly, fired=0))
    app.settle()
    app.at(NOON + 2)
    app.at(NOON - 100 * HOUR)
    assert (app.root.fired, app.tick.earliest_s) == (1, NOON - 99 * HOUR)
    app.at(NOON - 99 * HOUR)
    assert app.root.fired == 2


def test_a_clock_that_goes_back_by_a_moment_wakes_nobody():
    app = Clockwork(Root(hourly, fired=0))
    app.settle()
    app.at(NOON + 2)
    assert app.at(NOON + 1.5) == 0


def test_schedules_of_flows_that_have_left_the_app_wake_nobody():
    app = Clockwork(Root(lambda root: [flow.schedule("hourly") for flow in root.table.values()], table=Dict(a=Flow())))
    app.settle()
    gone = app.root.table.pop("a")
    app.settle()
    assert app.tick.earliest_s == inf
    gone.schedule("hourly", user_key="k")
    app.run()
    assert not gone.schedule("hourly", user_key="k")
    assert app.tick.earliest_s == inf


# Passes.


def test_a_pass_that_a_blocking_work_suspends_does_not_use_the_firing_up():
    seen = []

    def body(root):
        seen.append(root.schedule("hourly"))
        root.w.run()

    app = Clockwork(Root(body, w=Work(cache_calls=False)))
    app.run()
    app.run()
    assert seen == [True, True]
    assert app.document["calls"]["scheduling"] == app.root.state["calls"]["scheduling"]
    app.processes["root.w"].execute()
    app.run()
    assert (seen, app.root._completed) == ([True, True, True], 1)
    app.run()
    assert seen[-1] is False


def inside(root):
    if root.schedule("hourly"):
        root.begun += 1
        root.w.run(root.fired)
        root.fired += 1


def test_a_block_that_a_blocking_work_suspends_is_entered_again_until_it_is_through():
    app = Clockwork(Root(inside, w=Work(), begun=0, fired=0))
    app.settle()
    begun = app.root.begun
    app.run()
    app.run()
    assert (app.root.begun, app.root.fired) == (begun + 2, 0)
    app.processes["root.w"].execute()
    app.settle()
    assert (app.root.begun, app.root.fired, app.root._completed) == (begun + 3, 1, 2)
    app.at(NOON + HOUR)
    app.processes["root.w"].execute()
    app.settle()
    assert app.root.fired == 2
    assert len(app.runs_ordered) == 2


def test_a_block_that_was_left_before_a_work_blocks_is_not_entered_again_in_the_same_pass():
    app = Clockwork(Root(lambda root: (hourly(root), root.w.run()), w=Work(), fired=0))
    app.settle()
    app.run()
    app.run()
    assert (app.root.fired, app.root._completed) == (1, 0)
    (entry,) = app.document["calls"]["scheduling"].values()
    assert not entry["running"]
    app.at(NOON + HOUR)
    app.at(NOON + 2 * HOUR)
    assert (app.root.fired, app.root._completed) == (3, 0)
    app.processes["root.w"].execute()
    app.settle()
    assert (app.root.fired, app.root._completed) == (3, 1)


def test_firings_within_a_block_that_is_suspended_wake_nobody_and_are_one_when_it_is_through():
    app = Clockwork(Root(inside, w=Work(), begun=0, fired=0))
    app.settle()
    begun = app.root.begun
    for hour in range(1, 6):
        assert app.at(NOON + hour * HOUR) == 0
    assert app.root.begun == begun
    app.processes["root.w"].execute()
    app.tick.look_at_the_clock()
    app.settle()
    app.processes["root.w"].execute()
    app.settle()
    assert app.root.fired == 2
    assert app.tick.earliest_s == NOON + 6 * HOUR


# What is told.


def test_a_schedule_is_part_of_the_document_and_its_changes_are_deltas():
    app = Clockwork(Root(lambda root: root.schedule("hourly", user_key="k")))
    app.settle()
    assert app.document["calls"]["scheduling"]["k"]["next_firing"] == NOON + HOUR
    app.told.clear()
    app.at(NOON + HOUR)
    paths = {change.path for delta in app.told for change in delta}
    assert paths == {("calls", "scheduling", "k", "next_firing"), ("calls", "scheduling", "k", "since")}


def test_what_a_firing_makes_a_flow_write_and_that_it_was_used_up_are_one_delta():
    app = Clockwork(Root(hourly, fired=0))
    app.run()
    (delta,) = app.told
    assert {change.path[0] for change in delta} == {"vars", "calls"}


def test_a_root_that_only_waits_for_its_schedule_is_left_asleep():
    app = Clockwork(Root(lambda root: root.schedule("hourly")))
    assert app.settle() == 2
    app.tick.look_at_the_clock()
    assert app.settle() == 0
    assert app.at(NOON + HOUR) == 2


def test_a_root_that_iterates_again_and_again_is_left_asleep():
    app = Clockwork(Root(lambda root: list(root.experimental_iterate("abc", run_once=False))))
    assert app.settle() == 1


# What users do with them.


class DAG(Flow):
    def __init__(self):
        super().__init__()
        self.processor = Work()

    def run(self):
        self.processor.run()


class SchedulerDAG(Flow):
    def __init__(self):
        super().__init__()
        self.dags = List()

    def run(self):
        if self.schedule("hourly"):
            self.dags.append(DAG())
        for dag in self.dags:
            dag.run()


def test_a_flow_appends_a_dag_every_hour_and_runs_it_once():
    app = Clockwork(SchedulerDAG())
    for hour in range(4):
        app.at(NOON + 1 + hour * HOUR)
        assert [work.name for work in app.root.works()][-1] == f"root.dags.{hour}.processor"
        app.processes[f"root.dags.{hour}.processor"].start()
        app.processes[f"root.dags.{hour}.processor"].execute()
        app.settle()
        assert len(app.root.dags) == hour + 1
        assert all(dag.processor.has_succeeded for dag in app.root.dags)
    assert len(app.runs_ordered) == 4


def test_a_scheduler_below_the_root_is_not_repeated_for_what_the_root_waits_for_behind_it():
    app = Clockwork(Root(lambda root: (root.scheduler.run(), root.w.run()), scheduler=SchedulerDAG(), w=Work()))
    app.settle()
    dag = app.processes["root.scheduler.dags.0.processor"]
    dag.start()
    dag.execute()
    app.settle()
    app.run()
    assert (app.root._completed, len(app.root.scheduler.dags)) == (0, 1)
    app.processes["root.w"].execute()
    app.settle()
    assert len(app.root.scheduler.dags) == 1


def test_an_iteration_with_a_blocking_work_calls_it_once_for_each_item():
    def body(root):
        for rate in root.experimental_iterate([0.1, 0.01, 0.001]):
            root.w.run(rate)
            root.seen.append(rate)

    app, _, _ = app_of(body, seen=[])
    app.work_off()
    assert app.root.seen == [0.1, 0.01, 0.001]
    assert [order.args for order in app.runs_ordered] == [(0.1,), (0.01,), (0.001,)]
    assert app.root._completed == 2
    (entry,) = app.document["calls"].values()
    assert (entry["counter"], entry["has_finished"]) == (2, True)


def test_an_uncached_call_in_a_block_that_was_left_does_not_count_for_one_behind_it():
    def body(root):
        root.w.run()
        if root.schedule("hourly"):
            root.w.run()
            root.w.run()
            root.seen.append("inside")
        for _ in range(3):
            root.w.run()
        root.seen.append("behind")
        root._body = lambda root: None

    app, _, _ = app_of(body, options={"cache_calls": False}, seen=[])
    app.work_off()
    assert app.root.seen == ["inside", "behind"]
    assert len(app.runs_ordered) == 1 + 2 + 3


@pytest.mark.parametrize("run_once", [True, False])
def test_an_uncached_call_in_an_iteration_is_executed_once_for_each_item_whatever_stands_around_it(run_once):
    def body(root):
        root.w.run()
        for outer in root.experimental_iterate("xyz", run_once=run_once):
            root.w.run()
            for inner in root.experimental_iterate(range(2), run_once=run_once):
                root.w.run()
                root.seen.append(f"{outer}{inner}")
            root.w.run()
            root.seen.append(outer)
        root.w.run()
        root.passes += 1
        if root.passes == 2:
            root._body = lambda root: None

    app, _, _ = app_of(body, options={"cache_calls": False}, seen=[], passes=0)
    app.work_off()
    once = ["x0", "x1", "x", "y0", "y1", "y", "z0", "z1", "z"]
    assert app.root.seen == (once if run_once else once * 2)
    assert len(app.runs_ordered) == (1 + 12 + 1) + (2 if run_once else 1 + 12 + 1)


def carry_out(root, program):
    """Carry out a program: a call of the Work, or a loop over a part of it."""
    for step in program:
        if step == "call":
            root.w.run()
        else:
            kind, times, part = step
            loop = root.experimental_iterate(range(times)) if kind == "iterate" else range(times)
            for _ in loop:
                carry_out(root, part)


def calls_of(program):
    """How often a program calls the Work."""
    return sum(1 if step == "call" else step[1] * calls_of(step[2]) for step in program)


programs = st.recursive(
    st.just(["call"]),
    lambda parts: st.lists(
        st.one_of(st.just("call"), st.tuples(st.sampled_from(["iterate", "plain"]), st.integers(0, 3), parts)),
        max_size=3,
    ),
    max_leaves=6,
)


@given(programs)
def test_an_uncached_call_is_executed_as_often_as_it_is_made_in_whatever_loops(program):
    def body(root):
        carry_out(root, program)
        root._body = lambda root: None

    app, _, _ = app_of(body, options={"cache_calls": False})
    app.work_off()
    assert len(app.runs_ordered) == calls_of(program)


def test_what_is_asked_for_from_outside_counts_its_iterations_by_itself():
    app = Clockwork(Root())
    app.settle()
    results = []
    for _ in range(3):
        results.append(list(_iterate(app.root)))
        app.tick.end_request("command go")
        app.step()
    assert results == [["a", "b"], [], []]


def _iterate(root):
    return root.experimental_iterate("ab")


# The timetable.


def test_of_what_is_asked_for_in_one_matter_the_latest_word_counts():
    timetable, flow = Timetable(), Flow()
    timetable.wake_at(flow, "k", 10.0)
    timetable.wake_at(flow, "k", 20.0)
    timetable.wake_at(flow, "other", 30.0)
    assert timetable.earliest_s == 20.0
    assert timetable.take_due(15.0) == []
    assert timetable.take_due(25.0) == [(flow, "k")]
    assert timetable.take_due(25.0) == []
    assert timetable.earliest_s == 30.0


def test_what_is_to_be_done_at_the_end_of_a_pass_is_done_once():
    timetable, flow, done = Timetable(), Flow(), []
    timetable.when_completed(flow, "k", lambda: done.append("before"), None, 0)
    timetable.when_completed(flow, "k", lambda: done.append("after"), None, 0)
    timetable.end_run(completed=False)
    assert done == []
    timetable.end_run(completed=True)
    timetable.end_run(completed=True)
    assert done == ["after"]


def test_what_was_past_in_an_earlier_run_of_the_pass_is_not_asked_for_in_a_later_one():
    timetable, flow, done = Timetable(), Flow(), []
    timetable.when_completed(flow, "a", lambda: done.append("a"), lambda: True, 3)
    timetable.when_completed(flow, "b", lambda: done.append("b"), lambda: False, 5)
    assert (timetable.blocking(), done) == ([3], ["a"])
    timetable.when_completed(flow, "c", lambda: done.append("c"), lambda: True, 7)
    timetable.end_run(completed=False)
    assert timetable.blocking() == []
    timetable.end_run(completed=True)
    assert done == ["a", "b", "c"]

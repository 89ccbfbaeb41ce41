"""Schedules and iterations of real apps, by the real clock."""

from __future__ import annotations

import json
import threading
import time

import pytest
from sample_works import Counter

import lightning_grpc as L
from lightning_grpc.components.flow import collect_state, reload_state
from lightning_grpc.coordinator import loop
from lightning_grpc.errors import ScheduleError
from lightning_grpc.structures import Dict, List

LONG_S = 600.0  # longer than any test: what runs the root in time is not that nothing happens


class Clockwork(L.LightningFlow):
    """Stops after three firings."""

    def __init__(self):
        super().__init__()
        self.fired = 0

    def run(self):
        if self.schedule("* * * * * *"):
            self.fired += 1
        if self.fired == 3:
            self.stop()


def test_a_schedule_wakes_a_sleeping_app_every_second_and_not_more_often():
    flow = Clockwork()
    app = L.LightningApp(flow, idle_interval_s=LONG_S)
    app.run()
    assert flow.fired == 3
    runs = app.metrics.latest_runs
    assert {cause.kind for run in runs for cause in run.causes} == {"start", "flow", "schedule"}
    (waking, *_) = [cause for run in runs for cause in run.causes if cause.kind == "schedule"]
    assert waking.component == "root"
    assert app.metrics.runs <= 6  # one for each firing, and one for what it has written


def test_a_firing_is_told_as_a_delta_of_the_flows_calls():
    told = []
    app = L.LightningApp(Clockwork(), idle_interval_s=LONG_S)
    app.add_delta_listener(told.append)
    app.run()
    assert "root['calls']['scheduling']['* * * * * *:test_schedules.py:" in str(told)
    assert "'next_firing'" in str(told)


class DAG(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.first = Counter()
        self.second = Counter()

    def run(self):
        self.first.run(3)
        self.second.run(self.first.counter * 2)


class SchedulerDAG(L.LightningFlow):
    """Makes a DAG each second, whose Works block, and stops when three are done."""

    def __init__(self):
        super().__init__()
        self.dags = List()

    def run(self):
        if len(self.dags) < 3 and self.schedule("* * * * * *"):
            self.dags.append(DAG())
        for dag in self.dags:
            dag.run()
        if len(self.dags) == 3:
            self.stop()


def test_a_dag_that_blocks_is_made_once_for_each_firing():
    flow = SchedulerDAG()
    L.LightningApp(flow, idle_interval_s=LONG_S).run()
    assert [(dag.first.counter, dag.second.counter) for dag in flow.dags] == [(3, 6)] * 3
    starts = sorted(entry["since"] for entry in flow.state["calls"]["scheduling"].values())
    assert starts[-1] <= time.time()


class Yearly(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.fired = 0

    def run(self):
        if self.schedule("0 0 29 2 *", user_key="leap day"):
            self.fired += 1
        self.stop() if self.passes_are_over() else None

    def passes_are_over(self):
        self._passes = getattr(self, "_passes", 0) + 1
        return self._passes == 3


def test_a_schedule_goes_on_after_a_restart_and_makes_up_for_what_was_missed_once():
    first = Yearly()
    L.LightningApp(first, idle_interval_s=0.05).run()
    assert first.fired == 1
    state = json.loads(json.dumps(collect_state(first)))
    second = Yearly()
    reload_state(second, state)
    L.LightningApp(second, idle_interval_s=0.05).run()
    assert second.fired == 1
    state["root"]["calls"]["scheduling"]["leap day"].update(since=0.0, next_firing=68_169_600.0)  # of 1972
    third = Yearly()
    reload_state(third, state)
    L.LightningApp(third, idle_interval_s=0.05).run()
    assert third.fired == 2
    assert third.state["calls"]["scheduling"]["leap day"]["next_firing"] > time.time()


def test_a_bad_pattern_fails_the_app_and_is_named():
    class Flow(L.LightningFlow):
        def run(self):
            self.schedule("every full moon")

    with pytest.raises(ScheduleError, match=r"^root \(Flow\): schedule\('every full moon'\) has no meaning"):
        L.LightningApp(Flow()).run()


class Sweep(L.LightningFlow):
    """Has two blocking Works count to each of some numbers; stops in the midst of it if told to."""

    def __init__(self, stop_at=None):
        super().__init__()
        self.works_by_name = Dict(a=Counter(), b=Counter())
        self.done = []
        self._stop_at = stop_at

    def run(self):
        for size in self.experimental_iterate([10, 20, 30]):
            for name in self.experimental_iterate("ab"):
                if self._stop_at == (size, name):
                    self.stop()
                self.works_by_name[name].run(size)
                self.done.append([size, name])
        self.stop()


def test_an_iteration_goes_on_after_blocking_works_and_after_a_restart():
    first = Sweep(stop_at=(20, "b"))
    L.LightningApp(first, idle_interval_s=LONG_S).run()
    assert first.done == [[10, "a"], [10, "b"], [20, "a"]]
    second = Sweep()
    reload_state(second, json.loads(json.dumps(collect_state(first))))
    L.LightningApp(second, idle_interval_s=LONG_S).run()
    assert second.done == [[size, name] for size in (10, 20, 30) for name in "ab"]
    assert [work.counter for work in second.works()] == [60, 60]
    assert [work.num_successes for work in second.works()] == [3, 3]


class Wall:
    """The loop's clocks, of which the wall clock can be set."""

    def __init__(self):
        self.offset_s = 0.0

    def time(self):
        return time.time() + self.offset_s

    def monotonic(self):
        return time.monotonic()

    def set_soon(self, offset_s):
        """Set it while the app sleeps."""
        timer = threading.Timer(0.1, setattr, (self, "offset_s", offset_s))
        timer.start()
        return timer


def test_a_wall_clock_that_is_set_while_the_app_sleeps_neither_stalls_nor_storms(monkeypatch):
    wall, day_s = Wall(), 86_400.0
    monkeypatch.setattr(loop, "time", wall)
    monkeypatch.setattr(loop, "_LONGEST_SLEEP_S", 0.05)

    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.fired = 0
            self._timers = []

        def run(self):
            if self.schedule("weekly", user_key="k"):
                self.fired += 1
            entry = self.state["calls"]["scheduling"]["k"]
            if self.fired == 1 and not self._timers:
                self._timers = [wall.set_soon(-10 * day_s)]
            if wall.offset_s == -10 * day_s and entry["since"] < time.time() - day_s:
                assert entry["next_firing"] <= wall.time() + 7 * day_s
                self._timers += [wall.set_soon(30 * day_s)]
            if self.fired == 2:
                self.stop()

    flow = Flow()
    app = L.LightningApp(flow, idle_interval_s=LONG_S)
    app.run()
    for timer in flow._timers:
        timer.join()
    assert flow.fired == 2
    assert [str(cause) for run in app.metrics.latest_runs for cause in run.causes].count("schedule of root: k") == 2

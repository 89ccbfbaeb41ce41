"""What a running app tells of what it does and uses, and ending one of its Works from outside."""

from __future__ import annotations

import os
import time

import pytest
from served_apps import Board, Served, until

from lightning_grpc.coordinator.metrics import FlowRuns
from lightning_grpc.errors import UnknownWorkError


def requests_of(metrics):
    """The causes of an app's latest runs that came from outside."""
    return [cause for run in metrics.latest_runs for cause in run.causes if cause.kind == "request"]


class Clock(Board):
    """Does something by the clock."""

    def run(self):
        super().run()
        if self.schedule("hourly", user_key="on the hour"):
            self.n += 1


def test_the_metrics_tell_of_runs_causes_works_and_what_the_processes_use():
    with Served(Board(with_work=True)) as served, served.client() as app:
        served.do(lambda: served.root.step.run(0))
        before = until(lambda: (told := app.metrics()).usages and told, "the Work has a process")
        app.update("root.n", 5)
        after = until(lambda: requests_of(told := app.metrics()) and told, "the root has run because of it")
        assert after.runs > before.runs
        assert after.at_s > before.at_s
        assert after.revision > before.revision
        assert after.usage.pid == os.getpid()
        assert after.usage.cpu_s >= before.usage.cpu_s > 0
        assert after.usage.memory_bytes > 1 << 20
        assert after.usage.threads > 1
        [work] = app.works()
        assert after.usages["root.step"].pid == work.pid
        until(lambda: app.metrics().works["root.step"].revision >= 1, "the Work's state has arrived")
        assert after.works["root.step"].silent_s >= 0
        assert [run.number for run in after.latest_runs] == list(range(1, after.runs + 1))[-32:]
        assert after.latest_runs[0].causes[0].kind == "start"
        assert [(cause.component, cause.keys) for cause in requests_of(after)] == [("update", (("n",),))]
        newest = app.metrics(runs=1)
        assert [run.number for run in newest.latest_runs] == [newest.runs]
        assert app.metrics(runs=0).latest_runs == ()


def test_the_number_of_runs_and_the_newest_of_them_are_those_of_one_moment(monkeypatch):
    latest = FlowRuns.latest

    def latest_among_others(runs):
        runs.add(0.0, 0.0, (), suspended=False)  # some that are over while the app is asked
        told = latest(runs)
        runs.add(0.0, 0.0, (), suspended=False)
        return told

    with Served() as served:
        until(lambda: served.app.metrics.runs, "the root has run")
        monkeypatch.setattr(FlowRuns, "latest", latest_among_others)
        told = served.app.metrics
        monkeypatch.undo()
        assert told.latest_runs[-1].number == told.runs


def test_the_metrics_are_told_while_the_flow_hangs_and_say_for_how_long():
    root = Board()
    root.hold()
    with Served(root) as served, served.client() as app:
        until(root._entered.is_set, "the root runs")
        first = app.metrics()
        assert first.under_way_s is not None
        second = until(lambda: (told := app.metrics()).under_way_s > first.under_way_s and told, "time passes")
        assert second.runs == 0
        root.go_on()
        until(lambda: app.metrics().under_way_s is None, "the run is over")


def test_the_metrics_tell_of_schedules_with_their_next_firing():
    began_s = time.time()
    with Served(Clock()) as served, served.client() as app:
        [schedule] = until(lambda: app.metrics().schedules, "the schedule is there")
        assert (schedule.flow, schedule.key, schedule.cron_pattern) == ("root", "on the hour", "hourly")
        assert began_s < schedule.next_firing_s <= time.time() + 3600
        assert schedule.next_firing_s % 3600 == 0


def test_one_work_is_ended_from_outside_and_the_app_goes_on():
    with Served(Board(with_work=True)) as served, served.client() as app:
        until(lambda: app.works()[0].pid, "the Work has a process")
        app.stop_work("root.step")
        until(lambda: app.works()[0].pid == 0, "the process is gone")
        assert app.works()[0].stage == "stopped"
        app.stop_work("root.step")
        assert app.describe().stage == "running"
        with pytest.raises(UnknownWorkError, match=r"no Work 'root\.nobody'; it has root\.step"):
            app.stop_work("root.nobody")

"""What an app tells of itself (issue: seeing it)."""

from __future__ import annotations

import logging
import time

from sample_works import Counter

import lightning_grpc as L


class Flow(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.work = Counter(parallel=True)
        self.looks = 0

    def run(self):
        self.work.run(50_000)
        self.looks += 1
        if self.work.has_succeeded:
            self.stop()


def test_the_metrics_tell_of_every_work_and_of_every_run_and_its_causes():
    app = L.LightningApp(Flow())
    assert app.metrics.runs == 0
    app.run()
    metrics = app.metrics
    assert metrics.runs == app.root.looks
    runs = metrics.latest_runs
    assert [run.number for run in runs] == list(range(runs[0].number, metrics.runs + 1))
    causes = {cause.kind for run in runs for cause in run.causes}
    assert {"flow", "state", "call"} <= causes
    about = [cause for run in runs for cause in run.causes if cause.kind == "state"]
    assert {cause.component for cause in about} == {"root.work"}
    assert any("counter" in cause.paths for cause in about)
    work = metrics.works["root.work"]
    assert work.revision > 1
    assert work.resyncs == 0
    assert 0 <= work.lag_s < 60


def test_a_run_without_a_cause_is_an_idle_one():
    class Idle(L.LightningFlow):
        def run(self):
            self.__dict__["_n"] = self.__dict__.get("_n", 0) + 1
            if self._n == 3:
                self.stop()

    app = L.LightningApp(Idle(), idle_interval_s=0.01)
    app.run()
    assert [[str(cause) for cause in run.causes] for run in app.metrics.latest_runs] == [["start"], ["idle"], ["idle"]]


def test_a_slow_run_is_warned_of_once_and_says_where(caplog):
    class Slow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.n = 0

        def run(self):
            self.n += 1
            deadline = time.monotonic() + 30
            while not any("long jobs" in record.message for record in caplog.records) and time.monotonic() < deadline:
                time.sleep(0.05)
            if self.n == 3:
                self.stop()

    with caplog.at_level(logging.WARNING, logger="lightning_grpc"):
        L.LightningApp(Slow()).run()
    warnings = [record.message for record in caplog.records if "long jobs" in record.message]
    assert len(warnings) == 1
    assert "test_metrics.py:" in warnings[0]
    assert "in run" in warnings[0]

"""The metrics of a Work that is served by itself, in Prometheus' format."""

from __future__ import annotations

import os
from pathlib import Path

from lightning_grpc.standalone.metrics_text import render_work_metrics
from lightning_grpc.state.subscription import PublishingCost
from lightning_grpc.worker.metrics import RunTally, WorkProcessMetrics

RUNNING = {"statuses": [{"stage": "pending", "timestamp": 1.0}, {"stage": "running", "timestamp": 5.0}]}


def render(metrics):
    return render_work_metrics("w", metrics, started_at_s=5.5)


def test_every_number_stands_there_with_the_work_it_is_about():
    metrics = WorkProcessMetrics(
        {"succeeded": 2, "failed": 1},
        {"succeeded": 0.5, "failed": 3.0},
        True,
        4,
        7,
        3,
        PublishingCost(9, 0.25, 8, 0.125),
    )
    lines = render(metrics).splitlines()
    assert {
        'lightning_grpc_work_runs_total{work="w",outcome="succeeded"} 2',
        'lightning_grpc_work_runs_total{work="w",outcome="failed"} 1',
        'lightning_grpc_work_runs_seconds_total{work="w",outcome="failed"} 3.0',
        'lightning_grpc_work_running{work="w"} 1',
        'lightning_grpc_work_runs_waiting{work="w"} 4',
        'lightning_grpc_work_revision{work="w"} 7',
        'lightning_grpc_work_subscribers{work="w"} 3',
        'lightning_grpc_work_cuts_total{work="w"} 9',
        'lightning_grpc_work_cuts_seconds_total{work="w"} 0.25',
        'lightning_grpc_work_scans_total{work="w"} 8',
        'lightning_grpc_work_scans_seconds_total{work="w"} 0.125',
        "process_start_time_seconds 5.5",
    } <= set(lines)
    samples = {line.split("{")[0].split(" ")[0] for line in lines if not line.startswith("#")}
    assert samples == {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert samples == {line.split()[2] for line in lines if line.startswith("# HELP")}


def test_the_process_has_used_time_and_memory():
    numbers = dict(line.rsplit(" ", 1) for line in render(WorkProcessMetrics()).splitlines() if line[0] != "#")
    assert float(numbers["process_cpu_seconds_total"]) > 0
    if Path("/proc/self/statm").exists():
        assert int(numbers["process_resident_memory_bytes"]) > os.sysconf("SC_PAGE_SIZE")


def test_runs_are_counted_by_outcome_with_the_time_they_took():
    tally = RunTally()
    tally.note(RUNNING, {"stage": "succeeded", "timestamp": 5.5})
    tally.note(RUNNING, {"stage": "succeeded", "timestamp": 6.0})
    tally.note(RUNNING, {"stage": "failed", "timestamp": 4.0})  # the clock was set back
    tally.note({"statuses": RUNNING["statuses"][:1]}, {"stage": "stopped", "timestamp": 9.0})  # it never began
    assert tally.runs == {"succeeded": 2, "failed": 1, "stopped": 1}
    assert tally.runs_s == {"succeeded": 1.5, "failed": 0.0, "stopped": 0.0}

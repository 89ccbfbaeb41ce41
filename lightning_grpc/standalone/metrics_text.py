"""The metrics of a Work that is served by itself, in Prometheus' text format."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from lightning_grpc.http.metrics_text import Labels, family, render_lines
from lightning_grpc.worker.metrics import WorkProcessMetrics


def render_work_metrics(name: str, metrics: WorkProcessMetrics, *, started_at_s: float) -> str:
    """Return the metrics as text; the processor time and memory are those of the process that calls.

    Args:
        name: The Work's.
        metrics: What its process has done.
        started_at_s: When it began, in seconds since 1970.
    """
    work: Labels = {"work": name}
    cost = metrics.cost
    ended = [({**work, "outcome": outcome}, number) for outcome, number in metrics.runs.items()]
    took = [({**work, "outcome": outcome}, seconds) for outcome, seconds in metrics.runs_s.items()]
    lines = [
        *family("work_runs_total", "counter", "Runs that are over.", ended),
        *family("work_runs_seconds_total", "counter", "How long the runs that are over took.", took),
        *family("work_running", "gauge", "1 while a run is under way, else 0.", [(work, int(metrics.is_running))]),
        *family("work_runs_waiting", "gauge", "Runs that wait for their turn.", [(work, metrics.waiting)]),
        *family("work_revision", "gauge", "The newest revision of the Work's state.", [(work, metrics.revision)]),
        *family("work_subscribers", "gauge", "Open streams of the Work's state.", [(work, metrics.subscribers)]),
        *family("work_cuts_total", "counter", "Cuts that the Work's process has taken.", [(work, cost.cuts)]),
        *family("work_cuts_seconds_total", "counter", "Processor time that the cuts took.", [(work, cost.cuts_s)]),
        *family("work_scans_total", "counter", "Cuts that only looked for changes in place.", [(work, cost.scans)]),
        *family("work_scans_seconds_total", "counter", "Processor time that these took.", [(work, cost.scans_s)]),
        *_of_the_process(started_at_s),
    ]
    return render_lines(lines)


def _of_the_process(started_at_s: float) -> list[str]:
    """Return what is known of the process, under the names that all Prometheus clients use."""
    lines = [
        *family("cpu_seconds_total", "counter", "Processor time.", [({}, time.process_time())], prefix="process"),
        *family("start_time_seconds", "gauge", "When it began.", [({}, started_at_s)], prefix="process"),
    ]
    with contextlib.suppress(OSError, ValueError, IndexError):  # not every system tells
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        resident = pages * os.sysconf("SC_PAGE_SIZE")
        lines += family("resident_memory_bytes", "gauge", "Memory in use.", [({}, resident)], prefix="process")
    return lines

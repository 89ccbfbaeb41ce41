"""How often a second the root Flow runs, without Works, when each run changes one attribute."""

from __future__ import annotations

import time

from bench.apps import Loop, run
from bench.case import Case, Measurement, Row, absolute


def ours(quick: bool) -> Measurement:
    """Count the runs of a few seconds."""
    n = 50_000 if quick else 150_000
    begin_s = 0.0

    def body(flow: Loop) -> None:
        nonlocal begin_s
        begin_s = begin_s or time.perf_counter()
        flow.n += 1
        if flow.n > n:
            flow.stop()

    run(Loop(body))
    return {"runs_per_s": n / (time.perf_counter() - begin_s)}


CASE = Case(
    name="root_runs",
    rows=(
        Row(
            "root Flow runs a second without Works",
            "runs_per_s",
            "1/s",
            absolute("runs_per_s"),
            30_000,
            "1/s",
            at_least=True,
        ),
    ),
    ours=ours,
    peers=("lightning-app",),
)

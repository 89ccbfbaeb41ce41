"""Ten million increments: a whole app, from the shell's prompt back to it, over the plain loop."""

from __future__ import annotations

import subprocess
import sys
import time

from bench.case import Case, Measurement, Row
from bench.plain import increments_s

N = 10_000_000
OVERHEAD_S = 1.5
"""What starting and ending an app may take."""


def ours(quick: bool) -> Measurement:  # noqa: ARG001 - it is short as it is
    """Run the example ``counter``, which does that."""
    begin_s = time.perf_counter()
    command = [sys.executable, "-m", "lightning_grpc", "run", "app", "--no-server", "examples/counter/app.py"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return {"whole_s": time.perf_counter() - begin_s}


def raw(quick: bool) -> Measurement:  # noqa: ARG001 - it is short as it is
    """Measure the plain loop."""
    return {"whole_s": increments_s(N)}


CASE = Case(
    name="program",
    rows=(
        Row(
            "10,000,000 increments, whole app, less 1.5 s, over the plain loop",
            "whole_s",
            "s",
            lambda side, raw: max(0.0, side["whole_s"] - OVERHEAD_S) / raw["whole_s"],
            6,
            target="<= 6 x + 1.5 s",
        ),
    ),
    ours=ours,
    raw=raw,
    raw_is="the same loop on a plain object",
    note="lightning-app would take hours; see the cost of one write.",
)

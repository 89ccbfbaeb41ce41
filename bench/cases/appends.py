"""From an append to a long list, in place, to the run of the Flow that sees it."""

from __future__ import annotations

import time

from bench.apps import Loop, Numbers, run
from bench.case import Case, Measurement, Row, absolute, percentile


def _append(length: int, n: int, interval_s: float, settle_s: float) -> tuple[list[float], float]:
    """Return the latencies, and the share of a core that the Work's process took."""
    seen: list[tuple[float, float]] = []

    def body(flow: Loop) -> None:
        now_s = time.time()
        flow.work.run("append", n, interval_s, settle_s)
        numbers = flow.work.numbers
        if len(numbers) > length and (not seen or seen[-1][0] != numbers[-1]):
            seen.append((numbers[-1], now_s))
        if flow.work.has_succeeded:
            flow.stop()

    work = run(Loop(body, work=Numbers(0, length, parallel=True))).work
    return [seen_at_s - written_at_s for written_at_s, seen_at_s in seen], work.busy_s / work.elapsed_s


def ours(quick: bool) -> Measurement:
    """Measure a list of 10,000 items and one of 1,000,000."""
    short, _ = _append(10_000, 50 if quick else 100, 0.02, 0.2)
    long, share = _append(1_000_000, 6 if quick else 12, 0.7, 3.0)
    return {
        "short_p50_s": percentile(short, 0.5),
        "long_p50_s": percentile(long, 0.5),
        "share_percent": share * 100,
    }


CASE = Case(
    name="appends",
    rows=(
        Row(
            "in-place append to a list of 10,000 items to the Flow, p50",
            "short_p50_s",
            "s",
            absolute("short_p50_s"),
            0.010,
            "s",
        ),
        Row(
            "in-place append to a list of 1,000,000 items to the Flow, p50",
            "long_p50_s",
            "s",
            absolute("long_p50_s"),
            0.5,
            "s",
        ),
        Row(
            "the share of a core that the Work's process takes for those 1,000,000",
            "share_percent",
            "%",
            absolute("share_percent"),
            5,
            "%",
        ),
    ),
    ours=ours,
    peers=("lightning-app",),
    note="The share of a core is all that the Work's process does while its own thread sleeps.",
)

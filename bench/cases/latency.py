"""From a Work's write to the run of the Flow that sees it, over what a bare gRPC push takes."""

from __future__ import annotations

import time

from bench.apps import Loop, Numbers, run
from bench.case import Case, Measurement, Row, over_raw, percentile
from bench.raw import push_latencies_s

INTERVAL_S = 0.005


def _latencies_s(n: int, spin: bool) -> list[float]:
    seen: list[tuple[float, float]] = []

    def body(flow: Loop) -> None:
        now_s = time.time()
        flow.work.run("stamp", n, INTERVAL_S, spin)
        written_at_s = flow.work.written_at_s
        if written_at_s and (not seen or seen[-1][0] != written_at_s):
            seen.append((written_at_s, now_s))
        if flow.work.has_succeeded:
            flow.stop()

    run(Loop(body, work=Numbers(parallel=True)))
    return [seen_at_s - written_at_s for written_at_s, seen_at_s in seen]


def ours(quick: bool) -> Measurement:
    """Measure with a Work that sleeps between its writes, and with one that spins."""
    n = 250 if quick else 500
    quiet, spinning = _latencies_s(n, spin=False), _latencies_s(n, spin=True)
    return {
        "p50_s": percentile(quiet, 0.5),
        "p99_s": percentile(quiet, 0.99),
        "spin_p50_s": percentile(spinning, 0.5),
        "spin_p99_s": percentile(spinning, 0.99),
    }


def raw(quick: bool) -> Measurement:
    """Measure the push of the same change over generated stubs."""
    latencies_s = push_latencies_s(250 if quick else 500, INTERVAL_S)
    return {"p50_s": percentile(latencies_s, 0.5), "p99_s": percentile(latencies_s, 0.99)}


CASE = Case(
    name="latency",
    rows=(
        Row("write to the Flow's run seeing it, p50, over raw p50", "p50_s", "s", over_raw("p50_s"), 2),
        Row("the same, p99 over raw p99", "p99_s", "s", over_raw("p99_s"), 3),
        Row(
            "the same while the Work's thread spins, p50 over raw quiet p50",
            "spin_p50_s",
            "s",
            over_raw("spin_p50_s", "p50_s"),
            4,
            raw_metric="p50_s",
        ),
        Row(
            "the same while the Work's thread spins, p99 over raw quiet p50",
            "spin_p99_s",
            "s",
            over_raw("spin_p99_s", "p50_s"),
            16,
            raw_metric="p50_s",
        ),
    ),
    ours=ours,
    raw=raw,
    raw_is="an asyncio server pushes the same change to an asyncio client over a unix socket",
    peers=("lightning-app",),
)

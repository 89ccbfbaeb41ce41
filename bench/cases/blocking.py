"""Blocking uncached runs: the Flow calls a Work, waits for it, and calls it again."""

from __future__ import annotations

import time

from bench.apps import Loop, Numbers, run
from bench.case import Case, Measurement, Row, absolute
from bench.raw import round_trips_per_s


def ours(quick: bool) -> Measurement:
    """Count the runs a second of one Work."""
    n = 500 if quick else 2000
    times_s: list[float] = []

    def body(flow: Loop) -> None:
        flow.work.run("count", 1)
        if not times_s:
            times_s.append(time.perf_counter())
        if flow.work.x > n:
            times_s.append(time.perf_counter())
            flow.stop()

    run(Loop(body, work=Numbers(cache_calls=False)))
    return {"runs_per_s": n / (times_s[-1] - times_s[0])}


def raw(quick: bool) -> Measurement:
    """Count round trips that are each answered by a push too."""
    return {"runs_per_s": round_trips_per_s(500 if quick else 2000)}


CASE = Case(
    name="blocking",
    rows=(
        Row(
            "blocking uncached Work runs a second",
            "runs_per_s",
            "1/s",
            absolute("runs_per_s"),
            400,
            "1/s",
            at_least=True,
        ),
    ),
    ours=ours,
    raw=raw,
    raw_is="a unary call, answered, and then a push on an open stream",
    peers=("lightning-app", "ray"),
    note="Ray: `ray.get` of an actor's method.",
)

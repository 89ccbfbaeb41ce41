"""Ten Works write flat out: how soon the Flow has the end of it, and how much they write."""

from __future__ import annotations

import time

from bench.apps import Loop, Numbers, run
from bench.case import Case, Measurement, Row, absolute
from bench.plain import increments_per_s

WORKS = 10


def ours(quick: bool) -> Measurement:
    """Let them write for 5 s."""
    seconds = 2.0 if quick else 5.0
    names = [f"work_{index}" for index in range(WORKS)]
    seen_at_s: list[float] = []

    def body(flow: Loop) -> None:
        works = [getattr(flow, name) for name in names]
        for work in works:
            work.run("flat_out", seconds)
        if all(work.written_at_s for work in works):
            seen_at_s.append(time.time())
            flow.stop()

    flow = run(Loop(body, **{name: Numbers(parallel=True) for name in names}))
    works = [getattr(flow, name) for name in names]
    return {
        "lag_s": seen_at_s[0] - max(work.written_at_s for work in works),
        "writes_per_s": sum(work.x for work in works) / seconds,
    }


def raw(quick: bool) -> Measurement:  # noqa: ARG001 - it is short as it is
    """Let as many processes increment a number, and tell nobody."""
    return {"writes_per_s": increments_per_s(WORKS, 2.0)}


CASE = Case(
    name="ten_works",
    rows=(
        Row(
            "10 Works flat out for 5 s: last write to the Flow having every final value",
            "lag_s",
            "s",
            absolute("lag_s"),
            0.020,
            "s",
        ),
        Row(
            "10 Works flat out: writes a second in all",
            "writes_per_s",
            "1/s",
            absolute("writes_per_s"),
            3e6,
            "1/s",
            at_least=True,
        ),
    ),
    ours=ours,
    raw=raw,
    raw_is="10 processes with the same loop on a plain object, telling nobody",
    peers=("lightning-app",),
)

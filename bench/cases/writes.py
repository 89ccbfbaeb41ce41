"""One ``self.x += 1`` in a running Work, over plain Python's; and the same among 1,000 attributes."""

from __future__ import annotations

from bench.apps import Loop, Numbers, run
from bench.case import Case, Measurement, Row, over_raw
from bench.plain import increments_s


def _increment_s(extra: int, n: int) -> float:
    """Return the seconds of one increment in a Work with `extra` further attributes."""

    def body(flow: Loop) -> None:
        flow.work.run("count", n)
        if flow.work.has_succeeded:
            flow.stop()

    return float(run(Loop(body, work=Numbers(extra, parallel=True))).work.elapsed_s / n)


def ours(quick: bool) -> Measurement:
    """Measure one increment, alone and among 1,000 attributes."""
    n = 1_000_000 if quick else 4_000_000
    return {"one_s": _increment_s(0, n), "among_s": _increment_s(999, n)}


def raw(quick: bool) -> Measurement:
    """Measure one increment in plain Python."""
    n = 1_000_000 if quick else 4_000_000
    return {"one_s": increments_s(n) / n}


CASE = Case(
    name="writes",
    rows=(
        Row("one `self.x += 1` in a running Work, over plain Python's", "one_s", "s", over_raw("one_s"), 6),
        Row(
            "the same with 1,000 attributes in the Work's state, over 1",
            "among_s",
            "s",
            lambda side, _raw: side["among_s"] / side["one_s"],
            1.2,
        ),
    ),
    ours=ours,
    raw=raw,
    raw_is="the same loop on a plain object",
    peers=("lightning-app",),
)

"""Fifty local Works: how soon they are there, what each takes, and what they cost when they have nothing to say."""

from __future__ import annotations

import time

import psutil

from bench.apps import Loop, Numbers, run
from bench.case import Case, Measurement, Row, absolute, median

WORKS = 50
SETTLE_S = 1.0


def _private_mib(process: psutil.Process) -> float:
    return float(process.memory_full_info().uss) / 2**20


def ours(quick: bool) -> Measurement:
    """Start them with a run each, then let them be."""
    idle_s = 3.0 if quick else 6.0
    names = [f"work_{index}" for index in range(WORKS)]
    begin_s = time.perf_counter()
    result: dict[str, float] = {}
    idle_from: tuple[float, float] | None = None

    def body(flow: Loop) -> None:
        nonlocal idle_from
        now_s = time.perf_counter()
        if "start_s" not in result:
            works = [getattr(flow, name) for name in names]
            for work in works:
                work.run("count", 1)
            if all(work.x for work in works):
                result["start_s"] = time.perf_counter() - begin_s
        elif idle_from is None:
            if now_s > begin_s + result["start_s"] + SETTLE_S:
                idle_from = now_s, time.process_time()
        elif now_s > idle_from[0] + idle_s:
            result["idle_percent"] = (time.process_time() - idle_from[1]) / (now_s - idle_from[0]) * 100
            fork_server = psutil.Process().children()[0]
            result["private_mib"] = median([_private_mib(work) for work in fork_server.children()])
            flow.stop()

    run(Loop(body, **{name: Numbers(parallel=True) for name in names}))
    return result


CASE = Case(
    name="fifty_works",
    rows=(
        Row(
            "50 local Works, from `run` to every first write seen",
            "start_s",
            "s",
            absolute("start_s"),
            1.5,
            "s",
        ),
        Row("private memory of an idle local Work", "private_mib", "MiB", absolute("private_mib"), 8.5, "MiB"),
        Row(
            "idle CPU of the coordinator with 50 idle Works",
            "idle_percent",
            "%",
            absolute("idle_percent"),
            1,
            "%",
        ),
    ),
    ours=ours,
    peers=("lightning-app", "ray"),
    note="Ray: 50 actors on two cores do not start in the time a peer is given; memory is that of one of three.",
)

"""The cases as lightning-app 2.3.2 does them; see `bench.peers`."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
from lightning_app import LightningApp, LightningFlow, LightningWork
from lightning_app.runners import MultiProcessRuntime


class Numbers(LightningWork):
    """The same Work as `bench.apps.Numbers`."""

    def __init__(self, extra: int = 0, length: int = 0, **options: Any) -> None:
        super().__init__(start_with_flow=False, **options)
        self.x = 0
        self.elapsed_s = 0.0
        self.written_at_s = 0.0
        for index in range(extra):
            setattr(self, f"extra_{index}", index)
        self.numbers: list[float] = list(range(length))

    def run(self, what: str, *arguments: Any) -> None:
        """Do what the method of that name does."""
        getattr(self, what)(*arguments)

    def count(self, n: int) -> None:
        """Increment a number `n` times and note the time it took."""
        begin_s = time.perf_counter()
        for _ in range(n):
            self.x += 1
        self.elapsed_s = time.perf_counter() - begin_s

    def stamp(self, n: int, interval_s: float, spin: bool) -> None:
        """Write the time of day `n` times, asleep or spinning in between."""
        for _ in range(n):
            end_s = time.perf_counter() + interval_s
            if spin:
                while time.perf_counter() < end_s:
                    pass
            else:
                time.sleep(interval_s)
            self.written_at_s = time.time()

    def append(self, n: int, interval_s: float) -> None:
        """Append the time of day to a long list in place."""
        for _ in range(n):
            time.sleep(interval_s)
            self.numbers.append(time.time())
        time.sleep(interval_s)

    def flat_out(self, seconds: float) -> None:
        """Write as fast as possible for a while, then note when the last write was made."""
        end_s = time.perf_counter() + seconds
        while time.perf_counter() < end_s:
            self.x += 1
        self.written_at_s = time.time()


class Loop(LightningFlow):
    """The same Flow as `bench.apps.Loop`."""

    def __init__(self, body: Callable[[Any], None], **works: LightningWork) -> None:
        super().__init__()
        for name, work in works.items():
            setattr(self, name, work)
        self.n = 0
        self._body = body

    def run(self) -> None:
        """Call the function."""
        self._body(self)


def dispatch(flow: Loop) -> Loop:
    """Run an app to its end and return its Flow."""
    MultiProcessRuntime(LightningApp(flow), start_server=False).dispatch()
    return flow


def _increment_s(extra: int, n: int) -> float:
    def body(flow: Any) -> None:
        flow.work.run("count", n)
        if flow.work.elapsed_s:
            flow.stop()

    return float(dispatch(Loop(body, work=Numbers(extra, parallel=True))).work.elapsed_s / n)


def writes(quick: bool) -> dict[str, float]:
    """Measure one increment, alone and among 1,000 attributes."""
    return {"one_s": _increment_s(0, 300 if quick else 600), "among_s": _increment_s(999, 60 if quick else 120)}


def _latencies_s(n: int, spin: bool) -> list[float]:
    seen: list[tuple[float, float]] = []

    def body(flow: Any) -> None:
        now_s = time.time()
        flow.work.run("stamp", n, 0.25, spin)
        written_at_s = flow.work.written_at_s
        if written_at_s and (not seen or seen[-1][0] != written_at_s):
            seen.append((written_at_s, now_s))
        if flow.work.has_succeeded:
            flow.stop()

    dispatch(Loop(body, work=Numbers(parallel=True)))
    return sorted(seen_at_s - written_at_s for written_at_s, seen_at_s in seen)


def latency(quick: bool) -> dict[str, float]:
    """Measure with a Work that sleeps between its writes, and with one that spins."""
    quiet, spinning = _latencies_s(12 if quick else 25, False), _latencies_s(10 if quick else 20, True)
    return {
        "p50_s": statistics.median(quiet),
        "p99_s": quiet[-1],
        "spin_p50_s": statistics.median(spinning),
        "spin_p99_s": spinning[-1],
    }


def appends(quick: bool) -> dict[str, float]:
    """Measure a list of 10,000 items; one of 1,000,000 is beyond what its state may take."""
    length, n = 10_000, 6 if quick else 10
    seen: list[tuple[float, float]] = []

    def body(flow: Any) -> None:
        now_s = time.time()
        flow.work.run("append", n, 1.0)
        numbers = flow.work.numbers
        if len(numbers) > length and (not seen or seen[-1][0] != numbers[-1]):
            seen.append((numbers[-1], now_s))
        if flow.work.has_succeeded:
            flow.stop()

    dispatch(Loop(body, work=Numbers(0, length, parallel=True)))
    return {"short_p50_s": statistics.median(seen_at_s - written_at_s for written_at_s, seen_at_s in seen)}


def blocking(quick: bool) -> dict[str, float]:
    """Count the runs a second of one Work."""
    n = 15 if quick else 30
    times_s: list[float] = []

    def body(flow: Any) -> None:
        if flow.work.x and not times_s:
            times_s.extend((time.perf_counter(), flow.work.x))
        if flow.work.x > n:
            times_s.extend((time.perf_counter(), flow.work.x))
            flow.stop()
        flow.work.run("count", 1)  # leaves the run of the Flow until it is done

    dispatch(Loop(body, work=Numbers(cache_calls=False)))
    begin_s, first, end_s, last = times_s[:4]
    return {"runs_per_s": (last - first) / (end_s - begin_s)}


def root_runs(quick: bool) -> dict[str, float]:
    """Count the runs of a few seconds."""
    n = 15 if quick else 40
    times_s: list[float] = []

    def body(flow: Any) -> None:
        times_s.append(time.perf_counter())
        flow.n += 1
        if flow.n > n:
            flow.stop()

    dispatch(Loop(body))
    return {"runs_per_s": (len(times_s) - 1) / (times_s[-1] - times_s[0])}


def ten_works(quick: bool) -> dict[str, float]:
    """Let ten Works write flat out for 5 s."""
    seconds = 2.0 if quick else 5.0
    names = [f"work_{index}" for index in range(10)]
    seen_at_s: list[float] = []

    def body(flow: Any) -> None:
        works = [getattr(flow, name) for name in names]
        for work in works:
            work.run("flat_out", seconds)
        if all(work.written_at_s for work in works):
            seen_at_s.append(time.time())
            flow.stop()

    flow = dispatch(Loop(body, **{name: Numbers(parallel=True) for name in names}))
    works = [getattr(flow, name) for name in names]
    return {
        "lag_s": seen_at_s[0] - max(work.written_at_s for work in works),
        "writes_per_s": sum(work.x for work in works) / seconds,
    }


def fifty_works(quick: bool) -> dict[str, float]:  # noqa: ARG001 - it is short as it is
    """Start 50 Works with a run each, then let them be; does not return, as nothing runs the Flow any more."""
    names = [f"work_{index}" for index in range(50)]
    begin_s = time.perf_counter()
    result: dict[str, float] = {}

    def body(flow: Any) -> None:
        works = [getattr(flow, name) for name in names]
        for work in works:
            work.run("count", 1)
        if "start_s" not in result and all(work.x for work in works):
            result["start_s"] = time.perf_counter() - begin_s
            threading.Thread(target=watch, daemon=True).start()

    def watch() -> None:
        time.sleep(2.0)
        idle_from_s, busy_s = time.perf_counter(), time.process_time()
        time.sleep(4.0)
        result["idle_percent"] = (time.process_time() - busy_s) / (time.perf_counter() - idle_from_s) * 100
        works = psutil.Process().children()
        result["private_mib"] = statistics.median(each.memory_full_info().uss / 2**20 for each in works)
        for work in works:
            work.kill()
        leave(result)

    dispatch(Loop(body, **{name: Numbers(parallel=True) for name in names}))
    return result


def first_run(quick: bool) -> dict[str, float]:
    """Start an app some times, interpreter and imports included."""
    program = "from bench.peers.lightning_app_side import say_when; say_when()"
    taken_s = []
    for _ in range(1 if quick else 3):
        begin_s = time.time()
        done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
        said = next(line for line in done.stdout.splitlines() if line.startswith("first run at "))
        taken_s.append(float(said.rpartition(" ")[2]) - begin_s)
    return {"start_s": statistics.median(taken_s)}


def say_when() -> None:
    """Run an app that prints when its Flow runs first."""

    def body(flow: Any) -> None:
        print("first run at", time.time(), flush=True)
        flow.stop()

    dispatch(Loop(body))


def mirror(quick: bool) -> dict[str, float]:  # noqa: ARG001 - it is short as it is
    """Apply one changed key the way its app does: DeepDiff's delta to the whole state, which is then set."""
    from deepdiff import DeepDiff, Delta

    class Table(LightningWork):
        def __init__(self, n: int) -> None:
            super().__init__()
            for index in range(n):
                setattr(self, f"key_{index}", index)

        def run(self) -> None:
            """Do nothing."""

    def apply_s(n: int) -> float:
        app = LightningApp(Loop(print, work=Table(n)))
        delta = Delta(DeepDiff({"key_1": 1}, {"key_1": 2}))
        delta.diff["values_changed"] = {"root['works']['work']['vars']['key_1']": {"new_value": 2}}
        taken_s = []
        for _ in range(5):
            begin_s = time.perf_counter()
            app.set_state(app.state + delta)
            taken_s.append(time.perf_counter() - begin_s)
        return statistics.median(taken_s)

    few, many = apply_s(10), apply_s(10_000)
    return {"apply_s": many, "attributes_factor": many / few, "dict_factor": 0.0}


def leave(result: dict[str, float]) -> None:
    """Print a measurement, and end without waiting for anything."""
    print(json.dumps(result), flush=True)
    os._exit(0)


if __name__ == "__main__":
    leave(globals()[sys.argv[1]]("--quick" in sys.argv))

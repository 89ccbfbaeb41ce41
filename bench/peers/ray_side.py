"""The cases as Ray's actors do them, where they can; see `bench.peers`. Actors push no state."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
import time
from typing import Any

import psutil
import ray


@ray.remote
class Counter:
    """An actor with a number."""

    def __init__(self) -> None:
        self.x = 0

    def increment(self) -> int:
        """Count, and say how far."""
        self.x += 1
        return self.x

    def private_mib(self) -> float:
        """Return this process's private memory."""
        return float(psutil.Process().memory_full_info().uss) / 2**20


@ray.remote
def nothing() -> None:
    """Do nothing."""


def blocking(quick: bool) -> dict[str, float]:
    """Count the calls a second of one actor."""
    n = 500 if quick else 2000
    counter: Any = Counter.remote()
    ray.get(counter.increment.remote())
    begin_s = time.perf_counter()
    for _ in range(n):
        ray.get(counter.increment.remote())
    return {"runs_per_s": n / (time.perf_counter() - begin_s)}


def fifty_works(quick: bool) -> dict[str, float]:  # noqa: ARG001 - it is short as it is
    """Measure the memory of a few actors; 50 take too long."""
    counters: list[Any] = [Counter.remote() for _ in range(3)]
    ray.get([each.increment.remote() for each in counters])
    return {"private_mib": statistics.median(ray.get([each.private_mib.remote() for each in counters]))}


def first_run(quick: bool) -> dict[str, float]:  # noqa: ARG001 - it is short as it is
    """Return how long this process takes until a first task has a result."""
    ray.get(nothing.remote())
    return {"start_s": time.time() - psutil.Process().create_time()}


def main() -> None:
    """Print the measurement of one case."""
    directory = tempfile.mkdtemp(prefix="bench-ray-")
    ray.init(
        num_cpus=4, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1", _temp_dir=directory
    )
    try:
        print(json.dumps(globals()[sys.argv[1]]("--quick" in sys.argv)), flush=True)
    finally:
        ray.shutdown()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()

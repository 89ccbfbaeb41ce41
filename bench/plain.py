"""Plain Python, for comparison."""

from __future__ import annotations

import multiprocessing
import time


class _Plain:
    def __init__(self) -> None:
        self.x = 0

    def count(self, n: int) -> float:
        begin_s = time.perf_counter()
        for _ in range(n):
            self.x += 1
        return time.perf_counter() - begin_s


def increments_s(n: int) -> float:
    """Return the seconds that `n` times ``self.x += 1`` take."""
    return _Plain().count(n)


def _flat_out(seconds: float) -> int:
    plain = _Plain()
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s:
        plain.count(1000)
    return plain.x


def increments_per_s(processes: int, seconds: float) -> float:
    """Return how many ``self.x += 1`` some processes do a second, all together."""
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        return sum(pool.map(_flat_out, [seconds] * processes, chunksize=1)) / seconds

"""Works and Flows that the cases run; a light module, because every Work's process imports it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import lightning_grpc as L


class Numbers(L.LightningWork):
    """A Work with a number, `extra` further attributes and a list of `length` numbers."""

    def __init__(self, extra: int = 0, length: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self.x = 0
        self.elapsed_s = 0.0
        self.busy_s = 0.0
        self.written_at_s = 0.0
        for index in range(extra):
            setattr(self, f"extra_{index}", index)
        self.numbers: list[float] | None = list(range(length)) if length else None

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

    def append(self, n: int, interval_s: float, settle_s: float) -> None:
        """Append the time of day to a long list in place, and note the process's time on the CPU meanwhile."""
        assert self.numbers is not None
        time.sleep(settle_s)
        begin_s, busy_s = time.perf_counter(), time.process_time()
        for _ in range(n):
            time.sleep(interval_s)
            self.numbers.append(time.time())
        time.sleep(interval_s)
        busy_s = time.process_time() - busy_s
        self.elapsed_s = time.perf_counter() - begin_s
        self.busy_s = busy_s

    def flat_out(self, seconds: float) -> None:
        """Write as fast as possible for a while, then note when the last write was made."""
        end_s = time.perf_counter() + seconds
        while time.perf_counter() < end_s:
            for _ in range(1000):
                self.x += 1
        self.written_at_s = time.time()


class Loop(L.LightningFlow):
    """A Flow whose run is a function, with Works by name."""

    work: Any

    def __init__(self, body: Callable[[Any], None], **works: L.LightningWork) -> None:
        super().__init__()
        for name, work in works.items():
            setattr(self, name, work)
        self.n = 0
        self._body = body

    def run(self, *args: Any, **kwargs: Any) -> None:
        """Call the function."""
        self._body(self)


def run(flow: L.LightningFlow) -> Any:
    """Run an app to its end and return its Flow."""
    L.LightningApp(flow).run()
    return flow

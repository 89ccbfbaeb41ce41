"""What processes use of the machine: processor time and memory, by their numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import TYPE_CHECKING

from lightning_grpc.service.descriptions import ProcessUsage

if TYPE_CHECKING:
    import psutil


class UsageMeter:
    """Reads what processes of this machine use; some 30 µs for each.

    Threads: Belongs to one loop.
    """

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}

    def read(self, pids: Collection[int]) -> dict[int, ProcessUsage]:
        """Return what each process uses; those that are not there, or whose figures are not ours to see, are left out.

        Args:
            pids: Their numbers. What was known of others is forgotten.
        """
        import psutil  # 20 ms that an app does not spend unless somebody looks

        found: dict[int, ProcessUsage] = {}
        known: dict[int, psutil.Process] = {}
        for pid in pids:
            with contextlib.suppress(psutil.Error, OSError):
                process = self._known.get(pid) or psutil.Process(pid)
                with process.oneshot():
                    times, memory = process.cpu_times(), process.memory_info()
                    threads = process.num_threads()
                known[pid] = process
                found[pid] = ProcessUsage(pid, times.user + times.system, memory.rss, threads)
        self._known = known
        return found

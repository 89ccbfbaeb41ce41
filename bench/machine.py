"""What the benchmark ran on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil


def describe() -> dict[str, str]:
    """Return the machine's features, by name, for people."""
    return {
        "CPU": _cpu_model(),
        "cores": f"{psutil.cpu_count(logical=True)}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "grpcio": importlib.metadata.version("grpcio"),
        "protobuf": importlib.metadata.version("protobuf"),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "load before": load(),
    }


def load() -> str:
    """Return the average number of processes that wanted to run in the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()

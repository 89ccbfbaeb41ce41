"""From the start of an app's process to the first run of its Flow, without Works."""

from __future__ import annotations

import subprocess
import sys
import time

from bench.case import Case, Measurement, Row, absolute, median

PROGRAM = """
import time
import lightning_grpc as L

class Flow(L.LightningFlow):
    def run(self):
        print(time.time(), flush=True)
        self.stop()

L.LightningApp(Flow()).run()
"""
RAW_PROGRAM = """
import grpc, time
print(time.time())
"""


def _until_said_s(program: str, n: int) -> float:
    """Return the seconds from a program's start to the time that it prints."""
    taken_s = []
    for _ in range(n):
        begin_s = time.time()
        done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
        taken_s.append(float(done.stdout.splitlines()[0]) - begin_s)
    return median(taken_s)


def ours(quick: bool) -> Measurement:
    """Start an app some times, interpreter and imports included."""
    return {"start_s": _until_said_s(PROGRAM, 3 if quick else 7)}


def raw(quick: bool) -> Measurement:
    """Start an interpreter that imports grpcio."""
    return {"start_s": _until_said_s(RAW_PROGRAM, 3 if quick else 7)}


CASE = Case(
    name="first_run",
    rows=(Row("app start to the first Flow run, no Works", "start_s", "s", absolute("start_s"), 0.5, "s"),),
    ours=ours,
    raw=raw,
    raw_is="an interpreter that imports grpcio",
    peers=("lightning-app", "ray"),
    note="Ray: from the process's start to the first result of a task.",
)

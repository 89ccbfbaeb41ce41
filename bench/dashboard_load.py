"""What the dashboard costs: an app of 50 Works, 100 deltas a second each, watched in a terminal of 120x40.

Usage: python -m bench.dashboard_load [--works 50] [--rate 100] [--seconds 15] [--keys d]

The app is the real service over a document that this process changes at that rate, so that the figure is the
dashboard's alone and does not depend on whether the machine can run 50 busy Works beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, cast

import psutil

from lightning_grpc.components.calls import new_calls, requested
from lightning_grpc.components.status import make_status
from lightning_grpc.coordinator.app_log import AppLog
from lightning_grpc.coordinator.metrics import Cause, FlowRun, WorkMetrics
from lightning_grpc.service.descriptions import AppDescription, AppMetrics
from lightning_grpc.service.registry import Registration
from lightning_grpc.service.running_app import RunningApp
from lightning_grpc.service.usage import UsageMeter
from lightning_grpc.state.delta import Set
from lightning_grpc.wire.auth import new_token
from lightning_grpc.wire.stream import StateStream

_WIDTH, _HEIGHT = 120, 40
_WARM_UP_S = 4.0


def _soon(act: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_soon(act)


class Load:
    """An app whose Works change at a rate, as its service sees it.

    Args:
        works: How many Works it has.
        rate: How often each changes, per second.
    """

    def __init__(self, works: int, rate: float) -> None:
        self.name = f"load-{os.getpid()}"
        self._names = [f"w{number}" for number in range(works)]
        self._pause_s = 1 / rate
        self._counts = dict.fromkeys(self._names, 0)
        self._began_s = time.time()
        self._usage = UsageMeter()
        self.log = AppLog(self._document, _soon)
        self.log.begin()

    @property
    def epoch(self) -> int:
        """This run of it."""
        return self.log.epoch

    def _document(self) -> dict[str, Any]:
        running = {**requested("run", "1", self._began_s)}
        running["statuses"] = [*running["statuses"], make_status("running", self._began_s)]
        calls = {**new_calls(), "latest_call_hash": "run:1", "run:1": running}
        works = {
            name: {"vars": {"count": self._counts[name], "total": 10**7, "loss": 1.0}, "calls": calls, "changes": {}}
            for name in self._names
        }
        return {"vars": {}, "calls": {}, "works": works, "app_state": {"stage": "running"}}

    async def change(self) -> None:
        """Change, at the rate, for ever."""
        due_s = time.monotonic()
        while True:
            for name in self._names:
                self._counts[name] += 1
                self.log.publish([[Set(("works", name, "vars", "count"), self._counts[name], 0)]])
            due_s += self._pause_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))

    def describe(self) -> AppDescription:
        """Tell who it is."""
        runs = self.log.revision
        return AppDescription(self.name, self.epoch, self.log.revision, "running", os.getpid(), self._began_s, runs)

    def look(self, runs: int) -> AppMetrics:
        """Tell what it has done."""
        now_s = time.time()
        usages = self._usage.read([os.getpid()])
        causes = (Cause("state", "root.w0", (("count",),)),)
        latest = tuple(FlowRun(number, now_s, 1e-4, causes, 1, suspended=False) for number in range(runs))
        works = {f"root.{name}": WorkMetrics(self._counts[name], 1e-3, silent_s=0.01) for name in self._names}
        usage = usages[os.getpid()]
        every = dict.fromkeys(works, usage)
        return AppMetrics(now_s, self.log.revision, self.log.revision, None, latest, works, every, (), usage)

    async def follow(self) -> StateStream:
        """Return the stream of its document."""
        return self.log.open()

    async def snapshot(self) -> Iterator[bytes]:
        """Return the whole document."""
        return self.log.open().snapshot()

    async def commands(self) -> list[Any]:
        """It has none."""
        return []

    async def logs(self, *_: Any, **__: Any) -> AsyncGenerator[Any, None]:
        """Print nothing."""
        await asyncio.Event().wait()
        yield


async def _serve(load: Load, ready: threading.Event) -> None:
    from lightning_grpc.service.servicer import AppServicer
    from lightning_grpc.wire.app_protocol import APP_SERVICE
    from lightning_grpc.wire.server import Server

    token = new_token()
    registration = Registration(load.name, load.epoch, time.time(), token)
    server = Server([AppServicer(cast("RunningApp", load)).handlers()], [APP_SERVICE], token)
    try:
        address = server.listen(f"unix:{registration.socket}")
        await server.begin()
        registration.announce(addresses=[address])
        ready.set()
        await load.change()
    finally:
        registration.remove()
        await server.stop(0.0)


def measure(works: int, rate: float, seconds: float, keys: str = "") -> tuple[float, int, int]:
    """Return the share of a core that a dashboard takes, the deltas per second, and the bytes per second it painted."""
    load, ready = Load(works, rate), threading.Event()
    loop = asyncio.new_event_loop()
    serving = loop.create_task(_serve(load, ready))
    thread = threading.Thread(target=lambda: _until_done(loop, serving), name="load", daemon=True)
    thread.start()
    ready.wait(20)
    try:
        with _dashboard(load.name) as (process, painted):
            time.sleep(_WARM_UP_S)
            for key in keys:
                os.write(painted.fd, key.encode())
                time.sleep(0.3)
            usage = psutil.Process(process.pid)
            before, revision, count, began_s = usage.cpu_times(), load.log.revision, painted.count, time.monotonic()
            time.sleep(seconds)
            after, took_s = usage.cpu_times(), time.monotonic() - began_s
            share = (after.user + after.system - before.user - before.system) / took_s
            changed = round((load.log.revision - revision) / took_s)
            return share, changed, round((painted.count - count) / took_s)
    finally:
        loop.call_soon_threadsafe(serving.cancel)
        thread.join(10)


def _until_done(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        loop.run_until_complete(task)


class _Painted:
    """Counts what is painted."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.count = 0

    def read(self) -> None:
        """Read until there is no more."""
        with contextlib.suppress(OSError):
            while data := os.read(self.fd, 1 << 16):
                self.count += len(data)


@contextlib.contextmanager
def _dashboard(name: str) -> Iterator[tuple[subprocess.Popen[bytes], _Painted]]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _HEIGHT, _WIDTH, 0, 0))
    command = [sys.executable, "-m", "lightning_grpc", "dashboard", name]
    environment = {**os.environ, "TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    painted = _Painted(ours)
    reader = threading.Thread(target=painted.read, name="terminal", daemon=True)
    reader.start()
    try:
        yield process, painted
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        os.close(ours)


def main() -> None:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--works", type=int, default=50)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--keys", default="", help="pressed first, such as d for the deltas")
    given = parser.parse_args()
    share, changed, painted = measure(given.works, given.rate, given.seconds, given.keys)
    print(f"{given.works} Works, {changed} deltas/s: {share * 100:.1f} % of a core, {painted} bytes/s painted")


if __name__ == "__main__":
    main()

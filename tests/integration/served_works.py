"""Works that are served by themselves, each by the command in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

DEADLINE_S = 40
HERE = Path(__file__).parent
SMALL = str(HERE / "small_work.py")
"""The file of the Works that most tests use; ``f"{SMALL}:Counter"`` is one."""


@dataclass
class Served:
    """A server of one Work or several; what it prints is read all along, lest it waits for us."""

    process: subprocess.Popen
    address: str = ""
    name: str = ""
    epoch: int = 0
    works: list = field(default_factory=list)
    pid: int = 0
    _out: list = field(default_factory=list)
    _err: list = field(default_factory=list)
    _readers: list = field(default_factory=list)

    def terminate(self):
        """Send SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def drain(self):
        """Send SIGTERM, and wait until health checks say that it is ending."""
        self.terminate()
        with grpc.insecure_channel(self.address) as channel:
            request = health_pb2.HealthCheckRequest()
            for answer in health_pb2_grpc.HealthStub(channel).Watch(request, timeout=DEADLINE_S):
                if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
                    return

    def interrupt(self):
        """Send what Ctrl-C sends."""
        self.process.send_signal(signal.SIGINT)

    def kill(self):
        """End it by force, and wait until it is gone."""
        self.process.kill()
        self.process.wait(DEADLINE_S)

    def wait(self):
        """Wait until it has ended by itself; returns its exit code."""
        code = self.process.wait(DEADLINE_S)
        for reader in self._readers:
            reader.join(DEADLINE_S)
        return code

    @property
    def out(self):
        """What it has printed to stdout, but for the line that says where it serves."""
        return "".join(self._out)

    @property
    def err(self):
        """What it has printed to stderr."""
        return "".join(self._err)

    def _read(self):
        for name, stream, lines in (("out", self.process.stdout, self._out), ("err", self.process.stderr, self._err)):
            reader = threading.Thread(target=_collect, args=(stream, lines), name=f"read {name}", daemon=True)
            reader.start()
            self._readers.append(reader)


def _collect(stream, lines):
    with stream:
        lines.extend(iter(stream.readline, ""))


def command(*arguments):
    """The command line of ``lightning-grpc run work`` with some arguments."""
    return [sys.executable, "-m", "lightning_grpc", "run", "work", *map(str, arguments)]


def start(*arguments, env=None, cwd=None):
    """Start the command; it need not come to serve anything."""
    return subprocess.Popen(
        command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
        cwd=cwd,
    )


@contextlib.contextmanager
def serving(target, *options, env=None, cwd=None):
    """Serve a Work: `target` is ``FILE.py:CLASS`` or ``MODULE:CLASS``, or None if the options name the Works.

    Without an address among the options, a free port of loopback is taken.
    """
    given = [str(each) for each in options]
    if not {"--bind", "--port"} & set(given):
        given += ["--port", "0"]
    process = start(*([target] if target else []), *given, "--json", env=env, cwd=cwd)
    served = Served(process)
    try:
        line = process.stdout.readline()  # the deadline is the test's
        served._read()
        if not line:
            code = served.wait()
            raise AssertionError(f"{target} is not served; exit code {code}:\n{served.err}")
        told = json.loads(line)
        served.address, served.works, served.pid = told["address"], told["works"], told["pid"]
        served.name, served.epoch = told["works"][0]["name"], told["works"][0]["epoch"]
        yield served
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(0.5)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait(DEADLINE_S)
        for reader in served._readers:
            reader.join(DEADLINE_S)

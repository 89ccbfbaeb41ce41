"""Works in JavaScript, each served by Node.js in a process of its own."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "polyglot" / "node"
OLDEST_NODE = 18
DEADLINE_S = 40
_INSTALL_S = 45


@cache
def reason_to_skip():
    """Why there is no Node.js here, or not what the Work needs of it; empty if all is there."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "Node.js is not here: no node and npm on the PATH"
    version = subprocess.run(
        ["node", "--version"], capture_output=True, text=True, check=True, timeout=DEADLINE_S
    ).stdout
    if int(version.removeprefix("v").split(".")[0]) < OLDEST_NODE:
        return f"Node.js {version.strip()} is here; {OLDEST_NODE} or newer is needed"
    with (FOLDER / ".installing").open("w") as lock:  # other test runs of this clone wait for us
        fcntl.flock(lock, fcntl.LOCK_EX)
        return "" if _is_installed() else _install()


def _is_installed():
    """Tell whether exactly the packages of the lock file are there."""
    wanted = json.loads((FOLDER / "package-lock.json").read_text())["packages"]
    try:
        there = json.loads((FOLDER / "node_modules" / ".package-lock.json").read_text())["packages"]
    except OSError:
        return False
    return there == {name: package for name, package in wanted.items() if name}


def _install():
    try:
        done = subprocess.run(
            ["npm", "ci", "--no-progress"],
            cwd=FOLDER,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_INSTALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"the packages that the Work in JavaScript needs did not come within {_INSTALL_S} s"
    if done.returncode == 0:
        return ""
    if "EINTEGRITY" in done.stdout or "EUSAGE" in done.stdout:  # the lock file is wrong, not the network
        raise AssertionError(done.stdout)
    return f"the packages that the Work in JavaScript needs cannot be installed: {done.stdout[-300:]}"


@dataclass
class Served:
    """A Work in JavaScript that is served; what it prints is read all along."""

    process: subprocess.Popen
    address: str = ""
    name: str = ""
    epoch: int = 0
    lines: list = field(default_factory=list)
    _reader: threading.Thread | None = None

    def wait(self):
        """Wait until it has ended by itself, and all that it has printed is read; returns its exit code."""
        code = self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        return code

    def wait_for_lines(self, count):
        """Wait until it has printed so many lines."""
        deadline_s = time.monotonic() + DEADLINE_S
        while len(self.lines) < count:
            assert time.monotonic() < deadline_s, self.lines
            time.sleep(0.01)


def start(*options, target="segmenter.js:Segmenter"):
    """Start the program; it need not come to serve anything."""
    return subprocess.Popen(
        ["node", "serve.js", target, *map(str, options)],
        cwd=FOLDER,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextlib.contextmanager
def serving(*options, target="segmenter.js:Segmenter"):
    """Serve a Work on a free port of loopback, or where the options say."""
    if reason_to_skip():
        pytest.skip(reason_to_skip())
    bind = () if "--bind" in options else ("--bind", "127.0.0.1:0")
    process = start(*bind, *options, "--json", target=target)
    served = Served(process)
    reader = threading.Thread(target=lambda: served.lines.extend(process.stdout), name="read", daemon=True)
    served._reader = reader
    try:
        line = process.stdout.readline()  # the deadline is the test's
        reader.start()
        assert line.startswith("{"), line
        told = json.loads(line)
        served.address, served.name, served.epoch = told["address"], told["name"], told["epoch"]
        yield served
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(DEADLINE_S)
        if reader.ident is not None:
            reader.join(DEADLINE_S)
        process.stdout.close()

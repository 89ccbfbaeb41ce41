"""Runs examples as users do: one command, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
STARTED = "INFO: Your app has started.\n"
DEADLINE_S = 50
_LEFT_DEADLINE_S = 15  # how long what belongs to an app may outlive it: the promise is 5 s; a loaded machine gets more
_SLOW_RUN = re.compile(r"^WARNING: the Flow's run has taken more than .*\n", re.MULTILINE)
_MARK = "LIGHTNING_GRPC_TEST_MARK"


@dataclass(frozen=True)
class Ran:
    """How an example went."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it printed, without empty lines."""
        return [line.rstrip() for line in self.out.splitlines() if line.strip()]


def without_slow_runs(said: str) -> str:
    """Return what an app has said without its warning of a slow run, which on a busy machine any run may be."""
    return _SLOW_RUN.sub("", said)


class Example:
    """One run of an example, whose processes are found by a mark in their environment wherever they have gone."""

    def __init__(self, name: str, *arguments: str) -> None:
        app = str(EXAMPLES / name / "app.py")
        self.command = [sys.executable, "-m", "lightning_grpc", "run", "app", app]
        if arguments:
            self.command += ["--", *arguments]
        self._mark = uuid.uuid4().hex
        self.environment = {**os.environ, _MARK: self._mark, "TERM": "xterm-256color"}

    def run(self) -> Ran:
        """Run it to its end, with pipes for a terminal."""
        done = subprocess.run(
            self.command,
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=DEADLINE_S,
            check=False,
        )
        return Ran(done.returncode, done.stdout, without_slow_runs(done.stderr))

    def end_what_is_left(self) -> list[str]:
        """Wait for its processes to end, end those that do not, and return the commands of those."""
        _, left = psutil.wait_procs([each for each in psutil.process_iter() if self._owns(each)], _LEFT_DEADLINE_S)
        commands = []
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended in the last moment
                commands.append(" ".join(process.cmdline()))
                process.kill()
        return commands

    def _owns(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(_MARK) == self._mark
        except (psutil.Error, OSError):
            return False

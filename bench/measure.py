"""Runs the sides of a case in turn, each in a process of its own, for a few rounds."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import psutil

from bench.case import OURS, RAW, Case, Measurement
from bench.peers import PEERS, ROOT

SIDE_DEADLINE_S = 50.0
"""A measurement that takes longer is given up."""
PEER_DEADLINE_S = 30.0
BUDGET_S = 55.0
"""A further round of a case is begun only if it is likely to end before this; if need be without the peers."""
MAX_ROUNDS = 5
QUICK_ROUNDS = 1


class SideError(Exception):
    """A measurement did not come about; says why."""


@dataclass
class Results:
    """What was measured for one case.

    Attributes:
        rounds: Per round, the measurement of each side that has one.
        failures: Why a side has none.
    """

    rounds: list[dict[str, Measurement]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def sides(self) -> list[str]:
        """The sides that were measured at least once."""
        return list(dict.fromkeys(side for each in self.rounds for side in each))


def measure(case: Case, peers: list[str], quick: bool, report: Callable[[int, str], None]) -> Results:
    """Measure a case in interleaved rounds: ours, raw, the peers, ours, raw, the peers, and so on.

    Args:
        case: The case.
        peers: The peers that are installed.
        quick: Whether one short round is enough.
        report: Told the round and the side that comes next.
    """
    commands = _commands(case, peers, quick)
    results = Results()
    took_s = dict.fromkeys(commands, 0.0)
    end_s = time.monotonic() + BUDGET_S
    for number in range(QUICK_ROUNDS if quick else MAX_ROUNDS):
        sides = _affordable(
            [side for side in commands if side not in results.failures], took_s, end_s - time.monotonic()
        )
        if not sides:
            break
        measured: dict[str, Measurement] = {}
        for side in sides:
            report(number + 1, side)
            begin_s = time.monotonic()
            command, environ = commands[side]
            try:
                measured[side] = _run(command, environ, PEER_DEADLINE_S if side in PEERS else SIDE_DEADLINE_S)
            except SideError as error:
                results.failures[side] = str(error)
            took_s[side] = time.monotonic() - begin_s
        results.rounds.append(measured)
    return results


def _affordable(sides: list[str], took_s: Mapping[str, float], left_s: float) -> list[str]:
    """Return the sides that another round may have in the time that is left: all, or all but the peers, or none."""
    for some in (sides, [side for side in sides if side not in PEERS]):
        if sum(took_s[side] for side in some) <= left_s:
            return some
    return []


def _commands(case: Case, peers: list[str], quick: bool) -> dict[str, tuple[list[str], Mapping[str, str] | None]]:
    options = ["--quick"] if quick else []
    own = [sys.executable, "-m", "bench.side", case.name]
    commands: dict[str, tuple[list[str], Mapping[str, str] | None]] = {OURS: ([*own, OURS, *options], None)}
    if case.raw is not None:
        commands[RAW] = ([*own, RAW, *options], None)
    for name in case.peers:
        if name in peers:
            peer = PEERS[name]
            command = [str(peer.python), "-m", f"bench.peers.{peer.script}", case.name, *options]
            commands[name] = (command, peer.surroundings())
    return commands


def _run(command: list[str], environ: Mapping[str, str] | None, deadline_s: float) -> Measurement:
    """Run one side and return what it printed; nothing of it is left afterwards.

    What it prints goes to files: a pipe would stay open as long as anything that the side has started.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=environ,
            stdout=output,
            stderr=errors,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            try:
                process.wait(deadline_s)
            except subprocess.TimeoutExpired:
                raise SideError(f"not done after {deadline_s:.0f} s") from None
            finally:
                _end(process)
        for file in (output, errors):
            file.seek(0)
        for line in reversed(output.read().splitlines()):
            if line.startswith("{"):
                result: dict[str, float] = json.loads(line)
                return result
        last = errors.read().strip().splitlines()[-1:] or ["without a word"]
        raise SideError(f"ended with {process.returncode}: {last[0]}")


def _end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """End a side's process, if it is still there, and all that it has started."""
    children: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()

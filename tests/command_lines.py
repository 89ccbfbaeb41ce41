"""Lines of the command line: executed in this process by click's runner, or in one of their own."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import subprocess
import sys

from click.testing import CliRunner

from lightning_grpc.cli.main import main

DEADLINE_S = 50


def line(*words, **options):
    """Execute a line in this process; the result has ``exit_code``, ``stdout`` and ``stderr``."""
    separate = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}
    return CliRunner(**separate).invoke(main, [str(word) for word in words], prog_name="lightning-grpc", **options)


def data_of(*words, **options):
    """The JSON that a line prints."""
    done = line(*words, **options)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout, parse_constant=lambda name: pytest_fail(f"{name} is no JSON"))


def pytest_fail(reason):
    raise AssertionError(reason)


@contextlib.contextmanager
def process(*words, **options):
    """A line in a process of its own, which ends with the block."""
    environment = {**os.environ, **options.pop("env", {})}
    with subprocess.Popen(
        [sys.executable, "-m", "lightning_grpc", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def command(*words, **options):
    """Execute a line in a process of its own; returns what `subprocess.run` does."""
    return subprocess.run(
        [sys.executable, "-m", "lightning_grpc", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        **options,
    )


def finished(*words, **options):
    """Execute a line in a process of its own; returns its exit code, what it printed, and what it said."""
    with process(*words, **options) as started:
        out, err = started.communicate(timeout=DEADLINE_S)
    return started.returncode, out, err

"""The example of commands, driven by the lines of its README."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from types import SimpleNamespace

import pytest
from example_runs import DEADLINE_S, ROOT, STARTED, without_slow_runs


@pytest.fixture
def session(example, tmp_path):
    """The example, running; and what runs a line beside it."""
    started = example("commands")
    runtime_directory = tempfile.mkdtemp(prefix="lgc")
    environment = {**started.environment, "XDG_RUNTIME_DIR": runtime_directory, "COLUMNS": "200"}
    app = subprocess.Popen(
        started.command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )

    def line(*words):
        command = [sys.executable, "-m", "lightning_grpc", *words]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=DEADLINE_S,
            check=False,
        )

    until_s = time.monotonic() + DEADLINE_S
    while line("commands").returncode != 0:
        assert app.poll() is None, app.communicate()
        assert time.monotonic() < until_s
    yield SimpleNamespace(app=app, line=line)
    if app.poll() is None:
        app.terminate()
        app.communicate(timeout=DEADLINE_S)
    shutil.rmtree(runtime_directory)


def test_commands_do_what_the_readme_says(session, tmp_path):
    line = session.line
    assert line("search", "--limit", "1000", "--limit", "5000").stdout == "searching below 1000, 5000\n"
    assert line("search", "--args", "limit=100").stdout == "searching below 1000, 5000, 100\n"
    assert "With --done, only what is known for good." in line("found", "--help").stdout
    expected = {"below_1000": 168, "below_5000": 669, "below_100": 25}
    until_s = time.monotonic() + DEADLINE_S
    while (found := json.loads(line("found", "--done", "--json").stdout)) != expected:
        assert found.items() <= expected.items()
        assert time.monotonic() < until_s
    wrong = line("search", "--limit", "ten")
    assert wrong.returncode == 2
    assert "takes an int, not 'ten'" in wrong.stderr
    failed = line("search", "--limit", "1")
    assert failed.returncode == 1
    assert "ValueError: a limit is at least 2, not 1" in failed.stderr
    (tmp_path / "limits.txt").write_text("10\n20\n", encoding="utf-8")
    by_file = line("search", "file", "--path", "limits.txt")
    assert by_file.stdout == "limits.txt has 2 limits\nsearching below 1000, 5000, 100, 10, 20\n"
    assert line("finish").returncode == 0
    out, err = session.app.communicate(timeout=DEADLINE_S)
    assert (session.app.returncode, out, without_slow_runs(err)) == (0, "Good bye.\n", STARTED)

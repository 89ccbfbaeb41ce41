"""The sweep is killed and resumed, and finds what it finds when it is left alone."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time

import pytest
from example_runs import DEADLINE_S, ROOT

from lightning_grpc.checkpoint.file import CheckpointFile
from lightning_grpc.errors import CheckpointError


@pytest.fixture
def sweep(example, tmp_path):
    """Return what makes a run of the sweep with a checkpoint, which has not begun."""

    def make():
        made = example("resumable_sweep")
        made.command += ["--checkpoint-dir", str(tmp_path / "sweep"), "--resume"]
        return made

    return make


def start(example):
    return subprocess.Popen(
        example.command, cwd=ROOT, env=example.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def trials_of(lines):
    return [line for line in lines if line.startswith("rate")]


def known(directory):
    """How many trials a checkpoint has the losses of."""
    try:
        file = CheckpointFile.open_to_read(directory)
    except CheckpointError:
        return 0  # killed before the first revision
    with contextlib.closing(file):
        return len(file.document_at(file.revisions()[-1])["vars"]["losses"])


@pytest.mark.timeout(240)  # about 10 s on a machine that has nothing else to do
def test_a_sweep_that_is_killed_and_resumed_finds_the_same(run_example, sweep, tmp_path):
    whole = run_example("resumable_sweep")
    assert whole.code == 0
    assert len(trials_of(whole.lines)) == 12
    assert whole.lines[-1] == "The best of 12 trials is rate 0.5, momentum 0.9."
    trials, done = trials_of(whole.lines), 0
    for _ in range(2):
        process = start(sweep())
        seen = []
        while len(trials_of(seen)) < 2 and (line := process.stdout.readline()):
            seen.append(line.rstrip())
        deadline_s = time.monotonic() + DEADLINE_S
        while known(tmp_path / "sweep") == done:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        process.kill()
        seen += process.communicate(timeout=DEADLINE_S)[0].splitlines()
        said = trials_of(seen)
        assert said == trials[done : done + len(said)]  # those that the checkpoint had not
        before, done = done, known(tmp_path / "sweep")
        assert before < done <= before + len(said)
    last = sweep().run()
    assert last.code == 0
    assert last.lines[-1] == whole.lines[-1]
    assert trials_of(last.lines) == trials[done:]
    state = [sys.executable, "-m", "lightning_grpc", "state"]
    losses = json.loads(
        subprocess.run(
            [*state, "--checkpoint", str(tmp_path / "sweep"), "--json", "root.losses"],
            capture_output=True,
            check=True,
            timeout=DEADLINE_S,
        ).stdout
    )
    assert [f"{name}: loss {loss:.4f}" for name, loss in losses.items()] == trials_of(whole.lines)

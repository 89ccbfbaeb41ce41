"""The example that is watched by the dashboard: one of its Works fails, the others come to their end."""

from __future__ import annotations

import subprocess

from example_runs import DEADLINE_S, ROOT


def test_four_trainers_succeed_and_the_one_that_learns_too_fast_fails(example):
    started = example("training", "--epochs", "60", "--pause-s", "0.001")
    done = subprocess.run(
        started.command,
        cwd=ROOT,
        env=started.environment,
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "All are trained; the best loss is 0.0" in done.stdout
    assert done.stdout.count("epoch 50: loss") == 4

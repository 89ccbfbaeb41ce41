"""An app that is killed at any point, resumed, killed again and so on ends as if it had never been killed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from lightning_grpc.checkpoint.file import CheckpointFile
from lightning_grpc.components.calls import LATEST
from lightning_grpc.errors import CheckpointError

APP = Path(__file__).parent / "resumable_app.py"
STARTING_S = 0.5  # about what the process takes until its app runs
RUNS = 25  # of the root Flow, of which each prints a line; the app has more than that
RUN_S = 0.01
DEADLINE_S = 40
GONE_WITHIN_S = 15
MARK = "LIGHTNING_GRPC_TEST_MARK"


class KilledApp:
    """Starts an app again and again, each time from its checkpoint."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.mark = uuid.uuid4().hex
        self.kills = self.rounds = 0
        self.killed_at = []
        self.output = ""

    def round(self, directory, kills):
        """Run the app to its end, killing it on the way until there were so many kills in all."""
        newest = 0
        self.rounds += 1
        while True:
            process = self.start(directory)
            try:
                said = self.kill_at_some_time(process) if self.kills < kills else ""
                self.output = said + process.communicate(timeout=DEADLINE_S)[0]
            finally:
                process.kill()
                process.communicate()
            newest = self.check(directory, newest)
            self.killed_at.append(newest)
            if process.returncode != -signal.SIGKILL:
                assert process.returncode == 0, self.output
                return

    def kill_at_some_time(self, process):
        """Kill the app while it starts, or, more often, while it runs; returns what it has said meanwhile."""
        said = ""
        after_s = self.random.uniform(0.0, STARTING_S)
        if self.random.random() < 0.75:
            runs = self.random.randrange(RUNS)
            while said.count("run\n") < runs and (line := process.stdout.readline()):
                said += line
            after_s = self.random.uniform(0.0, RUN_S)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(after_s)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            self.kills += 1
        return said

    def start(self, directory):
        command = [sys.executable, "-m", "lightning_grpc", "run", "app", str(APP), "--checkpoint-dir", str(directory)]
        return subprocess.Popen(
            [*command, "--resume"],
            env={**os.environ, MARK: self.mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def check(self, directory, newest):
        """Check that the checkpoint is sound and has lost nothing that it had; returns its newest revision."""
        try:
            file = CheckpointFile.open_to_read(directory)
        except CheckpointError:
            if newest:
                raise
            return 0  # killed before the first revision
        with contextlib.closing(file):
            assert file.check() == []
            revisions = file.revisions()
            assert revisions[0] == 1
            assert revisions[-1] >= newest
            assert file.document_at(revisions[-1])["app_state"]["stage"] in {"running", "stopping"}
            begun = [run.revision for run in file.runs()]
            assert begun == sorted(begun)
            return revisions[-1]

    def what_is_left(self):
        mine = [each for each in psutil.process_iter() if self._owns(each)]
        return psutil.wait_procs(mine, GONE_WITHIN_S)[1]

    def _owns(self, process):
        with contextlib.suppress(psutil.Error, OSError):
            return process.environ().get(MARK) == self.mark
        return False


def works_of(document):
    """Yield the documents of all Works in an app's."""
    yield from document.get("works", {}).values()
    for kind in ("flows", "structures"):
        for child in document.get(kind, {}).values():
            yield from works_of(child)


def assert_each_call_was_done_once(directory):
    with contextlib.closing(CheckpointFile.open_to_read(directory)) as file:
        document = file.document_at(file.revisions()[-1])
    effects = []
    for work in works_of(document):
        effects += work["vars"]["effects"]
        entries = [entry for key, entry in work["calls"].items() if key not in (LATEST, "start")]
        assert [entry["successes"] for entry in entries] == [1] * len(entries)
        assert len(work["vars"]["effects"]) == len(entries)
        assert work["vars"]["steps"] == dict.fromkeys(work["vars"]["effects"], 3)
    several = [f"{name} {n}" for name in ("blocking", "fixed", "stage") for n in range(4)]
    assert sorted(effects) == sorted([*several, "row 0", "row 1", "table b"])
    assert document["vars"]["passed"] == [0, 1, 2, 3]
    assert document["vars"]["removed"] == ["a"]


def kill_and_resume(directory, seed, kills):
    """Kill apps until there were so many kills, and let each come to its end."""
    app = KilledApp(seed)
    try:
        while app.kills < kills:
            app.round(directory / f"round {app.rounds}", kills)
            assert "all done" in app.output
            assert_each_call_was_done_once(directory / f"round {app.rounds - 1}")
        print(f"{app.kills} kills, {app.rounds} rounds, at revisions {app.killed_at}")
    finally:
        left = app.what_is_left()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    assert left == []


def kill_two_at_a_time(tmp_path, seeds, kills):
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(kill_and_resume, tmp_path / f"seed {seed}", seed, kills // 2) for seed in seeds]:
            done.result()


@pytest.mark.timeout(600)  # about 15 s on a machine that has nothing else to do
def test_an_app_that_is_killed_at_40_points_does_every_call_once(tmp_path):
    kill_two_at_a_time(tmp_path, (1, 2), 40)


@pytest.mark.slow
@pytest.mark.timeout(900)  # about 60 s, likewise
def test_an_app_that_is_killed_at_160_more_points_does_every_call_once(tmp_path):
    kill_two_at_a_time(tmp_path, (3, 4), 160)

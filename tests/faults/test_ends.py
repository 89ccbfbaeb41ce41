"""However an app or a Work ends, nothing is left behind (issue: Components, End)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

import psutil
import pytest

DEADLINE_S = 40
GONE_WITHIN_S = 15  # the promise is 5 s; a loaded machine gets more

APP = """
import os, sys, time, pathlib
import lightning_grpc as L

NOTES = pathlib.Path(sys.argv[1])

class Work(L.LightningWork):
    def __init__(self, how):
        super().__init__(parallel=True)
        self.how = how
        self.pid = 0
        self.count = 0
        self._notes = str(NOTES)
    def run(self):
        self.pid = os.getpid()
        if self.how == "helper":
            import subprocess
            subprocess.Popen(["sleep", "1000"])
        while True:
            try:
                time.sleep(0.01)
                self.count += 1
            except BaseException:
                if self.how != "stubborn":
                    raise
    def on_exit(self):
        with open(self._notes, "a") as notes:
            notes.write(f"exit {self.how}\\n")

class Done(L.LightningWork):
    def run(self):
        pass

class Flow(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.works_ = [Work(how) for how in ("plain", "stubborn", "helper")]
        self.done = Done()
        self.said = False
    def run(self):
        self.done.run()
        for work in self.works_:
            work.run()
        if all(work.count > 3 for work in self.works_) and not self.said:
            self.said = True
            print("up", *[work.pid for work in self.works_], flush=True)
        if len(sys.argv) > 2 and self.said:
            print("status", self.done.status.stage, flush=True)
            getattr(self, sys.argv[2])()

app = L.LightningApp(Flow())
"""


class RunningApp:
    def __init__(self, tmp_path, *arguments):
        script = tmp_path / "app.py"
        script.write_text(APP)
        self.notes = tmp_path / "notes"
        self.notes.touch()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lightning_grpc", "run", "app", str(script), "--", str(self.notes), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        assert line.startswith("up "), (line, self.process.poll() is not None and self.process.stderr.read())
        self.pids = [int(pid) for pid in line.split()[1:]]
        self.family = psutil.Process(self.process.pid).children(recursive=True)
        for pid in set(self.pids) - {member.pid for member in self.family}:  # an app that ends by itself is quick
            with contextlib.suppress(psutil.NoSuchProcess):
                self.family.append(psutil.Process(pid))

    def wait(self):
        return self.process.wait(DEADLINE_S)

    def wait_until_it_says(self, text):
        for line in self.process.stderr:  # the deadline is the test's
            if text in line:
                return
        raise AssertionError(f"it ended without saying {text!r}")

    def assert_nothing_is_left(self):
        _, alive = psutil.wait_procs(self.family, timeout=GONE_WITHIN_S)
        assert alive == []

    def exits(self):
        return sorted(self.notes.read_text().split("\n"))[1:]


@pytest.fixture
def start(tmp_path):
    apps = []

    def start_app(*arguments):
        apps.append(RunningApp(tmp_path, *arguments))
        return apps[-1]

    yield start_app
    for app in apps:
        for process in [*app.family, app.process]:
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                process.kill()
        app.process.communicate()


ALL_EXITS = ["exit helper", "exit plain", "exit stubborn"]


@pytest.mark.parametrize(("end", "code"), [("stop", 0), ("fail", 1)])
def test_an_app_that_ends_by_itself_leaves_nothing(start, end, code):
    app = start(end)
    assert app.wait() == code
    app.assert_nothing_is_left()
    assert app.exits() == ALL_EXITS


def test_ctrl_c_ends_in_order_with_130(start):
    app = start()
    app.process.send_signal(signal.SIGINT)
    assert app.wait() == 130
    app.assert_nothing_is_left()
    assert app.exits() == ALL_EXITS


def test_ctrl_c_twice_ends_at_once(start):
    app = start()
    os.kill(app.pids[0], signal.SIGSTOP)  # would hold up an end in order
    app.process.send_signal(signal.SIGINT)
    app.wait_until_it_says("being stopped")  # two signals that come at once are one
    app.process.send_signal(signal.SIGINT)
    assert app.wait() == 130
    app.assert_nothing_is_left()


def test_sigterm_ends_in_order_with_143(start):
    app = start()
    app.process.terminate()
    assert app.wait() == 143
    app.assert_nothing_is_left()
    assert app.exits() == ALL_EXITS


def test_a_killed_coordinator_leaves_nothing(start):
    app = start()
    app.process.kill()
    app.wait()
    app.assert_nothing_is_left()
    assert {"exit plain", "exit helper"} <= set(app.exits())


def test_a_killed_fork_server_leaves_nothing(start):
    app = start()
    servers = [member for member in app.family if member.ppid() == app.process.pid]
    assert len(servers) == 1
    servers[0].kill()
    assert app.wait() == 1
    app.assert_nothing_is_left()


def test_a_stopped_work_does_not_outlive_the_app(start):
    app = start()
    os.kill(app.pids[0], signal.SIGSTOP)
    app.process.terminate()
    assert app.wait() == 143
    app.assert_nothing_is_left()

"""Ends and oddities of users' code that once went wrong."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import lightning_grpc as L
from lightning_grpc.errors import WorkFailedError
from lightning_grpc.structures import Dict

DEADLINE_S = 40


def run_until(work_or_flow, body=None):
    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.work = work_or_flow

        def run(self):
            body(self)

    flow = Flow()
    L.LightningApp(flow).run()
    return flow


def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [38, 39, 40])
def test_the_deepest_values_cross_as_attributes_and_as_arguments(depth):
    class Deep(L.LightningWork):
        def __init__(self):
            super().__init__()
            self.given = nested(depth)
            self.taken = None

        def run(self, value):
            self.taken = value

    def body(flow):
        flow.work.run(nested(depth))
        flow.stop()

    flow = run_until(Deep(), body)
    assert flow.work.taken == flow.work.given == nested(depth)


def test_a_removed_work_runs_its_on_exit(tmp_path):
    class Leaver(L.LightningWork):
        def __init__(self):
            super().__init__(parallel=True)
            self.up = False

        def run(self):
            self.up = True
            time.sleep(1000)

        def on_exit(self):
            (tmp_path / "exit").touch()

    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.table = Dict(a=Leaver())

        def run(self):
            self.table["a"].run()
            if self.table["a"].up:
                del self.table["a"]
                self.stop()

    L.LightningApp(Flow()).run()
    assert (tmp_path / "exit").exists()


def test_a_call_of_a_removed_work_is_an_error():
    class Idle(L.LightningWork):
        def run(self):
            pass

    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.table = Dict(a=Idle())

        def run(self):
            self.table.pop("a").run()

    with pytest.raises(RuntimeError, match="was removed from the app"):
        L.LightningApp(Flow()).run()


def _double(number):
    return 2 * number


class Forker(L.LightningWork):
    """Uses processes of its own, forked off the Work's."""

    def __init__(self):
        super().__init__()
        self.results = []
        self.exit_codes = []

    def run(self):
        context = multiprocessing.get_context("fork")
        with context.Pool(2) as pool:
            self.results = pool.map(_double, [1, 2, 3])
        child = context.Process(target=time.sleep, args=(1000,))
        child.start()
        child.terminate()
        child.join(DEADLINE_S)
        self.exit_codes.append(child.exitcode)


def test_a_work_may_fork_processes_of_its_own():
    def body(flow):
        flow.work.run()
        flow.stop()

    flow = run_until(Forker(), body)
    assert flow.work.results == [2, 4, 6]
    assert flow.work.exit_codes == [-signal.SIGTERM]


def test_a_failed_on_start_fails_every_call_and_none_is_executed():
    class Lame(L.LightningWork):
        def __init__(self, **options):
            super().__init__(**options)
            self.ran = False

        def on_start(self):
            raise OSError("no legs")

        def run(self):
            self.ran = True

    def body(flow):
        flow.work.run()
        assert "no legs" in flow.work.status.message
        flow.stop()

    flow = run_until(Lame(raise_exception=False), body)
    assert flow.work.has_failed
    assert not flow.work.ran
    with pytest.raises(WorkFailedError, match="no legs"):
        run_until(Lame(), lambda flow: flow.work.run())


def test_a_work_that_is_still_starting_is_ended_with_the_app(tmp_path):
    class Slow(L.LightningWork):
        def __init__(self):
            super().__init__(parallel=True)
            self._slow = Sleeper()

        def run(self):
            pass

    def body(flow):
        if (tmp_path / "unpickling").exists():
            flow.stop()

    marker = str(tmp_path / "unpickling")

    class Sleeper:
        def __reduce__(self):
            return _sleep_long, (marker,)

    begin = time.monotonic()
    run_until(Slow(), body)
    assert time.monotonic() - begin < 500  # not the thousand seconds it would take


def _sleep_long(marker):
    open(marker, "w").close()
    time.sleep(1000)


def test_a_listener_that_raises_fails_the_app_in_order(tmp_path):
    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.number = 0

        def run(self):
            self.number += 1

    def listen(delta):
        raise LookupError("in the listener")

    app = L.LightningApp(Flow())
    app.add_delta_listener(listen)
    with pytest.raises(LookupError, match="in the listener"):
        app.run()
    assert app.stage.value == "failed"


def test_an_app_runs_on_another_thread_too():
    class Work(L.LightningWork):
        def run(self):
            pass

    def body(flow):
        flow.work.run()
        flow.stop()

    flows = []
    threads = [threading.Thread(target=lambda: flows.append(run_until(Work(), body))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert [flow.work.has_succeeded for flow in flows] == [True, True]


def run_script(tmp_path, text, *arguments):
    script = tmp_path / "script.py"
    script.write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "lightning_grpc", "run", "app", str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


SCRIPT = """
import pickle, threading
import lightning_grpc as L

class Record:
    pass

{more}

class Work(L.LightningWork):
    def __init__(self):
        super().__init__()
        self.name_ = ""
    def run(self):
        {run}

class Flow(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.work = Work()
    def run(self):
        self.work.run()
        print("result", self.work.name_)
        self.stop()

app = L.LightningApp(Flow())
"""


def test_a_class_of_the_app_file_can_be_pickled_in_the_work(tmp_path):
    text = SCRIPT.format(more="", run="self.name_ = type(pickle.loads(pickle.dumps(Record()))).__name__")
    done = run_script(tmp_path, text)
    assert done.stdout == "result Record\n", done.stderr


def test_a_lock_among_the_app_files_globals_is_no_obstacle(tmp_path):
    text = SCRIPT.format(more="LOCK = threading.Lock()", run='with LOCK: self.name_ = "locked"')
    done = run_script(tmp_path, text)
    assert done.stdout == "result locked\n", done.stderr


def test_a_flow_that_swallows_ctrl_c_ends_at_the_second(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import time\nimport lightning_grpc as L\n"
        "class Flow(L.LightningFlow):\n"
        "    def run(self):\n"
        "        word = 'up'\n"
        "        while True:\n"
        "            try:\n"
        "                print(word, end='\\n' if word else '', flush=True)\n"
        "                word = ''\n"
        "                time.sleep(1000)\n"
        "            except BaseException:\n"
        "                word = 'swallowed'\n"
        "app = L.LightningApp(Flow())\n"
    )
    app = subprocess.Popen(
        [sys.executable, "-m", "lightning_grpc", "run", "app", str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert app.stdout.readline() == "up\n"
        for _ in range(2):
            app.send_signal(signal.SIGINT)
            assert app.stdout.readline() == "swallowed\n"
        assert app.wait(DEADLINE_S) == 130
    finally:
        app.kill()
        app.communicate()


def test_a_work_ended_from_outside_fails_the_app():
    class Victim(L.LightningWork):
        def __init__(self):
            super().__init__(parallel=True)
            self.pid = 0

        def run(self):
            self.pid = os.getpid()
            time.sleep(1000)

    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.work = Victim()
            self.done = False

        def run(self):
            self.work.run()
            if self.work.pid and not self.done:
                self.done = True
                os.kill(self.work.pid, signal.SIGTERM)

    flow = Flow()
    with pytest.raises(WorkFailedError, match="interrupted"):
        L.LightningApp(flow).run()
    assert flow.work.has_stopped

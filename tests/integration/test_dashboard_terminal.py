"""The dashboard in a real pseudo-terminal: what the screen shows after each key, and how it is left."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys

import pytest
from served_apps import entry_of, until
from terminals import Terminal

import lightning_grpc as L

UP, DOWN, ESC, ENTER = "\x1b[A", "\x1b[B", "\x1b", "\r"

APP = """
import os
import time
import lightning_grpc as L

class Count(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True, raise_exception=False)
        self.count = 0
        self.total = 100_000
        self.title = "日本語 [bold]x[/bold] \\x1b[2J"

    def run(self):
        while self.count < self.total:
            self.count += 1
            if self.count == 3:
                print("three is reached")
            time.sleep(0.02)

class Fails(L.LightningWork):
    def run(self):
        raise ValueError("as it is meant to")

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.counter = Count()
        self.fails = Fails(parallel=True, raise_exception=False)
        self.said = ""
    def configure_commands(self):
        return [{"say": self.say}]
    def say(self, word: str):
        self.said = word
        if word == "wrongly":
            raise ValueError("nobody talks like that")
        deadline_s = time.monotonic() + 9
        while os.path.isabs(word) and not os.path.exists(word) and time.monotonic() < deadline_s:
            time.sleep(0.01)
        return os.path.basename(word).upper()
    def run(self):
        self.counter.run()
        self.fails.run()
        if self.schedule("yearly"):
            pass

app = L.LightningApp(Root())
"""


@pytest.fixture(scope="module")
def app_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("dashboard") / "counting.py"
    file.write_text(APP)
    return file


@contextlib.contextmanager
def running(app_file, name, *options):
    """The app in a process of its own; yields the process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lightning_grpc", "run", "app", str(app_file), "--name", name, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        until(lambda: entry_of(name), "the app is registered")
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.communicate(timeout=30)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def app(app_file):
    """An app that all tests look at which leave it as it is."""
    name = f"counting-{os.getpid()}"
    with running(app_file, name):
        with L.AppClient(name=name, timeout_s=30) as client:
            stages = {"root.counter": "running", "root.fails": "failed"}
            until(lambda: {each.name: each.stage for each in client.works()} == stages, "its Works are at it")
        yield name


def once(*words, **environment):
    """What the command prints where there is no terminal."""
    return subprocess.run(
        [sys.executable, "-m", "lightning_grpc", "dashboard", *words],
        capture_output=True,
        text=True,
        timeout=50,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
    )


def test_keys_show_what_they_say(app):
    with Terminal("dashboard", app) as terminal:
        terminal.shows("► running", "counter", "✗ failed", "said")
        assert terminal.screen.is_alternate
        assert not terminal.is_cooked
        terminal.press(":", "counter", ENTER).shows("total", "'日本語 [bold]x[/bold] \\x1b[2J'", "%")
        terminal.press("d").shows("values_changed: {\"root['vars']['count']\": {'new_value': ")
        terminal.press("l").shows("three is reached")
        terminal.press("w").shows("because", "state of root.counter: count")
        terminal.press("t").shows("yearly", "next firing")
        terminal.press("m").shows("say", "word: str")
        terminal.press(DOWN, "c").shows("ValueError: as it is meant to", "user_exception")
        terminal.press("?").shows("jump to a component")
        terminal.press(ESC).hides("jump to a component")
        terminal.press("v", "g", "/", "fai").shows("root.fails")
        terminal.press(ESC).hides("root.fails")
        terminal.press("p").shows("paused at revision")
        terminal.press("p").hides("paused at revision")
        terminal.press("\t", "z").hides("Components")
        terminal.press("q")
        assert terminal.ends() == 0
        assert not terminal.screen.is_alternate
        assert terminal.is_cooked
        assert b"\x1b[?25h" in terminal.heard


def test_the_screen_follows_its_size(app):
    with Terminal("dashboard", app, size=(80, 24)) as terminal:
        terminal.shows("counter")
        terminal.resize(200, 50)
        terminal.until(lambda: re.search("┓.*╮", terminal.lines[2]), "two boxes stand side by side")
        terminal.resize(40, 10)
        terminal.shows("too small: 40x10")
        terminal.resize(100, 30)
        terminal.shows("counter", "said")


@pytest.mark.parametrize(
    ("signum", "code"),
    [
        (signal.SIGTERM, 143),
        (signal.SIGQUIT, 131),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_it_and_the_terminal_is_as_before(app, signum, code):
    with Terminal("dashboard", app) as terminal:
        terminal.shows("counter")
        terminal.child.kill(signum)
        assert terminal.ends() == code
        assert not terminal.screen.is_alternate
        assert terminal.is_cooked


def broken_view(tmp_path):
    """A folder for PYTHONPATH with which every dashboard fails to draw its tree."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "def break_it():\n"
        "    import lightning_grpc.dashboard.view as view\n"
        "    def fail(*_): raise RuntimeError('the view is broken')\n"
        "    view.tree_box = fail\n"
        "import threading\n"
        "import importlib.abc\n"
        "class Finder(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'lightning_grpc.dashboard.terminal':\n"
        "            sys.meta_path.remove(self)\n"
        "            break_it()\n"
        "        return None\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    return str(tmp_path)


def test_a_crash_leaves_the_terminal_as_before_and_is_told(app, tmp_path):
    with Terminal("dashboard", app, PYTHONPATH=broken_view(tmp_path)) as terminal:
        assert terminal.ends() == 1
        assert not terminal.screen.is_alternate
        assert terminal.is_cooked
        terminal.shows("the view is broken")


@pytest.mark.parametrize(("how", "code"), [("key", 130), ("signal", 143)])
def test_an_app_goes_on_if_its_dashboard_crashes_and_what_it_prints_is_shown(app_file, tmp_path, how, code):
    name = f"crashing-{os.getpid()}"
    words = ("run", "app", str(app_file), "--name", name, "--dashboard")
    with Terminal(*words, PYTHONPATH=broken_view(tmp_path)) as terminal:
        terminal.shows("the dashboard has failed with RuntimeError: the view is broken. The app goes on")
        assert terminal.is_cooked
        terminal.shows("three is reached")
        until(lambda: entry_of(name), "the app is registered")
        if how == "key":
            terminal.press("\x03")
        else:
            terminal.child.kill(signal.SIGTERM)
        assert terminal.ends() == code
        terminal.shows("Your app is being stopped")
    assert entry_of(name) is None


def test_a_work_is_stopped_after_a_yes_and_the_end_of_the_app_keeps_its_last_state(app_file, tmp_path):
    name = f"stopping-{os.getpid()}"
    with running(app_file, name) as process, Terminal("dashboard", name) as terminal:
        terminal.shows("► running")
        terminal.press(":", "counter", ENTER, "s").shows("Stop root.counter?")
        terminal.press("n").hides("Stop root.counter?")
        terminal.press("s").shows("Stop root.counter?")
        terminal.press("y").shows("root.counter is ending")
        terminal.until(lambda: re.search("counter .*■ stopped", terminal.text), "it is stopped")
        terminal.press("r").shows("run>")
        terminal.press("sa", "\t", "word=hello", ENTER).shows("say is done: 'HELLO'")
        terminal.press("r", f"say word={tmp_path}/slowly", ENTER).shows("say is running ...")
        (tmp_path / "slowly").touch()
        terminal.shows("say is done: 'SLOWLY'")
        terminal.press("r", "say word=wrongly", ENTER).shows("failed with ValueError: nobody talks like that (m shows")
        terminal.press("m").shows("✗ say word=wrongly", "in say", 'raise ValueError("nobody talks like that")')
        terminal.press("r", "say", ENTER).shows("'word' is missing")
        process.terminate()
        terminal.shows("ended:", "counter")
        terminal.press("d", ENTER).shows("values_changed")
        terminal.press("q")
        assert terminal.ends() == 0


@pytest.mark.slow
def test_a_lost_connection_is_shown_and_the_state_goes_on_after_it(app_file):
    name = f"hanging-{os.getpid()}"
    with running(app_file, name) as process, Terminal("dashboard", name) as terminal:
        terminal.shows("► running")
        process.send_signal(signal.SIGSTOP)
        terminal.shows("connection lost", "? unreachable")
        process.send_signal(signal.SIGCONT)
        terminal.hides("connection lost")
        terminal.press(":", "counter", ENTER)

        def count():
            found = re.search(r"count +•? *int +(\d+)", terminal.text)
            return int(found.group(1)) if found else 0

        first = terminal.until(count, "the count is there")
        terminal.until(lambda: count() > first, "the count goes on")


def test_without_a_terminal_one_frame_is_printed(app):
    result = once(app)
    assert (result.returncode, result.stderr) == (0, "")
    assert "\x1b" not in result.stdout
    assert len(result.stdout.splitlines()) >= 24
    assert "► running" in result.stdout
    assert "✗ failed" in result.stdout


@pytest.mark.slow
def test_a_dumb_terminal_gets_one_frame(app):
    with Terminal("dashboard", app, TERM="dumb") as terminal:
        assert terminal.ends() == 0
        assert b"\x1b[?1049h" not in terminal.heard
        terminal.shows("counter", "resync")  # the last column: the frame is as wide as the terminal


def test_no_color_shows_it_without_colours(app):
    with Terminal("dashboard", app, NO_COLOR="1") as terminal:
        terminal.shows("counter", "▌")
        assert not re.search(rb"\x1b\[(?:\d+;)*(?:3\d|4\d|9\d)(?:;\d+)*m", terminal.heard)
        terminal.press("q")
        assert terminal.ends() == 0


def test_json_tells_all_that_is_known(app):
    result = once(app, "--json")
    assert result.returncode == 0
    told = json.loads(result.stdout)
    assert (told["schema"], told["name"]) == ("lightning-grpc/dashboard/1", app)
    by_name = {each["name"]: each for each in told["components"]}
    assert by_name["root.counter"]["stage"] == "running"
    assert by_name["root.counter"]["usage"]["pid"] > 0
    assert by_name["root.fails"]["reason"] == "user_exception"


def test_what_is_recorded_is_played_back(app, tmp_path):
    file = tmp_path / "seen.jsonl"
    with Terminal("dashboard", app, "--record", str(file)) as terminal:
        terminal.shows("► running", "✗ failed", "Δ/s")
        terminal.until(lambda: file.read_text().count("StateChanged") > 20, "some changes are recorded")
        terminal.press("q")
        assert terminal.ends() == 0
        terminal.shows("recorded:")
    result = once("--replay", str(file))
    assert "► running" in result.stdout
    with Terminal("dashboard", "--replay", str(file), "--speed", "50") as terminal:
        terminal.shows("► running", "✗ failed", "counter")
        terminal.press(":", "counter", ENTER, "s").shows("this is a recording: it cannot be changed")
        terminal.press("q")
        assert terminal.ends() == 0


def test_run_app_shows_its_dashboard_and_ends_with_it(app_file):
    with Terminal("run", "app", str(app_file), "--name", f"shown-{os.getpid()}", "--dashboard") as terminal:
        terminal.shows("► running", "counter")
        terminal.press("l").shows("three is reached")
        terminal.press("q")
        assert terminal.ends() == 130
        terminal.shows("Your app is being stopped")
        assert terminal.is_cooked
    assert entry_of(f"shown-{os.getpid()}") is None


@pytest.mark.slow
def test_run_app_tells_why_an_app_did_not_start(tmp_path):
    file = tmp_path / "broken.py"
    file.write_text("raise RuntimeError('no app here')\n")
    with Terminal("run", "app", str(file), "--dashboard") as terminal:
        terminal.shows("ended:", "exit code 1")
        terminal.press("l").shows("no app here")
        terminal.press("q")
        assert terminal.ends() == 1
        terminal.shows("no app here")


def test_mistakes_are_told():
    result = once("--replay", "/nowhere")
    assert result.returncode == 2
    assert "cannot be read" in result.stderr
    assert once("a", "--work", "b").returncode == 2


def test_what_is_no_recording_is_told_with_what_to_give(tmp_path):
    for name, content in (("words", b"no JSON\n"), ("bytes", b"\xff\xfe"), ("other", b"{}\n")):
        (tmp_path / name).write_bytes(content)
        result = once("--replay", str(tmp_path / name))
        assert result.returncode == 2
        assert result.stderr == (
            f"ERROR: {tmp_path / name} is no recording of a dashboard (lightning-grpc/recording/1); "
            "give a file that `dashboard --record FILE` has written\n"
        )
    assert "No such file or directory; give a file that" in once("--replay", str(tmp_path / "none")).stderr


def test_it_takes_the_terminal_again_when_it_goes_on_after_a_stop(app):
    with Terminal("dashboard", app) as terminal:
        terminal.shows("counter")
        terminal.child.kill(signal.SIGSTOP)
        terminal.cook()
        assert terminal.is_cooked
        terminal.child.kill(signal.SIGCONT)
        terminal.until(lambda: not terminal.is_cooked, "keys are taken one by one")
        terminal.press("?").shows("jump to a component")
        terminal.press("q").hides("jump to a component")
        terminal.press("q")
        assert terminal.ends() == 0
        assert terminal.is_cooked


def test_ctrl_c_leaves_the_dashboard_as_an_interrupt(app):
    with Terminal("dashboard", app) as terminal:
        terminal.shows("counter")
        terminal.press("\x03")
        assert terminal.ends() == 130
        assert terminal.is_cooked

"""Commands of a running app, from the command line and from Python: real processes, the real socket."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import pytest
from command_lines import command
from command_lines import line as line_here

import lightning_grpc as L
from lightning_grpc.errors import (
    AppEndedError,
    CommandArgumentError,
    CommandFailedError,
    FlowFailedError,
    RequestSuspendedError,
    UnknownCommandError,
)
from lightning_grpc.service.registry import running_apps

DEADLINE_S = 40

APP = '''
"""An app with all kinds of commands."""

import sys
import time
import threading

import lightning_grpc as L
import pydantic
from client_parts import Argued, Greet, Passed, Broken, Settings

class Config(pydantic.BaseModel):
    name: str
    size: int = 1

class Slow(L.LightningWork):
    def run(self):
        pass

class Child(L.LightningFlow):
    def configure_commands(self):
        return {"poke the child": self.poke}

    def poke(self):
        return self.name

class Flow(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.child = Child()
        self.late = L.structures.Dict()
        self.slow = Slow(parallel=False)
        self.names = []
        self._in_run = False
        self._thread = 0

    def run(self):
        self._in_run, self._thread = True, threading.get_ident()
        until = time.monotonic() + 0.005
        while time.monotonic() < until:
            pass
        self._in_run = False

    def configure_commands(self):
        mine = ("add", "listed", "make", "fails", "wrong", "blocks", "end", "fail_app", "leave", "is_between", "grow")
        return [
            {name: getattr(self, name) for name in mine},
            self.child.configure_commands(),
            {
                "greet": Greet(method=self.handle), "argued": Argued(method=self.handle_config),
                "passed": Passed(method=self.handle), "broken": Broken(method=self.handle),
            },
        ]

    def add(self, name: str, times: int = 1, loud: bool = False, *, tags: list[str] = ()):
        """Add a name.

        Several times, if you like.
        """
        self.names += [name.upper() if loud else name] * times
        return f"added {name} {times} times, {sorted(tags)}"

    def listed(self, limit: int | None = None):
        return {"names": self.names[:limit], "pair": (1, 2.5)}

    def make(self, config: Config):
        return config

    def fails(self):
        self.names.append("failing")
        raise KeyError("no such name")

    def wrong(self):
        return {1, 2}

    def blocks(self):
        self.slow.run()

    def end(self):
        self.stop("ended by a command")

    def fail_app(self):
        self.fail("failed by a command")

    def leave(self):
        sys.exit(7)

    def is_between(self):
        return not self._in_run and threading.get_ident() == self._thread

    def grow(self):
        self.late["one"] = Late()

    def handle(self, name: str, times: int = 1):
        return f"hello {name}" * times

    def handle_config(self, settings: Settings):
        return {"seen": settings.model_dump()}

class Late(L.LightningFlow):
    def configure_commands(self):
        return {"late": self.answer}
    def answer(self):
        return "better than never"

app = L.LightningApp(Flow(), idle_interval_s=0.05, service_address="127.0.0.1:0")
'''

CLIENT_PARTS = '''
"""The parts of commands that are executed at the client."""

import argparse
import os

import pydantic
from lightning_grpc.utilities.commands import ClientCommand

class Settings(pydantic.BaseModel):
    name: str
    size: int

class Greet(ClientCommand):
    """Has options of its own."""

    def run(self, first: str, last: str = "Doe", fail: bool = False):
        """Greet with two names."""
        if fail:
            raise ValueError("the client gave up")
        print("at the client", os.environ.get("AT_THE_CLIENT"))
        return self.invoke_handler(name=f"{first} {last}")

class Argued(ClientCommand):
    """Reads the command line itself, as it was done in Lightning Apps."""

    def run(self):
        parser = argparse.ArgumentParser()
        parser.add_argument("--name", required=True)
        parser.add_argument("--size", type=int, default=3)
        given = parser.parse_args()
        print(self.invoke_handler(config=Settings(name=given.name, size=given.size)))

class Passed(ClientCommand):
    def run(self, **arguments):
        print("passed", sorted(arguments))
        return self.invoke_handler(**arguments)

class Broken(ClientCommand):
    def run(self):
        return self.invoke_handler(nmae="x")
'''


class Running:
    """An app in a process of its own."""

    def __init__(self, folder, text=APP):
        self.folder = folder
        (folder / "app.py").write_text(text)
        (folder / "client_parts.py").write_text(CLIENT_PARTS)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lightning_grpc", "run", "app", str(folder / "app.py")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until_s = time.monotonic() + DEADLINE_S
        while self.entry is None:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < until_s, "the app does not serve"
            time.sleep(0.02)

    @property
    def entry(self):
        return next((each for each in running_apps() if each.pid == self.process.pid), None)

    def ended(self):
        """Wait for its end; returns its exit code, and what it printed and logged."""
        out, err = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, out, err

    def kill(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=DEADLINE_S)


@pytest.fixture(autouse=True)
def runtime_directory(monkeypatch):
    """A registry of this test's own, whose path is short enough for a socket."""
    path = tempfile.mkdtemp(prefix="lgc")
    monkeypatch.setenv("XDG_RUNTIME_DIR", path)
    monkeypatch.setenv("COLUMNS", "400")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def start(tmp_path):
    apps = []

    def start_app(text=APP, name="one"):
        folder = tmp_path / name
        folder.mkdir()
        apps.append(Running(folder, text))
        return apps[-1]

    yield start_app
    for app in apps:
        app.kill()


def line(*words, **options):
    """One line of the command line."""
    done = command(*words, **options)
    done.said = said(done)
    return done


def said(done):
    """What a line has said on stderr, without the frames that it drew."""
    return " ".join(done.stderr.replace("│", " ").split())


def state_of(client):
    return client.state["vars"]


def test_a_command_is_called_with_options_or_with_args_and_what_it_returns_is_printed(start):
    start()
    done = line("add", "--name", "ada", "--times", "2", "--loud", "--tags", "y", "--tags", "x")
    assert (done.returncode, done.stdout, done.stderr) == (0, "added ada 2 times, ['x', 'y']\n", "")
    done = line("add", "--args", "name=my_own_name")
    assert (done.returncode, done.stdout, done.stderr) == (0, "added my_own_name 1 times, []\n", "")
    done = line("listed")
    assert done.stdout == "{'names': ['ADA', 'ADA', 'my_own_name'], 'pair': (1, 2.5)}\n"
    done = line("listed", "--json", "--limit", "1")
    assert json.loads(done.stdout) == {"names": ["ADA"], "pair": [1, 2.5]}
    done = line("make", "--config", '{"name": "a", "size": 4}', "--json")
    assert json.loads(done.stdout) == {"name": "a", "size": 4}
    done = line("poke", "the", "child")
    assert done.stdout == "root.child\n"
    assert line("poke_the_child").stdout == "root.child\n"
    done = line("grow", "--json")
    assert (done.returncode, done.stdout) == (0, "null\n")
    assert line("late").stdout == "better than never\n"


def test_a_wrong_line_is_a_usage_error_and_the_app_does_not_hear_of_it(start):
    start()
    for words, says in [
        (["add"], "Missing argument 'name'"),
        (["add", "--name", "a", "--nome", "b"], "No such option"),
        (["add", "--name", "a", "--times", "two"], "takes an int, not 'two'"),
        (["add", "--name", "a", "--args", "colour=red"], "There is no argument 'colour'"),
        (["add", "--name", "a", "b"], "unexpected extra argument"),
        (["make", "--config", "{"], "takes JSON"),
        (["make", "--config", '{"size": 1}'], "does not fit: name: Field required"),
        (["ad"], "No such command 'ad': lightning-grpc itself has check, commands,"),
        (["ad"], "Did you mean add?"),
        (["run", "add", "--name", "a"], "No such command 'add'"),
        (["add", "--app", "x", "--app", "y", "--name", "a"], "--app is given twice"),
    ]:
        done = line_here(*words)  # a process for each would take long
        assert (done.exit_code, done.stdout) == (2, ""), words
        assert says in said(done)
    with L.AppClient() as client:
        assert state_of(client)["names"] == []


def test_without_an_app_an_unknown_command_is_a_usage_error_that_says_both(start):
    done = line("greet", "--name", "you")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command 'greet': lightning-grpc itself has check, commands," in done.said
    assert "no app of yours is running" in done.said
    assert line("commands").returncode == 2
    assert line("--help").returncode == 0


def test_several_apps_are_told_apart_by_their_names_and_addresses(start):
    one, two = start(name="one"), start(name="two")
    done = line_here("poke_the_child")
    assert done.exit_code == 2
    assert "2 apps are running; give the address" in said(done)
    assert "--app" in said(done)
    assert one.entry.address in said(done)
    assert line("add", "--name", "ada", "--app", two.entry.name).returncode == 0
    assert line_here("--app", "x", "add").exit_code == 2  # it stands behind the name
    names = {
        entry: json.loads(line("listed", "--json", f"--app={entry.address}").stdout)["names"]
        for entry in running_apps()
    }
    assert names == {one.entry: [], two.entry: ["ada"]}
    assert "no app called 'three' is running" in said(line_here("add", "--app", "three"))
    assert "--app takes the name or the address" in said(line_here("add", "--app"))


def test_help_and_the_list_tell_what_a_command_does_and_takes(start):
    start()
    done = line("add", "--help")
    said = " ".join(done.stdout.replace("│", " ").split())
    assert done.returncode == 0
    for words in (
        "Add a name.",
        "Several times, if you like.",
        "str; required",
        "--loud/--no-loud",
        "list[str]; repeatable",
    ):
        assert words in said
    done = line("commands")
    assert done.returncode == 0
    assert "add --name STR [--times INT] [--loud/--no-loud] [--tags STR ...]" in done.stdout
    assert "Add a name." in done.stdout
    listed = {each["name"]: each for each in json.loads(line("commands", "--json").stdout)}
    assert listed["poke the child"]["flow"] == "root.child"
    assert listed["make"]["parameters"][0]["json_schema"]["required"] == ["name"]
    assert [each["has_client_part"] for each in (listed["greet"], listed["add"])] == [True, False]
    assert listed["greet"]["usage"] == "greet ... (see --help)"


def test_an_exception_is_printed_with_its_traceback_and_the_app_goes_on(start):
    app = start()
    done = line("fails")
    assert (done.returncode, done.stdout) == (1, "")
    assert 'raise KeyError("no such name")' in done.stderr
    assert done.stderr.endswith("ERROR: the command fails failed with KeyError: 'no such name'\n")
    done = line("wrong")
    assert done.returncode == 1
    assert "root.wrong returned what cannot be sent" in done.stderr
    assert "Traceback" not in done.stderr
    with L.AppClient() as client:
        assert state_of(client)["names"] == ["failing"]  # what it wrote before stays, as in a run
        runs, until_s = client.describe().runs, time.monotonic() + DEADLINE_S
        while client.describe().runs == runs:
            assert time.monotonic() < until_s, "the root is not run any more"
    assert app.process.poll() is None


def test_a_command_that_calls_a_blocking_work_is_refused(start):
    app = start()
    done = line("blocks")
    assert done.returncode == 1
    assert "command blocks has called root.slow.run(), which blocks" in done.stderr
    assert app.process.poll() is None


def test_a_command_may_stop_the_app(start):
    app = start()
    assert line("end").returncode == 0
    code, out, err = app.ended()
    assert (code, out) == (0, "ended by a command\n")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("command", "error", "says", "code"),
    [
        ("fail_app", FlowFailedError, "command fail_app has called fail(): failed by a command", 1),
        ("leave", AppEndedError, "SystemExit", 7),
    ],
)
def test_a_command_may_fail_the_app_and_its_caller_hears_of_it(start, command, error, says, code):
    first, second = start(name="first"), start(name="second")
    done = line(command, "--app", first.entry.address)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ERROR: ")
    assert says in done.stderr
    assert first.ended()[0] == code
    with L.AppClient() as client, pytest.raises(error, match=re.escape(says)):
        client.run_command(command)
    assert second.ended()[0] == code


def test_commands_are_executed_between_two_runs_of_the_root_on_its_thread(start):
    start()
    with L.AppClient() as client:
        assert [client.run_command("is_between") for _ in range(50)] == [True] * 50


def test_python_hears_of_every_error_as_what_it_is(start):
    app = start()
    with L.AppClient() as client:
        assert client.run_command("add", name="ada", times=2) == "added ada 2 times, []"
        with pytest.raises(UnknownCommandError, match="no command 'ad'"):
            client.run_command("ad")
        with pytest.raises(CommandArgumentError, match=r"add: the argument 'name' is missing. Usage: add --name STR"):
            client.run_command("add")
        with pytest.raises(CommandArgumentError, match="the argument 'times' takes an int"):
            client.run_command("add", name="a", times=[1])
        with pytest.raises(CommandFailedError) as caught:
            client.run_command("fails")
        assert (caught.value.command, caught.value.remote_type) == ("fails", "KeyError")
        assert 'raise KeyError("no such name")' in caught.value.remote_traceback
        with pytest.raises(RequestSuspendedError):
            client.run_command("blocks")
    assert app.process.poll() is None


def test_a_client_command_with_named_parameters_has_them_as_options(start):
    start()
    done = line("greet", "--first", "Ada", "--last", "L.", env={**os.environ, "AT_THE_CLIENT": "yes"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "at the client yes\nhello Ada L.\n", "")
    done = line("greet")
    assert done.returncode == 2
    assert "Missing argument 'first'" in done.said
    done = line("greet", "--help")
    assert "Greet with two names." in done.stdout
    done = line("greet", "--first", "Ada", "--fail")
    assert done.returncode == 1
    assert 'raise ValueError("the client gave up")' in done.stderr


def test_a_client_command_may_read_the_command_line_itself(start):
    start()
    done = line("argued", "--name", "Ada")
    assert (done.returncode, done.stdout, done.stderr) == (0, "{'seen': {'name': 'Ada', 'size': 3}}\n", "")
    assert line("argued", "--name", "Ada", "--size", "4").stdout == "{'seen': {'name': 'Ada', 'size': 4}}\n"
    assert line("argued").returncode == 2
    assert "--size SIZE" in line("argued", "--help").stdout


def test_a_client_command_that_takes_anything_is_given_what_the_method_takes(start):
    start()
    done = line("passed", "--name", "Ada", "--times", "2")
    assert done.stdout == "passed ['name', 'times']\nhello Adahello Ada\n"
    assert line("passed", "--nome", "Ada").returncode == 2
    done = line("broken")
    assert done.returncode == 2
    assert "the argument 'nmae' is unknown" in done.said


def test_source_of_a_client_command_is_executed_only_for_apps_from_the_registry(start):
    app = start()
    _, tcp = app.entry.addresses
    assert line("add", "--name", "ada", "--app", tcp).returncode == 0
    done = line("greet", "--first", "Ada", "--app", tcp)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"whose source would come from {tcp}" in done.said
    done = line("greet", "--first", "Ada", "--app", app.entry.address)
    assert done.returncode == 0


def test_an_app_that_hides_a_built_in_command_does_not_begin(tmp_path):
    text = APP.replace('"poke the child": self.poke', '"run": self.poke')
    (tmp_path / "app.py").write_text(text)
    (tmp_path / "client_parts.py").write_text(CLIENT_PARTS)
    done = line("run", "app", str(tmp_path / "app.py"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ERROR: the command 'run' in root.")
    assert "is hidden by a command of lightning-grpc itself" in done.stderr

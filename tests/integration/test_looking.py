"""``state``, ``works``, ``logs``, ``commands``, ``ps``, ``stop``: what is shown of a running app, and its end."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from command_lines import DEADLINE_S, data_of, line, process
from served_apps import Board, Served, app_process, entry_of, until
from served_works import SMALL, serving

import lightning_grpc as L
from lightning_grpc.cli.works import Look, table
from lightning_grpc.service.descriptions import WorkDescription
from lightning_grpc.service.registry import running_works


@pytest.fixture
def served():
    with Served(Board(with_work=True)) as app:
        yield app


def said(done):
    """What a line has said, without the box around it."""
    return " ".join(done.stderr.replace("│", " ").split())


def test_the_state_is_a_tree_for_people_and_json_for_programs(served):
    name = served.app.name
    served.root.n = 5
    done = line("state", "root.leaf", "--app", name)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == f"root.leaf of {name}"
    assert "pair: (1, 2.0)" in done.stdout
    assert data_of("state", "root.leaf.table", "--json", "--app", name) == {"a": [1, 2, 3], "7": {"deep": None}}
    assert data_of("state", "root['flows']['leaf']['vars']['pair']", "--json", "--app", name) == [1, 2.0]
    assert set(data_of("state", "--json", "--app", name)) >= {"vars", "flows", "works", "structures"}


def test_what_is_not_there_is_told_with_what_is(served):
    done = line("state", "root.leaf.x", "--app", served.app.name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "ERROR: root.leaf has no 'x'; it has n, pair, table\n"
    done = line("logs", "nobody", "--app", served.app.name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Nothing in the app is called 'nobody'" in said(done)
    assert "root, root.step" in said(done)
    done = line("works", "--app", "nothing-like-it")
    assert done.exit_code == 2
    assert "no app called 'nothing-like-it' is running" in said(done)


def test_options_that_do_not_go_together_are_a_usage_error():
    assert "--at is a revision of a checkpoint" in said(line("state", "--at", "3"))
    assert "goes with neither --watch nor --app" in said(line("state", "--watch", "--checkpoint", "kept"))


def test_a_number_that_json_cannot_say_is_said_in_another_way(served):
    with served.client() as client:
        client.update("root.leaf.n", float("nan"))
    assert data_of("state", "root.leaf.n", "--json", "--app", served.app.name) == {"$float": "nan"}


@pytest.mark.parametrize("as_json", [False, True])
def test_each_change_is_a_line_in_the_form_of_deepdiff_until_the_app_ends(tmp_path, as_json):
    with app_process(tmp_path) as (_, name):
        until(lambda: entry_of(name), "the app is registered")
        with process("state", "root.n", "--watch", "--app", name, *(["--json"] if as_json else [])) as watching:
            first = watching.stderr.readline()
            assert f"Watching root.n of {name}" in first
            lines = []
            with L.AppClient(name=name) as client:
                for value in (1, 2, "three"):
                    client.update("root.leaf.n", value)  # which is not what is watched
                    client.update("root.n", value)
                    lines.append(watching.stdout.readline())
                client.stop()
            out, err = watching.communicate(timeout=DEADLINE_S)
    place = "root['vars']['n']"
    if as_json:
        found = [json.loads(each) for each in lines]
        assert {each["schema"] for each in found} == {"lightning-grpc/change/1"}
        assert [each["revision"] for each in found] == sorted({each["revision"] for each in found})
        changes = [each["changes"] for each in found]
        assert changes[2] == {"type_changes": {place: {"old_type": "int", "new_type": "str", "new_value": "three"}}}
    else:
        changes = [ast.literal_eval(re.sub(r"<class '(\w+)'>", r"'\1'", each)) for each in lines]
        assert changes[2]["type_changes"][place]["new_value"] == "three"
    assert changes[:2] == [{"values_changed": {place: {"new_value": value}}} for value in (1, 2)]
    assert (out, watching.returncode) == ("", 0)
    assert err == f"{name} has ended.\n"


def test_ctrl_c_ends_a_watch_quietly(served):
    with process("state", "root.n", "--watch", "--app", served.app.name) as watching:
        watching.stderr.readline()
        watching.send_signal(signal.SIGINT)
        assert watching.communicate(timeout=DEADLINE_S) == ("", "")
        assert watching.returncode == 130


def test_a_reader_that_has_enough_ends_a_watch_quietly(served):
    with process("state", "root.n", "--watch", "--app", served.app.name) as watching:
        watching.stderr.readline()
        watching.stdout.close()
        with served.client() as client:
            for value in range(1, 1000):
                client.update("root.n", value)
                if watching.poll() is not None:
                    break
        assert watching.wait(DEADLINE_S) == 141
        assert watching.stderr.read() == ""


def redirected(redirection, *words, **environment):
    """What becomes of a line whose stdout a shell has redirected."""
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", sys.executable, "-m", "lightning_grpc", *words],
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("words", [["ps", "--json"], ["check", "work", "--list"], ["completion", "bash"]])
def test_a_closed_stdout_is_nothing_to_be_told_of(words):
    done = redirected(">&-", *words)
    assert (done.returncode, done.stderr) == (141, "")


def test_words_are_told_and_nothing_else_goes_wrong_if_stdout_is_closed(tmp_path):
    done = redirected(">&-", "dashboard", "--replay", "/nowhere")
    assert done.returncode == 2
    assert done.stderr.startswith("ERROR: /nowhere cannot be read")
    assert "Traceback" not in done.stderr
    assert redirected(">&-", "--help").stderr == ""
    file = tmp_path / "printing.py"
    file.write_text(
        "import lightning_grpc as L\n"
        "class Root(L.LightningFlow):\n"
        "    def run(self):\n"
        "        print('something')\n"
        "        self.stop()\n"
        "app = L.LightningApp(Root())\n"
    )
    done = redirected(">&-", "run", "app", str(file))
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [["--help"], ["ps", "--json"], ["check", "work", "--list"], ["completion", "bash"]])
def test_what_cannot_be_written_is_told_in_a_sentence(words, unbuffered):
    done = redirected(">/dev/full", *words, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 1
    assert done.stderr == (
        "ERROR: what was printed cannot be written: No space left on device. "
        "Make room there, or have it written elsewhere.\n"
    )


@pytest.mark.parametrize("words", [["--help"], ["ps", "--json"], ["doctor"], ["completion", "bash"]])
def test_a_reader_that_is_gone_already_is_nothing_to_be_told_of(words):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "lightning_grpc", *words],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    os.close(writing)
    assert done.returncode in (1, 141)
    assert "BrokenPipe" not in done.stderr
    assert "Exception" not in done.stderr


def test_the_works_are_listed_with_how_they_fare(served):
    name = served.app.name
    with served.client() as client:
        until(lambda: client.works()[0].stage == "started", "the Work has the stage that it keeps")
    found = data_of("works", "--json", "--app", name)
    assert (found["schema"], found["app"]) == ("lightning-grpc/works/1", name)
    (work,) = found["works"]
    assert (work["name"], work["class_name"]) == ("root.step", "Step")
    done = line("works", "--app", name)
    heading, row = done.stdout.splitlines()[:2]
    assert heading.split() == ["name", "status", "runs", "revision", "lag", "pid", "memory", "address"]
    assert row.split()[0] == "root.step"
    assert work["stage"] in row


def test_a_works_memory_is_that_of_its_process(served):
    def find():
        return data_of("works", "--json", "--app", served.app.name)["works"][0]

    assert until(lambda: find()["memory_bytes"], "the Work has a process") > 1 << 20
    assert find()["pid"] > 1


def work(**changes):
    facts = {
        "name": "root.w", "class_name": "W", "stage": "running", "reason": "", "since_s": 1.0, "successes": 2, "pid": 7,
        "address": "unix:/s", "epoch": 1, "revision": 9, "lag_s": 0.0021, "resyncs": 0,
    }  # fmt: skip
    return WorkDescription(**{**facts, **changes})


@pytest.mark.parametrize(
    ("stage", "reason", "sign", "plain"),
    [
        ("running", "", "●", "*"),
        ("succeeded", "", "✓", "+"),
        ("failed", "user_exception", "✗", "x"),
        ("stopped", "", "■", "#"),
        ("not_started", "", "○", "o"),
        ("running", "unreachable", "?", "?"),
    ],
)
def test_a_status_is_told_by_a_sign_too_not_by_colour_alone(stage, reason, sign, plain):
    from rich.console import Console

    look = Look(1, (work(stage=stage, reason=reason),), (1 << 20,))
    for in_ascii, expected in ((False, sign), (True, plain)):
        console = Console(width=120, record=True, file=io.StringIO())
        console.print(table(look.works, look.memory_bytes, in_ascii=in_ascii))
        text = console.export_text()
        assert f"{expected} {stage}" in text
        assert ("(user_exception)" in text) == (reason == "user_exception")
        assert "1.0 MiB" in text
        assert "2.1 ms" in text


def test_works_are_watched_line_by_line_until_the_app_ends(tmp_path):
    with app_process(tmp_path, arguments="with_work=True") as (_, name):
        until(lambda: entry_of(name), "the app is registered")
        with process("works", "--watch", "--json", "--app", name) as watching:
            first = json.loads(watching.stdout.readline())
            assert first["works"][0]["name"] == "root.step"
            with L.AppClient(name=name) as client:
                client.stop()
            _, err = watching.communicate(timeout=DEADLINE_S)
    assert (watching.returncode, err) == (0, f"{name} has ended.\n")


class Talker(L.LightningFlow):
    """Prints, with a Work that does."""

    def __init__(self):
        super().__init__()
        self.leave = False
        self.speaker = Speaker()

    def go_on(self):
        """Nothing holds it up."""

    def run(self):
        self.speaker.run()
        if self.leave:
            self.stop()


class Speaker(L.LightningWork):
    """Prints."""

    def __init__(self):
        super().__init__(parallel=True)
        self.has_spoken = False

    def run(self):
        print("one")
        print("two é")
        self.has_spoken = True


@pytest.fixture
def talking():
    with Served(Talker()) as app:
        until(lambda: app.app.state["works"]["speaker"]["vars"]["has_spoken"], "the Work has spoken")
        yield app


def test_logs_are_lines_with_who_printed_them_or_without_if_one_is_asked_for(talking):
    name = talking.app.name
    lines = line("logs", "--app", name).stdout.splitlines()
    assert [each for each in lines if each.startswith("root.speaker")] == ["root.speaker | one", "root.speaker | two é"]
    assert all(each.startswith("root") for each in lines)
    assert line("logs", "speaker", "--tail", "1", "--app", name).stdout == "two é\n"
    lines = [json.loads(each) for each in line("logs", "root.speaker", "--json", "--app", name).stdout.splitlines()]
    assert [each["text"] for each in lines] == ["one", "two é"]
    assert {(each["schema"], each["component"], each["kind"]) for each in lines} == {
        ("lightning-grpc/log-line/1", "root.speaker", "stdout")
    }
    assert all(abs(each["at_s"] - time.time()) < 3600 for each in lines)


def test_logs_are_followed_until_the_app_ends(talking):
    with process("logs", "-f", "root.speaker", "--app", talking.app.name) as following:
        assert [following.stdout.readline() for _ in range(2)] == ["one\n", "two é\n"]
        with talking.client() as client:
            client.update("root.leave", True)
        out, err = following.communicate(timeout=DEADLINE_S)
    assert (following.returncode, out, err) == (0, "", f"{talking.app.name} has ended.\n")


def test_commands_as_json_say_what_they_are(served):
    found = data_of("commands", "--json", "--app", served.app.name)
    assert {each["schema"] for each in found} == {"lightning-grpc/command/1"}
    assert [each["name"] for each in found] == ["add", "fail", "name", "roar"]
    assert "schema" in data_of("ps", "--json")[0]


def test_stop_asks_and_needs_an_answer(served):
    name = served.app.name
    done = line("stop", name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "nobody can be asked here: give --yes" in said(done)
    assert entry_of(name).is_live


def test_stop_ends_the_app_in_order_and_returns_when_it_has_ended(tmp_path):
    with app_process(tmp_path) as (running, name):
        entry = until(lambda: entry_of(name), "the app is registered")
        done = line("stop", name, "--yes", "--reason", "enough", "--json")
        assert (done.exit_code, done.stderr) == (0, "")
        assert json.loads(done.stdout) == {"schema": "lightning-grpc/stop/1", "app": name, "has_ended": True}
        assert not entry.is_live
        out, _ = running.communicate(timeout=DEADLINE_S)
    assert running.returncode == 0
    assert "enough" in out
    assert line("stop", name, "--yes").exit_code == 2


def test_a_flow_that_does_not_answer_is_told_of_in_a_sentence(served, monkeypatch):
    monkeypatch.setattr("lightning_grpc.cli.connection.DEADLINE_S", 0.3)
    served.root.hold(1)
    with served.client() as client:
        client.update("root.n", 1)  # which has it run, and be held up
    until(served.root._entered.is_set, "the Flow is held up")
    done = line("works", "--app", served.app.name)
    assert done.exit_code == 1
    assert done.stderr.startswith("ERROR: ")
    assert len(done.stderr.splitlines()) == 1


def test_why_tells_of_the_newest_runs_and_what_caused_each(served):
    name = served.app.name
    with served.client() as client:
        client.update("root.n", 7)

    def find():
        seen = data_of("why", "--json", "--app", name)
        return "request" in {cause["kind"] for run in seen["runs"] for cause in run["causes"]} and seen

    found = until(find, "the run is told of")
    assert (found["schema"], found["app"]) == ("lightning-grpc/why/1", name)
    numbers = [run["number"] for run in found["runs"]]
    assert numbers == sorted(numbers)
    assert found["runs"][0]["causes"][0]["kind"] == "start"
    done = line("why", "-n", "2", "--app", name)
    heading, *rows = done.stdout.splitlines()
    assert heading.split() == ["run", "at", "took", "deltas", "because", "of"]
    assert len(rows) == 2


def test_why_is_answered_while_the_flow_is_busy(served):
    served.root.hold(1)
    with served.client() as client:
        client.update("root.n", 1)  # which has it run, and be held up
    until(served.root._entered.is_set, "the Flow is held up")
    done = line("why", "--app", served.app.name)
    assert done.exit_code == 0
    assert "A run is under way, for" in done.stderr


def test_one_work_is_ended_and_the_app_goes_on(talking):
    name = talking.app.name
    done = line("stop", name, "--work", "nobody", "--yes")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "the app has no Work 'nobody'; it has root.speaker" in said(done)
    assert line("stop", name, "--work", "speaker").exit_code == 2  # nobody to ask
    done = line("stop", name, "--work", "speaker", "--yes", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout) == {
        "schema": "lightning-grpc/stop/1",
        "app": name,
        "work": "root.speaker",
        "has_ended": True,
    }
    assert data_of("works", "--json", "--app", name)["works"][0]["pid"] == 0
    assert entry_of(name).is_live


def test_a_work_that_is_served_by_itself_is_listed_and_ended_by_its_name():
    with serving(f"{SMALL}:Counter", "--name", "lonely") as served:
        (found,) = [each for each in data_of("ps", "--json") if each["name"] == "lonely"]
        assert (found["schema"], found["kind"], found["stage"]) == ("lightning-grpc/work/1", "work", "serving")
        assert found["epoch"] == served.epoch
        assert (found["pid"], found["addresses"]) == (served.pid, [served.address])
        (row,) = [each for each in line("ps").stdout.splitlines() if each.startswith("lonely")]
        assert row.split()[:4] == ["lonely", "work", str(served.pid), "serving"]
        assert line("stop", "lonely").exit_code == 2  # nobody to ask
        done = line("stop", "lonely", "--yes", "--json")
        assert done.exit_code == 0, done.stderr
        assert json.loads(done.stdout)["works"] == ["lonely"]
        assert served.wait() == 0
    assert not [each for each in data_of("ps", "--json") if each["name"] == "lonely"]


def test_a_work_that_was_killed_is_not_listed_any_more():
    with serving(f"{SMALL}:Counter", "--name", "lonely") as served:
        assert [each for each in running_works() if each.names == ("lonely",)]
        served.kill()
        assert not [each for each in running_works() if each.names == ("lonely",)]


def test_a_work_is_served_even_if_it_cannot_be_listed(tmp_path):
    (tmp_path / "lightning-grpc").write_text("no directory")
    with serving(f"{SMALL}:Counter", env={"XDG_RUNTIME_DIR": str(tmp_path)}) as served:
        until(lambda: "`lightning-grpc ps` does not find this" in served.err, "it says so")
        assert served.process.poll() is None

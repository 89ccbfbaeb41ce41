"""``lightning-grpc state``: the state as it was, on the terminal and as JSON."""

from __future__ import annotations

import contextlib
import json
import os

import pytest
from command_lines import command
from screens import terminal

from lightning_grpc.checkpoint.file import CheckpointFile, Row, RunOfApp
from lightning_grpc.checkpoint.format import FILE_NAME
from lightning_grpc.checkpoint.rows import encode_changes
from lightning_grpc.state.delta import Set, Splice

DEADLINE_S = 50


def work(**attributes):
    return {"vars": {"_url": "", **attributes}, "calls": {"latest_call_hash": None}, "changes": {}}


@pytest.fixture
def checkpoint(tmp_path):
    document = {
        "vars": {"n": 1, "table": {"rows": [10, {"x": 1.5}], 7: (1, 2)}},
        "calls": {},
        "flows": {},
        "works": {"w": work(counter=0, text="[red]as it is")},
        "structures": {"rows": {"flows": {}, "works": {"0": work(counter=5)}}},
        "changes": {},
        "app_state": {"stage": "running"},
    }
    directory = tmp_path / "checkpoint"
    with contextlib.closing(CheckpointFile.open_to_write(directory)) as file:
        file.create("app.py", RunOfApp(1, 1, 1.0, 1, ""), document)
        for revision, change in enumerate(
            [
                Set(("works", "w", "vars", "counter"), 3),
                Splice(("vars", "table", "rows"), 0, 1, []),
                Set(("works", "w", "vars", "counter"), "done"),
            ],
            2,
        ):
            file.append([Row(revision, encode_changes(revision, [change]), 1.0)])
    return directory


def test_the_newest_state_is_shown_as_a_tree(checkpoint):
    done = command("state", "--checkpoint", checkpoint)
    assert done.returncode == 0, done.stderr
    lines = [line.strip("│├└─ ") for line in done.stdout.splitlines()]
    assert lines[0] == "app.py at revision 4 of 1 to 4"
    assert "counter: 'done'" in lines
    assert "text: '[red]as it is'" in lines
    assert "rows: [{'x': 1.5}]" in lines
    assert done.stderr == ""


def kept(directory, **variables):
    """A checkpoint whose root has these attributes."""
    document = {"vars": variables, "calls": {}, "flows": {}, "works": {}, "structures": {}, "changes": {}}
    with contextlib.closing(CheckpointFile.open_to_write(directory)) as file:
        file.create("app.py", RunOfApp(1, 1, 1.0, 1, ""), document)
    return directory


def test_keys_that_are_escape_sequences_or_lines_are_shown_and_do_nothing(tmp_path):
    directory = kept(tmp_path / "kept", key={"\x1b]0;PWNED\x07k": 1, "\x1b[5mb": {"a\nb": 2}})
    with terminal("state", "--checkpoint", directory, columns=100) as screen:
        assert screen.ended() == 0
        assert b"\x1b]0;" not in screen.raw
        assert b"\x1b[5m" not in screen.raw
        assert "\\x1b]0;PWNED\\x07k: 1" in screen.text
        assert "\\x1b[5mb" in screen.text
        assert "a\\nb: 2" in screen.text
    done = command("state", "--checkpoint", directory, "root.key.nothing")
    assert done.returncode == 2
    assert done.stderr == "ERROR: root.key has no 'nothing'; it has \\x1b[5mb, \\x1b]0;PWNED\\x07k\n"


def test_each_item_is_whole_for_a_program_and_on_a_line_that_fits_for_a_person(tmp_path):
    plain = {name: value for name, value in os.environ.items() if name != "COLUMNS"}  # which readline sets behind it
    directory = kept(tmp_path / "kept", s="x" * 95, rows=["y" * 30, "z" * 30, "end"])
    printed = command("state", "--checkpoint", directory, env=plain).stdout
    lines = [line.strip("│├└─ ") for line in printed.splitlines()]
    assert f"s: {'x' * 95!r}" in lines
    assert f"rows: {['y' * 30, 'z' * 30, 'end']}" in lines
    with terminal("state", "--checkpoint", directory, columns=60) as screen:
        assert screen.ended() == 0
        rows = [row for row in screen.rows if "s: " in row]
        assert len(rows) == 2
        assert all(len(row) == 60 and row.endswith(("x…", "z…")) for row in rows)


def test_an_older_state_is_shown_as_json(checkpoint):
    done = command("state", "--checkpoint", checkpoint, "--at", 2, "--json")
    state = json.loads(done.stdout)
    assert state["works"]["w"]["vars"]["counter"] == 3
    assert state["vars"]["table"] == {"rows": [10, {"x": 1.5}], "7": [1, 2]}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("root.w.counter", 3),
        ("w.counter", 3),
        ("root.rows.0.counter", 5),
        ("root.table.rows.1.x", 1.5),
        ("root.table.7", [1, 2]),
        ("works.w.vars.counter", 3),
        ("app_state.stage", "running"),
        ("root.w.calls", {"latest_call_hash": None}),
    ],
)
def test_a_part_of_it_is_named_as_in_the_app(checkpoint, path, value):
    done = command("state", "--checkpoint", checkpoint, "--at", 2, "--json", path)
    assert json.loads(done.stdout) == value, done.stderr


def test_the_word_show_may_be_given(checkpoint):
    assert command("state", "show", "--checkpoint", checkpoint, "root.n").stdout.splitlines()[-1] == "└── 1"


def test_what_two_revisions_differ_in_is_said_by_deepdiff(checkpoint):
    done = command("state", "diff", checkpoint, 1, 4)
    assert done.returncode == 0, done.stderr
    assert "\"root['works']['w']['vars']['counter']\"" in done.stdout
    assert "'new_value': 'done'" in done.stdout
    found = json.loads(command("state", "diff", checkpoint, 1, 2, "--json").stdout)
    assert found == {"values_changed": {"root['works']['w']['vars']['counter']": {"new_value": 3, "old_value": 0}}}
    assert command("state", "diff", checkpoint, 2, 2).stdout == "{}\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--at", "9"], 1, "revision 9 is not in the checkpoint, which has 1 to 4"),
        (["--at", "0"], 2, "--at"),
        (["root.w.nothing"], 2, "root.w has no 'nothing'; it has counter"),
        (["root.n.deeper"], 2, "root.n has no 'deeper'"),
    ],
)
def test_what_is_not_there_is_an_error(checkpoint, arguments, code, message):
    done = command("state", "--checkpoint", checkpoint, *arguments, env={**os.environ, "COLUMNS": "200"})
    assert done.returncode == code
    assert message in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_directory_without_a_checkpoint_is_an_error(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / FILE_NAME).write_text("something else" * 100)
    for directory, message in [(tmp_path, "there is no checkpoint"), (tmp_path / "other", "is not a checkpoint")]:
        for arguments in (["--checkpoint", directory], ["diff", directory, 1, 2]):
            done = command("state", *arguments)
            assert done.returncode == 1
            assert message in done.stderr
            assert "Traceback" not in done.stderr


APP = """
import lightning_grpc as L

class Flow(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.n = 0
    def run(self):
        self.n += 1
        if self.n % 3 == 0:
            self.stop(f"n is {self.n}")

app = L.LightningApp(Flow())
"""


def test_an_app_is_run_with_a_checkpoint_and_resumed_from_the_command_line(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    run = ["run", "app", "app.py", "--checkpoint-dir", "kept"]
    assert "n is 3" in command(*run, cwd=tmp_path).stdout
    refused = command(*run, cwd=tmp_path)
    assert refused.returncode == 1
    assert "there is a checkpoint of app.py already. Resume it (--resume" in refused.stderr
    resumed = command(*run, "--resume", cwd=tmp_path)
    assert "n is 6" in resumed.stdout, resumed.stderr
    assert "Your app is resumed from revision" in resumed.stderr
    assert json.loads(command("state", "--checkpoint", "kept", "--json", "root.n", cwd=tmp_path).stdout) == 6
    fresh = command("run", "app", "app.py", "--checkpoint-dir", "new", "--resume", cwd=tmp_path)
    assert "There is no checkpoint in new yet" in fresh.stderr
    assert "n is 3" in fresh.stdout


def test_a_checkpoint_of_an_app_that_has_run_by_itself_is_refused(tmp_path):
    (tmp_path / "app.py").write_text(APP + "\napp.run()\n")
    done = command("run", "app", "app.py", "--checkpoint-dir", "kept", cwd=tmp_path)
    assert done.returncode == 1
    assert "has run its app by itself" in done.stderr


def test_resume_without_a_directory_is_refused(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    done = command("run", "app", "app.py", "--resume", cwd=tmp_path)
    assert done.returncode == 1
    assert "checkpoint_dir" in done.stderr

"""Completion: the scripts, executed in real shells, and how they fare when no app answers."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_lines import DEADLINE_S, line
from pexpect import fdpexpect
from served_apps import Board, Served

PROGRAM = Path(sys.executable).with_name("lightning-grpc")
PATH = f"{PROGRAM.parent}:{os.environ['PATH']}"
PATIENCE = {"LIGHTNING_GRPC_COMPLETION_S": "40"}  # on a machine that is busy with other tests
BASH = """
set -e
source <(lightning-grpc completion bash)
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
compopt() {{ :; }}  # which may be called only while a person presses a key
{function} {program} "" ""
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def bash(*words, **environment):
    """What bash would complete the last of some words to, by the script that is printed for it."""
    quoted = " ".join(f"'{word}'" for word in ("lightning-grpc", *words))
    script = BASH.format(words=quoted, function="_lightning_grpc_completion", program=PROGRAM)
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        env={**os.environ, "PATH": PATH, **PATIENCE, **environment},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [word for word in done.stdout.splitlines() if word]


@pytest.fixture(scope="module")
def served():
    with Served(Board(with_work=True)) as app:
        yield app


def test_bash_completes_commands_of_the_command_line_and_of_the_running_app(served):
    assert bash("st") == ["state", "stop"]
    assert bash("a") == ["add"]
    assert bash("add", "--n") == ["--number"]
    assert {"--json", "--watch", "--app"} <= set(bash("works", "--"))


def test_bash_completes_what_there_is_in_the_running_app(served):
    leaf = ["root.leaf", "root.leaf.n", "root.leaf.pair", "root.leaf.table", "root.leave"]
    assert sorted(bash("state", "root.le")) == leaf
    assert sorted(bash("state", "root.step.")) == ["root.step.items", "root.step.n"]
    assert bash("state", "--app", served.app.name, "root.shelf.one.p") == ["root.shelf.one.pair"]
    assert bash("logs", "root") == ["root", "root.step"]
    assert bash("stop", served.app.name[:6]) == [served.app.name]


def test_without_an_app_there_is_nothing_to_complete_and_nothing_to_be_told_of(tmp_path):
    nowhere = {"XDG_RUNTIME_DIR": str(tmp_path)}
    assert bash("a", **nowhere) == []
    assert bash("state", "root.", **nowhere) == []
    assert bash("add", "--n", **nowhere) == []


def test_an_app_that_does_not_answer_is_not_waited_for(served):
    served.root.hold(1)
    try:
        with served.client() as client:
            client.update("root.n", 1)  # which has the Flow run, and be held up
        assert served.root._entered.wait(DEADLINE_S)
        assert bash("logs", "root.s", LIGHTNING_GRPC_COMPLETION_S="0.2") == []
        assert bash("a", LIGHTNING_GRPC_COMPLETION_S="0.2") == []
    finally:
        served.root.go_on()


@contextlib.contextmanager
def interactive_bash():
    """A bash in a terminal; it is not forked off this process, in which gRPC has threads."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PS1": "ready> ", "PATH": PATH, "TERM": "dumb", **PATIENCE}
    words = ["setsid", "--ctty", "bash", "--norc", "--noprofile", "-i"]
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shell = fdpexpect.fdspawn(ours, encoding="utf-8", timeout=DEADLINE_S)
    try:
        yield shell
    finally:
        process.kill()
        process.wait(DEADLINE_S)
        shell.close()


def test_bash_does_it_when_a_person_presses_tab(served):
    with interactive_bash() as shell:
        shell.expect_exact("ready> ")
        shell.sendline("bind 'set enable-bracketed-paste off'; source <(lightning-grpc completion bash); echo lo''aded")
        shell.expect_exact("loaded")
        shell.expect_exact("ready> ")
        shell.send("lightning-grpc state root.step.i\t")
        shell.expect_exact("root.step.items")


@pytest.mark.parametrize(
    ("shell", "says"),
    [
        ("zsh", ["#compdef lightning-grpc", "_LIGHTNING_GRPC_COMPLETE=zsh_complete", "compadd"]),
        ("fish", ["complete --no-files --command lightning-grpc", "_LIGHTNING_GRPC_COMPLETE=fish_complete"]),
    ],
)
def test_other_shells_have_scripts_too(shell, says, tmp_path):
    script = line("completion", shell).stdout
    for words in says:
        assert words in script
    if shutil.which(shell):
        (tmp_path / "script").write_text(script)
        subprocess.run([shell, "-n", str(tmp_path / "script")], check=True, timeout=DEADLINE_S)


@pytest.mark.parametrize("kind", ["zsh_complete", "fish_complete"])
def test_what_other_shells_ask_for_is_answered(served, kind):
    words, word = ("lightning-grpc state root.step.", "root.step.")
    done = subprocess.run(
        [PROGRAM],
        env={
            **os.environ,
            **PATIENCE,
            "_LIGHTNING_GRPC_COMPLETE": kind,
            "COMP_WORDS": words,
            "COMP_CWORD": word if kind == "fish_complete" else "2",
        },
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert "root.step.items" in done.stdout
    assert "list" in done.stdout
    assert done.stderr == ""


def test_a_shell_that_is_not_known_is_a_usage_error():
    done = line("completion", "tcsh")
    assert done.exit_code == 2
    assert "bash" in done.stderr

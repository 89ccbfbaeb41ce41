"""``--help``: every command in a panel, with examples that fit and whose commands are there."""

from __future__ import annotations

import shlex

import pytest
import rich_click as click
from command_lines import line

from lightning_grpc.cli.help import PROGRAM
from lightning_grpc.cli.main import main


def all_commands(group=main, words=()):
    yield words, group
    for name, command in getattr(group, "commands", {}).items():
        yield from all_commands(command, (*words, name))


COMMANDS = dict(all_commands())
everywhere = pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words) or "main")


@everywhere
def test_every_command_has_help_with_examples(words):
    done = line(*words, "--help", env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.stderr
    assert "Examples" in done.stdout
    assert f"{PROGRAM} " in done.stdout.partition("Examples")[2]
    assert max(map(len, done.stdout.splitlines())) <= 80


@everywhere
def test_the_examples_are_lines_that_can_be_parsed(words):
    for example, _ in COMMANDS[words].examples:
        wanted = shlex.split(example.partition(">")[0])
        found = main
        while isinstance(found, click.Group) and wanted and wanted[0] in found.commands:
            found = found.commands[wanted.pop(0)]
        if wanted[:1] == ["NAME"]:
            continue
        if isinstance(found, click.Group):
            assert found.parse_args(click.Context(found), list(wanted)) is not None
        else:
            found.make_context("x", list(wanted), resilient_parsing=False).close()
        assert found is not main, example


def test_every_command_stands_in_a_panel_of_its_kind():
    listed = [name for panel in click.rich_click.COMMAND_GROUPS[PROGRAM] for name in panel["commands"]]
    assert len(listed) == len(set(listed))
    assert set(main.commands) <= set(listed)
    shown = line("--help", env={"COLUMNS": "80"}).stdout
    for title in ("Run", "Look", "Set up and check"):
        assert f"─ {title} ─" in shown


def test_the_exit_codes_stand_in_the_help():
    shown = " ".join(line("--help", env={"COLUMNS": "80"}).stdout.split())
    for code in ("0 it was done", "1 it failed", "2 the command line is wrong", "130 Ctrl-C", "141 nobody read", "143"):
        assert code in shown


def test_nothing_is_told_of_an_error_but_one_sentence_unless_debug_is_given(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    done = line("state", "root.x")
    assert done.exit_code == 2
    assert done.stderr == "ERROR: no app of yours is running. Start one: lightning-grpc run app FILE\n"
    assert "Traceback" in line("--debug", "state", "root.x").stderr
    assert "Traceback" in line("state", env={"LIGHTNING_GRPC_DEBUG": "1"}).stderr


def test_an_error_of_ours_is_a_sentence_too(monkeypatch):
    def fail(**options):
        raise ZeroDivisionError("just so")

    monkeypatch.setattr("lightning_grpc.cli.ps.list_apps", fail)
    done = line("ps")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "itself failed with ZeroDivisionError: just so" in done.stderr
    assert "--debug" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in line("--debug", "ps").stderr


def test_ctrl_c_is_quiet(monkeypatch):
    def interrupt(**options):
        raise KeyboardInterrupt

    monkeypatch.setattr("lightning_grpc.cli.ps.list_apps", interrupt)
    done = line("ps")
    assert (done.exit_code, done.stdout, done.stderr) == (130, "", "")

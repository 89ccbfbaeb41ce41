"""The chat: two clients of one app talk to each other through its state."""

from __future__ import annotations

import subprocess
import sys
import time

from example_runs import DEADLINE_S, EXAMPLES, STARTED

from lightning_grpc.service.registry import running_apps

CHAT = EXAMPLES / "chat"
CONVERSATION = """\
ada: Are you there?
grace: Yes. What I write is an update of my desk's state.
ada: And I see it, because I watch the app's state.
grace: Neither of us knows where the other one is.
ada: Bye.
grace: Bye.
Both have left.
"""


def test_two_clients_talk_and_the_app_ends_when_both_have_left(example):
    run = example("chat")
    run.command = [sys.executable, str(CHAT / "conversation.py")]
    ran = run.run()
    assert (ran.code, ran.err) == (0, STARTED)
    assert ran.out == CONVERSATION


def test_the_readme_shows_what_the_conversation_prints():
    assert f"\n```text\n{CONVERSATION}```\n" in (CHAT / "README.md").read_text(encoding="utf-8")


def test_what_is_typed_is_said_and_what_others_say_is_shown(example):
    run = example("chat")
    options = {
        "env": run.environment,
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.DEVNULL,
        "encoding": "utf-8",
    }
    talk = [sys.executable, str(CHAT / "talk.py")]
    with subprocess.Popen(run.command, **options) as app:
        wait_until_registered()
        with subprocess.Popen([*talk, "ada"], **options) as ada, subprocess.Popen([*talk, "grace"], **options) as grace:
            say(ada, "Hello.")
            assert app.stdout.readline() == "ada: Hello.\n"
            for text in ("First.", "Second."):
                say(grace, text)
                assert ada.stdout.readline() == f"grace: {text}\n"
            say(ada, "Bye.")
            say(grace, "Bye.")
        assert app.stdout.read().endswith("Both have left.\n")
    assert (ada.returncode, grace.returncode, app.returncode) == (0, 0, 0)


def say(talker, text):
    talker.stdin.write(f"{text}\n")
    talker.stdin.flush()


def wait_until_registered():
    deadline_s = time.monotonic() + DEADLINE_S
    while not running_apps():
        assert time.monotonic() < deadline_s, "no app is registered"
        time.sleep(0.02)

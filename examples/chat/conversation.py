"""Starts the chat and two clients that talk to each other, and ends when they have left."""

import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import lightning_grpc as L
from lightning_grpc.errors import ConfigurationError

NAME = f"chat-{os.getpid()}"
SCRIPT = [
    ("ada", "Are you there?"),
    ("grace", "Yes. What I write is an update of my desk's state."),
    ("ada", "And I see it, because I watch the app's state."),
    ("grace", "Neither of us knows where the other one is."),
    ("ada", "Bye."),
    ("grace", "Bye."),
]


def connect():
    """Return a client of the app, as soon as it can be found."""
    deadline_s = time.monotonic() + 30
    while True:
        try:
            return L.AppClient(name=NAME)
        except ConfigurationError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)


def play(me):
    """Say each line of one's own when it is its turn."""
    lines = []
    with connect() as app:
        for change in app.watch():  # ends when the app does
            said = change.state["vars"]["conversation"]
            is_my_turn = len(said) < len(SCRIPT) and SCRIPT[len(said)][0] == me
            if is_my_turn and [text for name, text in said if name == me] == lines:
                lines.append(SCRIPT[len(said)][1])
                app.update(f"root.desks.{me}.lines", lines)


def main():
    """Run the app and both clients to their end, and return the app's exit code."""
    app = Path(__file__).with_name("app.py")
    command = [sys.executable, "-m", "lightning_grpc", "run", "app", str(app), "--name", NAME, "--no-server"]
    with subprocess.Popen(command) as process:
        clients = [Thread(target=play, args=(name,)) for name in ("ada", "grace")]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        return process.wait(30)


if __name__ == "__main__":
    sys.exit(main())

"""Works for the tests, in a module that imports next to nothing, because every Work's process imports it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import lightning_grpc as L


class Counter(L.LightningWork):
    """Counts to `n`."""

    def __init__(self, **options):
        super().__init__(**options)
        self.counter = 0

    def run(self, n=1):
        for _ in range(n):
            self.counter += 1


class Pair(L.LightningWork):
    """Writes `a`, then `b`, and keeps a list and its length, in a tight loop."""

    def __init__(self):
        super().__init__(parallel=True)
        self.a = 0
        self.b = 0
        self.items = []
        self.length = 0
        self.table = {"rows": {"x": 0, "y": 0}}

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(100):
                self.a += 1
                self.b = self.a
            if len(self.items) < 2000:
                self.items.append(self.a)
                self.length += 1
            self.table["rows"]["x"] += 1
            self.table["rows"]["y"] = self.table["rows"]["x"]


class Keeper(L.LightningWork):
    """Keeps what it is called with."""

    def __init__(self, **options):
        super().__init__(**options)
        self.value = None
        self.seen = []

    def run(self, *args, **kwargs):
        self.seen = [*self.seen, list(args)]
        self.value = kwargs.get("value", args[0] if args else None)


class Failing(L.LightningWork):
    """Fails in the way it is told to."""

    def __init__(self, **options):
        super().__init__(parallel=True, **options)
        self.before = 0
        self.items = []

    def run(self, how):
        self.before = 5
        if how == "raise":
            raise ValueError("the reason given")
        if how == "return":
            return 7
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "leave":
            os._exit(3)
        if how == "smuggle":
            self.items.append({1, 2})
        if how == "exit":
            sys.exit(4)
        return None


class Quiet(Failing):
    """Handles its exceptions itself."""

    def on_exception(self, exception):
        self.before = 6


class Hooks(L.LightningWork):
    """Notes its hooks in a file."""

    def __init__(self, file, **options):
        super().__init__(parallel=True, **options)
        self.file = str(file)
        self.pid = 0
        self.helper_pid = 0
        self.has_entered = False

    def note(self, word):
        with Path(self.file).open("a") as notes:
            notes.write(f"{word} {os.getpid()}\n")

    def on_start(self):
        self.pid = os.getpid()
        self.note("start")

    def run(self, how="wait"):
        self.note("run")
        if how == "helper":
            helper = subprocess.Popen(["sleep", "1000"])
            self.helper_pid = helper.pid
        self.has_entered = True
        while how != "done":
            try:
                time.sleep(0.01)
            except BaseException:
                if how != "stubborn":
                    raise

    def on_exit(self):
        self.note("exit")


class Locked(L.LightningWork):
    """Has a private attribute that cannot be pickled."""

    def __init__(self, step):
        super().__init__()
        self.counter = 0
        self._step = step
        self._lock = threading.Lock()

    def run(self):
        with self._lock:
            self.counter += self._step


class Talker(L.LightningWork):
    """Prints."""

    def run(self, text):
        print(text)
        print(f"{text} to stderr", file=sys.stderr)


class Nester(L.LightningWork):
    """Changes containers in place, without an assignment."""

    def __init__(self):
        super().__init__(parallel=True)
        self.table = {"a": {"b": 1}}
        self.items = [1, 2]

    def run(self, go_on):
        alias = self.table["a"]
        alias["b"] = 2
        self.items.append(3)
        wait_for(Path(go_on).exists, 30)
        self.items[0] = True


def wait_for(condition, seconds):
    """Wait until a condition holds, or the time is over; returns whether it held."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True

"""Works for the tests of what a Flow writes on a running Work."""

from __future__ import annotations

import sys
import time

import lightning_grpc as L

DEADLINE_S = 30


class Obedient(L.LightningWork):
    """Runs until it is told to end, and counts what it is told."""

    def __init__(self, receive_updates=True):
        super().__init__(parallel=True, receive_updates=receive_updates)
        self.speed = 0
        self.limits = {"low": 0, "high": [1, 2]}
        self.is_over = False
        self.heard = []
        self.own = 0

    def run(self):
        deadline = time.monotonic() + DEADLINE_S
        while not self.is_over and time.monotonic() < deadline:
            if not self.heard or self.heard[-1] != self.speed:
                self.heard.append(self.speed)
            time.sleep(0.001)


class Stubborn(Obedient):
    """Writes an attribute all the time, which the Flow writes too, and counts how often that was set to something."""

    def __init__(self):
        super().__init__()
        self.times_set = 0

    def run(self):
        deadline = time.monotonic() + DEADLINE_S
        while not self.is_over and time.monotonic() < deadline:
            wrote = self.own = self.own + 1
            time.sleep(0.0002)
            self.times_set += self.own != wrote


class Printing(L.LightningWork):
    """Prints what it is told."""

    def __init__(self, **options):
        super().__init__(parallel=True, **options)

    def on_start(self):
        print("started")

    def run(self, lines, error=""):
        for i in range(lines):
            print("line", i)
        if error:
            print(error, file=sys.stderr)

    def on_exit(self):
        print("goodbye")


class Listing(L.LightningWork):
    """Has a list, and no process unless it is called."""

    def __init__(self):
        super().__init__(parallel=True, start_with_flow=False)
        self.history = []

    def run(self):
        self.history.append(0)

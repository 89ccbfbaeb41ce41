"""Works for the tests of exactness, in a module that imports next to nothing, because every Work's process does."""

from __future__ import annotations

import random
import time
from pathlib import Path

import lightning_grpc as L

DEADLINE_S = 50


class Beating(L.LightningWork):
    """Says that it is alive, and what its digest is, more often than it need."""

    BEAT_S = 0.02

    def on_start(self):
        from lightning_grpc.wire import stream

        stream.BEAT_S = self.BEAT_S  # in this process only


class Edited(Beating):
    """Changes a nested state at random: by assignment and in place, through paths and aliases."""

    def __init__(self):
        super().__init__(parallel=True)
        self.number = 0
        self.text = ""
        self.items = []
        self.table = {"rows": {}, "log": []}
        self.mixed = None

    def run(self, seed, edits):
        choice = random.Random(seed)
        for _ in range(edits):
            self.edit(choice)

    def edit(self, choice):  # noqa: C901 - one case per edit
        alias = self.table["rows"]
        match choice.randrange(11):
            case 0:
                self.number += choice.choice([1, 2**70, -1])
            case 1:
                self.text = "é" * choice.randrange(20) + str(self.number)
            case 2:
                self.items.append(choice.choice([1, 1.0, True, None, "x", -0.0, 0.0]))
            case 3:
                del self.items[choice.randrange(len(self.items) + 1) :]
            case 4:
                self.items[:0] = [[choice.random()], {"k": (1, [2])}]
                del self.items[30:]
            case 5:
                alias[choice.choice([1, "1", "a.b", "'", '"', "__class__", ""])] = {"deep": {"er": choice.random()}}
            case 6 if alias:
                del alias[choice.choice(list(alias))]
            case 7 if alias:
                alias[choice.choice(list(alias))]["deep"] = [self.number, {"n": choice.randrange(9)}]
            case 8:
                self.table["log"][20:] = range(choice.randrange(30))
            case 9:
                self.table["log"].reverse()
            case _:
                self.mixed = choice.choice(
                    [None, 1, 1.0, float("nan"), True, "1", [], (), {}, {"a": [self.items[-1:]]}]
                )


class Restless(Edited):
    """Goes on changing until a file is there."""

    BEAT_S = 0.1

    def run(self, seed, until):
        choice = random.Random(seed)
        deadline = time.monotonic() + DEADLINE_S
        while not Path(until).exists() and time.monotonic() < deadline:
            for _ in range(20):
                self.edit(choice)
            time.sleep(0.001)  # the edits are not to outrun the proxy for good


class Lockstep(L.LightningWork):
    """Writes pairs flat out, `a` before `b` and each list before its length, until a file is there."""

    def __init__(self):
        super().__init__(parallel=True)
        self.a = 0
        self.b = 0
        self.items = []
        self.length = 0
        self.table = {"rows": {"x": 0, "y": 0}}
        self.copies = 0

    def run(self, until):
        deadline = time.monotonic() + DEADLINE_S
        while not Path(until).exists() and time.monotonic() < deadline:
            for _ in range(200):
                self.a += 1
                self.b = self.a
                self.items.append(self.a)
                self.length += 1
                self.table["rows"]["x"] += 1
                self.table["rows"]["y"] = self.table["rows"]["x"]
                self.copies = self.table["rows"]["y"]
                if self.length == 400:
                    self.length = 0
                    self.items = []

    def problem(self):
        """What of its state is no state that its program has been in; empty if it is one."""
        a, b, items, length = self.a, self.b, self.items, self.length
        x, y, copies = self.table["rows"]["x"], self.table["rows"]["y"], self.copies
        holds = (
            a - 1 <= b <= a
            and x - 1 <= y <= x <= a <= x + 1
            and y - 1 <= copies <= y
            # between `length = 0` and `items = []` the list is the full one, and its last item the newest `a`
            and (length <= len(items) <= length + 1 or (length, len(items)) == (0, 400))
            and (not items or a - 1 <= items[-1] <= a)
            and items == list(range(items[0], items[0] + len(items)) if items else [])
        )
        return "" if holds else f"{a=} {b=} {length=} {len(items)=} {items[-1:]=} {x=} {y=} {copies=}"


class Writer(L.LightningWork):
    """Writes large texts, or small numbers flat out until a file is there."""

    def __init__(self):
        super().__init__(parallel=True)
        self.number = 0
        self.text = ""

    def run(self, size, until="", deadline_s=DEADLINE_S):
        deadline = time.monotonic() + deadline_s
        self.text = str(self.number % 10) * size
        self.number += 1
        while until and not Path(until).exists() and time.monotonic() < deadline:
            for _ in range(50):
                self.text = "x" * size + str(self.number)
                self.number += 1


class Holder(L.LightningWork):
    """Assigns each of the values it is called with to an attribute of its own, and says when it has."""

    PLACES = 48

    def __init__(self):
        super().__init__(parallel=True)
        for number in range(self.PLACES):
            setattr(self, f"v{number}", None)

    def run(self, step, values):
        for number, value in enumerate(values):
            setattr(self, f"v{number}", value)


class Refused(L.LightningWork):
    """Assigns what state cannot hold, one after the other, and keeps what it is told."""

    def __init__(self):
        super().__init__(parallel=True)
        self.value = "before"
        self.errors = {}
        self.after = 0

    def run(self):
        nested = loop = []
        for _ in range(40):
            nested = [nested]
        loop.append(loop)
        offers = {
            "surrogate": "a\ud800",
            "surrogate inside": {"a": [("x", "\udfff")]},
            "surrogate key": {"\ud800": 1},
            "key": {1.5: 1},
            "bytes": [b"x"],
            "set": {1, 2},
            "depth": nested,
            "loop": loop,
            "subclass": [type("Int", (int,), {})(1)],
        }
        for name, value in offers.items():
            try:
                self.value = value
            except AttributeError as error:
                self.errors = {**self.errors, name: str(error)}
        self.after = 1

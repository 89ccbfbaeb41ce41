"""Works and Flows that the tests of checkpoints run and resume."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from sample_works import wait_for

import lightning_grpc as L
from lightning_grpc.structures import Dict, List


class Noted(L.LightningWork):
    """Notes each of its executions in a file; `how` says how one goes."""

    def __init__(self, file, **options):
        super().__init__(**options)
        self.file = str(file)
        self.progress = 0
        self.left_with = ""

    def run(self, how="well", n=0):
        with Path(self.file).open("a") as notes:
            notes.write(f"{self.name} {how} {n} from {self.progress}\n")
        file = Path(how.partition(" ")[2])
        if how.startswith("waits"):
            try:
                self.progress += 1  # in here: who sees it may interrupt the run
                wait_for(file.exists, 30)
            except BaseException:
                self.left_with = "a word"
                raise
            return
        self.progress += 1
        if how.startswith("fails") and not file.exists():
            raise ValueError("as told")


class Driven(L.LightningFlow):
    """Has a few Works and does what a function says."""

    def __init__(self, file, body, **options):
        super().__init__()
        self.work = Noted(file, **options)
        self.table = Dict()
        self.rows = List()
        self.late = None
        self.n = 0
        self.log = []
        self._file = file
        self._body = body

    def run(self):
        self._body(self)

    def new_work(self, **options):
        return Noted(self._file, **{"parallel": True, **options})


class Late(L.LightningFlow):
    """A Flow that is attached in a run."""

    def __init__(self, file):
        super().__init__()
        self.work = Noted(file, parallel=True)
        self.seen = 0


class Reattaching(Driven):
    """Attaches again what was attached in a run."""

    def load_state_dict(self, flow_state, children_states, strict=True):
        for name in sorted(children_states):
            place, _, key = name.partition(".")
            if name == "late":
                self.late = Late(self._file)
            elif place == "table":
                self.table[key] = self.new_work()
            elif place == "rows":
                self.rows.append(self.new_work(), number=int(key))
        super().load_state_dict(flow_state, children_states, strict)


class Lingering(L.LightningWork):
    """Takes its time to end."""

    def __init__(self):
        super().__init__(parallel=True)
        self.value = 0
        self.seen = []

    def run(self, value):
        self.value = value
        self.seen.append(value)

    def on_exit(self):
        with contextlib.suppress(BaseException):
            time.sleep(0.3)  # the old process is there while the new one begins
        self.value = -1

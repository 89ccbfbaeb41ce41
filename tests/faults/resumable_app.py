"""An app with all that a resume must bring back; it ends when each of its calls has succeeded.

Effects are kept by call, as a Work does that may be executed again: see docs/checkpoints.md.
"""

import time

import lightning_grpc as L
from lightning_grpc.structures import Dict, List

CALLS = 4
STEPS = 3


class Stepper(L.LightningWork):
    """Does a call in steps, and goes on from the last one when it is executed again."""

    def __init__(self, **options):
        super().__init__(**options)
        self.steps = {}
        self.effects = []

    def run(self, key):
        for step in range(self.steps.get(key, 0), STEPS):
            time.sleep(0.003)
            self.steps[key] = step + 1
        if key not in self.effects:
            self.effects.append(key)


class Stage(L.LightningFlow):
    """A Flow that comes later, with a Work of its own."""

    def __init__(self):
        super().__init__()
        self.stepper = Stepper(parallel=True)
        self.begun = 0

    def run(self):
        self.begun = min(self.begun + 1, CALLS)
        for n in range(self.begun):
            self.stepper.run(f"stage {n}")


class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.fixed = Stepper(parallel=True)
        self.blocking = Stepper()
        self.table = Dict()
        self.rows = List()
        self.stage = None
        self.passed = []
        self.removed = []

    def run(self):
        print("run", flush=True)
        self.run_fixed()
        self.attach()
        for key, work in list(self.table.items()):
            work.run(f"table {key}")
            if key == "a" and work.has_succeeded:
                self.removed.append(key)
                del self.table[key]
        for index, work in enumerate(self.rows):
            work.run(f"row {index}")
        self.stage.run()
        done = {"fixed": CALLS, "blocking": CALLS, "stage.stepper": CALLS, "table.b": 1, "rows.0": 1, "rows.1": 1}
        works = {work.name.removeprefix("root."): work.num_successes for work in self.works()}
        if works == done:
            self.stop("all done")

    def run_fixed(self):
        for n in range(CALLS):
            self.blocking.run(f"blocking {n}")
            if n not in self.passed:
                self.passed.append(n)
            self.fixed.run(f"fixed {n}")

    def attach(self):
        for key in ("a", "b"):
            if key not in self.removed and key not in self.table:
                self.table[key] = Stepper(parallel=True)
        while len(self.rows) < 2:
            self.rows.append(Stepper(parallel=True))
        if self.stage is None:
            self.stage = Stage()

    def load_state_dict(self, flow_state, children_states, strict=True):
        for name in sorted(children_states):
            place, _, key = name.partition(".")
            if place == "table":
                self.table[key] = Stepper(parallel=True)
            elif place == "rows":
                self.rows.append(Stepper(parallel=True), number=int(key))
            elif name == "stage":
                self.stage = Stage()
        super().load_state_dict(flow_state, children_states, strict)


if __name__ == "__main__":
    app = L.LightningApp(Root())

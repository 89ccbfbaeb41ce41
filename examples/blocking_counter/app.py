"""An uncached, blocking Work counts its own runs; the Flow prints the state of the whole tree after each."""

from lightning_grpc import LightningApp, LightningFlow, LightningWork
from lightning_grpc.utilities.app_helpers import pretty_state

RUNS = 5


class Work(LightningWork):
    def __init__(self):
        super().__init__(cache_calls=False)
        # Attributes are registered automatically in the state.
        self.counter = 0

    def run(self):
        # Incrementing an attribute gets reflected in the `Flow` state.
        self.counter += 1


class Flow(LightningFlow):
    def __init__(self):
        super().__init__()
        self.w = Work()

    def run(self):
        if self.w.has_started:
            print(f"State: {pretty_state(self.state)} \n")
        if self.w.counter == RUNS:
            self.stop()
        self.w.run()


app = LightningApp(Flow())

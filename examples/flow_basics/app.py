"""A Flow: attributes that are state, Flows and Works below it, and a state that is saved and loaded again."""

from lightning_grpc import LightningApp, LightningFlow, LightningWork
from lightning_grpc.utilities.app_helpers import pretty_state


class Work(LightningWork):
    def __init__(self):
        super().__init__()
        self.counter = 0

    def run(self, times):
        for _ in range(times):
            self.counter += 1


class Stage(LightningFlow):
    """A Flow below the root; it is run because the root's run calls it."""

    def __init__(self, times):
        super().__init__()
        self.times = times
        self.w = Work()

    def run(self):
        self.w.run(self.times)


class RootFlow(LightningFlow):
    def __init__(self):
        super().__init__()
        self.counter = 0
        self.names = []
        self.stage = Stage(times=3)

    def run(self):
        self.counter += 1
        self.stage.run()  # a blocking Work suspends this run until it is done
        if not hasattr(self, "w"):
            self.w = Work()  # a component may be attached while the app runs; other new attributes may not
        self.w.run(4)
        self.names = [name for name, _ in self.named_works()]
        self.show()
        self.stop("The Flow has stopped the app.")

    def show(self):
        print(f"flows: {list(self.flows)}")
        print(f"works: {self.names}, its own: {[work.name for work in self.works(recurse=False)]}")
        print(f"state: {pretty_state(self.state)}")
        try:
            self.result = 7
        except AttributeError as error:
            print(f"AttributeError: {error}")
        self.save_and_load()

    def save_and_load(self):
        """Load this Flow's state into other, newly made Flows."""
        saved = self.state_dict()  # the Flow's own, without its children
        children = {
            "stage": self.stage.state_dict(),
            "stage.w": self.stage.w.state,
            "w": self.w.state,
        }
        reloaded = ReloadingFlow()
        reloaded.load_state_dict(saved, children)
        print(f"loaded: {pretty_state(reloaded.state)}")
        print(f"loaded equals saved: {reloaded.state == self.state}")
        try:
            RootFlow().load_state_dict(saved, children)
        except ValueError as error:
            print(f"ValueError: {error}")
        RootFlow().load_state_dict(saved, children, strict=False)


class ReloadingFlow(RootFlow):
    """Attaches again, before its state is loaded, what `run` had attached."""

    def load_state_dict(self, flow_state, children_states, strict=True):
        self.w = Work()
        super().load_state_dict(flow_state, children_states, strict)


app = LightningApp(RootFlow())

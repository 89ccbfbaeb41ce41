"""A backend that only knows the time and the passes of the root; both move when a test says so."""

from __future__ import annotations

from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.signals import FlowSuspended


class Passes:
    """Runs a root, and keeps what its Flows ask for by the clock."""

    def __init__(self, root, now=0.0):
        self.root = root
        self.now = now
        self.turn = 1
        self.wake_ups = {}
        self.acts = {}
        self.mark = 0
        root.__dict__["_backend"] = self

    def wake_at(self, component, what, time_s):
        self.wake_ups[component.name, what] = time_s

    def when_completed(self, component, what, act, is_past=None):
        self.acts[component.name, what] = act

    def settle(self, mark):
        pass

    def attached(self, node):
        pass

    def run(self, at=None):
        """Run the root once; returns what its run has returned, or None if it was left early."""
        self.now = self.now if at is None else at
        try:
            result = self.root.run()
        except FlowSuspended:
            return None
        finally:
            self.turn += 1
            acts, self.acts = self.acts, {}
        for act in acts.values():
            act()
        return result

    def moved_to(self, root):
        """Load the root's state into a new one, as after a restart; returns that one's passes."""
        root.load_state_dict(self.root.state_dict(), {})
        return Passes(root, self.now)


class Flow(LightningFlow):
    """Runs a function as its run."""

    def __init__(self, body=None, **attributes):
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)
        self._body = body

    def run(self):
        return self._body(self)

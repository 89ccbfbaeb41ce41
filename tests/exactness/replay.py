"""An app that keeps, beside its own state, what becomes of it when its deltas are applied one by one."""

from __future__ import annotations

from deepdiff import Delta
from strategies import fingerprint

import lightning_grpc as L
from lightning_grpc.state.delta import apply
from lightning_grpc.state.public import to_public
from lightning_grpc.state.values import copy

ATTRIBUTE = 4
"""Keys of a path down to a Work's attribute: works, its name, vars, the attribute's name."""


def _heard(part):
    """The same part of a delta, as one has it who was told: no nan in it is one that is known already."""
    if isinstance(part, dict):
        return {key: _heard(item) for key, item in part.items()}
    if isinstance(part, list | tuple):
        return type(part)(map(_heard, part))
    return float("nan") if part != part else part


class ReplayedApp(L.LightningApp):
    """Applies every delta twice, as it is and by DeepDiff, and compares the two states after each.

    Attributes:
        exact: The state that the changes themselves make.
        public: The state that DeepDiff makes of their public form.
        deltas: Their public forms, in order.
        unsaid: What was told to be beyond DeepDiff: paths, as lists of keys.
    """

    def __init__(self, root, **options):
        super().__init__(root, **options)
        self.exact = copy(self.state)
        self.public = copy(self.state)
        self.deltas = []
        self.unsaid = []
        self._problems = []

    def run(self, runtime=None):
        """Run the app to its end; what came apart on the way is told then, however late it was."""
        super().run(runtime)
        if self._problems:
            raise self._problems[0]

    def _publish(self, deltas):
        super()._publish(deltas)
        try:
            for changes in deltas:
                self._replay(changes)
        except Exception as problem:
            self._problems.append(problem)
            raise

    def _replay(self, changes):
        apply(self.exact, changes)
        delta = to_public(changes)
        unsaid = delta.pop("unrepresentable", [])
        if delta:
            self.public += Delta(_heard(delta), raise_errors=True)
        for path in unsaid:
            self._catch_up(path[:ATTRIBUTE])
        self.deltas.append(delta)
        self.unsaid += unsaid
        assert fingerprint(self.public) == fingerprint(self.exact), delta

    def _catch_up(self, path):
        """Take over one attribute for which the public form says that DeepDiff cannot."""
        exact, public = self.exact, self.public
        for key in path[:-1]:
            exact, public = exact[key], public[key]
        public[path[-1]] = copy(exact[path[-1]])

    def kinds(self):
        return {kind for delta in self.deltas for kind in delta}

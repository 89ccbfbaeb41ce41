"""What follows from what has happened: the coordinator without I/O.

`Tick` is told everything: events from the supervisor, what Flows ask for, the beginning and end of each
run of the root. It answers with commands for the supervisor, with deltas of the app's document, and with
whether the root is to be run again. It reads no clock; `now` comes in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lightning_grpc.components.component import Component, Node
from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.components.structures import components_below
from lightning_grpc.components.work import LightningWork
from lightning_grpc.coordinator.events import Command, EndRequested, Event
from lightning_grpc.coordinator.metrics import MAX_PATHS, Cause, WorkMetrics
from lightning_grpc.coordinator.places import appearance, disappearance, document_path
from lightning_grpc.coordinator.record import Journal
from lightning_grpc.coordinator.works import Packer, Works
from lightning_grpc.state.cut import Cutter
from lightning_grpc.state.delta import Change
from lightning_grpc.state.values import Path


class Tick:
    """The coordinator's mind, and the backend of the app's components.

    Args:
        root: The root Flow; its tree is taken in.
        pack: Takes down what a runtime needs to start a Work.

    Attributes:
        urge: Called when a Flow has asked for something that should not wait for the end of its run.
        end_signal: The signal that the app is to end by, if there was one.

    Threads: All on the thread that runs the app.
    """

    def __init__(self, root: LightningFlow, pack: Packer) -> None:
        self._root = root
        self._journal = Journal()
        self._works = Works(self._journal, pack)
        self._flows: dict[int, tuple[LightningFlow, Path, Cutter]] = {}
        self._dirty: dict[int, Component] = {}
        self.urge: Callable[[], None] = lambda: None
        self.end_signal: int | None = None
        self.attached(root)

    @property
    def now(self) -> float:
        """Seconds since 1970, as the loop last told."""
        return self._works.now

    @now.setter
    def now(self, now: float) -> None:
        self._works.now = now

    @property
    def changed(self) -> bool:
        """Whether something has happened that the root Flow should see."""
        return bool(self._journal.causes)

    @property
    def failure(self) -> Exception | None:
        """What ends the app, if a Work's failure does."""
        return self._works.failure

    # What components ask for (the Backend protocol).

    def attached(self, node: Node) -> None:
        """Take in a node with all below it."""
        for component in components_below(node):
            self._take_in(component)
        if node is not self._root:
            self._journal.add([appearance(node)], ())
            self._journal.because("tree", node.name)

    def detached(self, node: Node) -> None:
        """Stop and forget a node, with all below it, that is about to leave the tree."""
        for component in list(components_below(node)):
            self._let_go(component)
        self._journal.add([disappearance(node)], ())
        self._journal.because("tree", node.name)
        self.urge()

    def _take_in(self, component: Component) -> None:
        prefix = document_path(component)
        if isinstance(component, LightningWork):
            self._works.take_in(component, prefix)
        elif isinstance(component, LightningFlow):
            cutter = Cutter(component.__dict__, component._declared)
            cutter.cut()
            self._flows[id(component)] = (component, prefix, cutter)
        backend = self if component is self._root else None
        component.__dict__.update(_watcher=self._note, _idle=True, _backend=backend)

    def _let_go(self, component: Component) -> None:
        if isinstance(component, LightningWork):
            self._works.let_go(component)
        self._flows.pop(id(component), None)
        self._dirty.pop(id(component), None)
        component.__dict__.update(_watcher=None, _idle=False, _backend=self)

    def retired(self, component: Component, attribute: str) -> None:
        """Drop an attribute whose name a child component has taken."""
        _, prefix, cutter = self._flows[id(component)]
        self._journal.add(cutter.forget(attribute), prefix)

    def call(self, work: LightningWork, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Carry out a Flow's call of ``work.run``."""
        try:
            self._works.call(work, args, kwargs)
        finally:
            self.urge()

    def start(self, work: LightningWork) -> None:
        """Start a Work's process without a run."""
        self._works.start(work)
        self.urge()

    def stop(self, works: Iterable[LightningWork]) -> None:
        """End Works for good."""
        self._works.stop(works)
        self.urge()

    # What the loop tells.

    def start_with_flow(self) -> None:
        """Start the Works that are to start with the app."""
        self._works.start_with_flow()

    def receive(self, event: Event) -> None:
        """Take in one event."""
        if isinstance(event, EndRequested):
            self.end_signal = event.signal
        else:
            self._works.receive(event)

    def begin_run(self) -> tuple[Cause, ...]:
        """Note that the root is about to be run; returns why."""
        self._works.ledger.restarted()
        return self._journal.take_causes() or (Cause("idle"),)

    def end_run(self, *, suspended: bool) -> None:
        """Note that the root's run is over and take in what the Flows have written.

        Args:
            suspended: Whether a blocking call ended it. What it wrote is kept, but is no reason to run it again:
                it goes on when the call is done.

        Raises:
            InvalidValueError: A Flow put something into a container that state cannot hold.
        """
        before = len(self._journal.deltas)
        wrote = self.cut()
        if not suspended and (self._works.ledger.completed() or wrote):
            written = [change for delta in self._journal.deltas[before : before + MAX_PATHS] for change in delta]
            self._journal.because("flow", "", written)

    def cut(self) -> bool:
        """Take in what Flows have written on themselves and on mirrors; tell whether it was anything."""
        before = len(self._journal.deltas)
        dirty, self._dirty = self._dirty, {}
        for identity, (flow, prefix, cutter) in self._flows.items():
            if identity in dirty or cutter.has_containers:
                flow.__dict__["_idle"] = True
                self._journal.add(cutter.cut(), prefix)
                for problem in cutter.problems.values():
                    raise problem.within((), flow._title())
        self._works.cut(dirty)
        return len(self._journal.deltas) > before

    def begin_end(self, reason: str) -> None:
        """End every process; from now on, an end is no failure."""
        self._works.begin_end(reason)

    @property
    def has_processes(self) -> bool:
        """Whether any Work's process is there, or on its way."""
        return self._works.has_processes

    def metrics(self) -> dict[str, WorkMetrics]:
        """Return what is known of every Work's stream."""
        return self._works.metrics()

    def take_commands(self) -> list[Command]:
        """Return, once, what the supervisor is to do."""
        commands, self._works.commands = self._works.commands, []
        return commands

    def take_changes(self) -> list[list[Change]]:
        """Return, once, what has changed in the app's document: delta by delta, each on the base of the one before."""
        return self._journal.take()

    def _note(self, component: Component) -> None:
        component.__dict__["_idle"] = False
        self._dirty[id(component)] = component

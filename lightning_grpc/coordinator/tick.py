"""What follows from what has happened: the coordinator without I/O.

`Tick` is told everything: events from the supervisor, what Flows ask for, the beginning and end of each
run of the root. It answers with commands for the supervisor, with deltas of the app's document, and with
whether the root is to be run again. It reads no clock; `now` comes in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lightning_grpc.components.component import Component, Node
from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.components.schedule import SCHEDULING
from lightning_grpc.components.status import AppStage
from lightning_grpc.components.structures import components_below
from lightning_grpc.components.work import LightningWork
from lightning_grpc.coordinator.events import Command, EndRequested, WorkEvent
from lightning_grpc.coordinator.metrics import MAX_PATHS, Cause, ScheduleFiring, WorkMetrics
from lightning_grpc.coordinator.places import appearance, disappearance, document_path
from lightning_grpc.coordinator.record import Caller, Journal, WorkRecord
from lightning_grpc.coordinator.timetable import Timetable
from lightning_grpc.coordinator.works import Packer, Works
from lightning_grpc.state.cut import Cutter
from lightning_grpc.state.delta import Change, Set
from lightning_grpc.state.values import Document, Path, copy


class Tick:
    """The coordinator's mind, and the backend of the app's components.

    Args:
        root: The root Flow; its tree is taken in.
        pack: Takes down what a runtime needs to start a Work.
        caller: Who calls, as Works that others call too are told.

    Attributes:
        urge: Called when a Flow has asked for something that should not wait for the end of its run.
        stage: The one that the app has reached.
        turn: Number of the run of the root, or of the request, that is under way or comes next.
        end_signal: The signal that the app is to end by, if there was one.

    Threads: All on the thread that runs the app.
    """

    def __init__(self, root: LightningFlow, pack: Packer, caller: Caller | None = None) -> None:
        self._root = root
        self._journal = Journal()
        self._works = Works(self._journal, pack, caller)
        self._flows: dict[int, tuple[LightningFlow, Path, Cutter]] = {}
        self._dirty: dict[int, Component] = {}
        self._timetable = Timetable()
        self.turn = 1
        self.urge: Callable[[], None] = lambda: None
        self.end_signal: int | None = None
        self.stage = AppStage.RUNNING
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
    def earliest_s(self) -> float:
        """When `look_at_the_clock` has something to do, in seconds since 1970; infinite if it has not."""
        return min(self._timetable.earliest_s, self._works.earliest_s)

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
        component.__dict__.update(_watcher=self._note, _backend=backend)
        component._arm()

    def _let_go(self, component: Component) -> None:
        if isinstance(component, LightningWork):
            self._works.let_go(component)
        self._flows.pop(id(component), None)
        self._dirty.pop(id(component), None)
        self._timetable.forget(component)
        component.__dict__.update(_watcher=None, _backend=self)
        component._disarm()

    def retired(self, component: Component, attribute: str) -> None:
        """Drop an attribute whose name a child component has taken."""
        _, prefix, cutter = self._flows[id(component)]
        self._journal.add(cutter.forget(attribute), prefix)

    def wake_at(self, component: Component, what: str, time_s: float) -> None:
        """Have the root run at a time; what has left the app has nothing to ask for."""
        if id(component) in self._flows:
            self._timetable.wake_at(component, what, time_s)

    def when_completed(
        self, component: Component, what: str, act: Callable[[], None], is_past: Callable[[], bool] | None = None
    ) -> None:
        """Have a function called when this pass of the root is completed."""
        self._timetable.when_completed(component, what, act, is_past, self.mark)

    @property
    def mark(self) -> int:
        """How many calls that may be made again this run of the root has made."""
        return self._works.ledger.mark

    def settle(self, mark: int) -> None:
        """Note that this pass comes no more to the calls that were made since a mark."""
        self._works.ledger.settle(mark)

    def call(self, work: LightningWork, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Carry out a Flow's call of ``work.run``."""
        if not work.parallel:
            for mark in self._timetable.blocking():
                self.settle(mark)
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

    def receive(self, event: WorkEvent | EndRequested) -> None:
        """Take in one event."""
        if isinstance(event, EndRequested):
            self.end_signal = event.signal
        else:
            self._works.receive(event)

    def look_at_the_clock(self) -> None:
        """Note what is due `now`."""
        self._works.look_at_the_clock()
        for component, what in self._timetable.take_due(self.now):
            self._journal.because("schedule", component.name, [Set(("calls", what), None)])

    def begin_run(self) -> tuple[Cause, ...]:
        """Note that the root is about to be run; returns why."""
        self._works.ledger.restarted()
        return self._journal.take_causes() or (Cause("idle"),)

    def end_run(self, *, completed: bool) -> None:
        """Note that the root's run is over and take in what the Flows have written.

        Args:
            completed: Whether it got to its end, and the pass with it. What it wrote if a blocking call has suspended
                it is kept, but is no reason to run it again: it goes on when the call is done.

        Raises:
            InvalidValueError: A Flow put something into a container that state cannot hold.
        """
        self._timetable.end_run(completed=completed)
        self.turn += 1
        before = len(self._journal.deltas)
        wrote = self.cut()
        if completed and (self._works.ledger.completed() or wrote):
            written = [change for delta in self._journal.deltas[before : before + MAX_PATHS] for change in delta]
            self._journal.because("flow", "", written)

    def end_request(self, what: str) -> None:
        """Note that something asked for from outside was done, and take in what it has written; see `end_run`."""
        self.turn += 1
        before = len(self._journal.deltas)
        if self.cut():
            written = [change for delta in self._journal.deltas[before : before + MAX_PATHS] for change in delta]
            self._journal.because("request", what, written)

    def reached(self, stage: AppStage) -> None:
        """Note, in the app's document, the stage that the app has reached."""
        if stage is not self.stage:
            self._journal.add([Set(("app_state", "stage"), stage.value, self.stage.value)], ())
            self.stage = stage

    def cut(self) -> bool:
        """Take in what Flows have written on themselves and on mirrors; tell whether it was anything."""
        before = len(self._journal.deltas)
        dirty, self._dirty = self._dirty, {}
        problems: list[Exception] = []
        for identity, (flow, prefix, cutter) in self._flows.items():
            if identity in dirty or cutter.has_containers:
                flow._arm()
                self._journal.add(cutter.cut(), prefix)
                problems += [problem.within((), flow._title()) for problem in cutter.problems.values()]
        problems += self._works.cut(dirty)
        for problem in problems:  # when everything else was taken in
            raise problem
        return len(self._journal.deltas) > before

    def document(self) -> Document:
        """Return the app's document as its deltas have made it; fresh."""
        document = self._root.state
        own = [(prefix, cutter.document) for _, prefix, cutter in self._flows.values()]
        works = [(record.prefix, record.mirror.published) for record in self._works.records]
        for prefix, published in [*own, *works]:
            place: Any = document
            for key in prefix:
                place = place[key]
            place.update(copy(published))
        return document

    def begin_end(self, reason: str) -> None:
        """End every process; from now on, an end is no failure."""
        self._works.begin_end(reason)

    @property
    def has_processes(self) -> bool:
        """Whether any Work's process is there, or on its way."""
        return self._works.has_processes

    def records(self) -> list[WorkRecord]:
        """Return what is known of every Work, in the order of the tree."""
        return [self._works.record(work) for work in self._root.works()]

    def serving(self) -> list[WorkRecord]:
        """Return what is known of the Works that serve; on any thread."""
        return [record for record in self._works.records if record.address]

    def metrics(self, silent_s: Mapping[tuple[str, int], float]) -> dict[str, WorkMetrics]:
        """Return what is known of every Work's stream; on any thread.

        Args:
            silent_s: How long ago each process was heard, by the Work's name and the incarnation.
        """
        records = self._works.records
        return {each.name: each.meter.read(silent_s.get((each.name, each.incarnation))) for each in records}

    def scheduling(self) -> tuple[ScheduleFiring, ...]:
        """Return what the Flows do by the clock; on any thread."""
        flows = [flow for flow, _, _ in list(self._flows.values())]
        return tuple(
            ScheduleFiring(flow.name, key, entry["cron_pattern"], entry["next_firing"], entry["running"])
            for flow in flows
            for key, entry in flow._calls.get(SCHEDULING, {}).items()
        )

    def take_commands(self) -> list[Command]:
        """Return, once, what the supervisor is to do."""
        commands, self._works.commands = self._works.commands, []
        return commands

    def take_changes(self) -> list[list[Change]]:
        """Return, once, what has changed in the app's document: delta by delta, each on the base of the one before."""
        return self._journal.take()

    def _note(self, component: Component) -> None:
        component._disarm()
        self._dirty[id(component)] = component

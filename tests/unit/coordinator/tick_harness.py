"""A coordinator without threads, and Works without processes: everything happens when a test says so."""

from __future__ import annotations

from collections import deque

from lightning_grpc.components.calls import LATEST, START, advanced, requested
from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.components.status import make_status
from lightning_grpc.components.work import LightningWork
from lightning_grpc.coordinator.events import (
    AttachWork,
    DropRun,
    FramesReceived,
    ResyncWork,
    RunRefused,
    RunWork,
    StartWork,
    StopWork,
    WorkExited,
    WorkReachable,
    WorkStarted,
    WorkStartFailed,
    WorkUnreachable,
)
from lightning_grpc.coordinator.tick import Tick
from lightning_grpc.signals import FlowSuspended
from lightning_grpc.state.delta import apply, diff
from lightning_grpc.state.digest import digest
from lightning_grpc.state.subscription import Bookmark, Delta, Snapshot
from lightning_grpc.state.values import copy, same


class Work(LightningWork):
    """A Work that never runs: its process is a `Process`."""

    def __init__(self, counter=0, **options):
        super().__init__(**options)
        self.counter = counter
        self.items = []
        self.table = {}

    def run(self, *args, **kwargs):
        raise AssertionError("the coordinator shall not run it here")


class Flow(LightningFlow):
    """A Flow with some attributes and children."""

    def __init__(self, **attributes):
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)


class Root(Flow):
    """Runs a function as its run, and counts how often it began and how often it got through."""

    def __init__(self, body=None, **attributes):
        super().__init__(**attributes)
        self._body = body or (lambda root: None)
        self._begun = 0
        self._completed = 0

    def run(self):
        self._begun += 1
        self._body(self)
        self._completed += 1


def essence(state):
    """A tree's state without the sections that say nothing."""
    own = {section: state[section] for section in ("vars", "calls") if section in state}
    kinds = ("flows", "works", "structures")
    return {**own, **{kind: {key: essence(child) for key, child in state.get(kind, {}).items()} for kind in kinds}}


class App:
    """Drives a `Tick` as the loop does, one step at a time.

    After every step the changes that the tick tells of are applied to a document; it must then be the state
    of the tree. That is switched off by `follow=False`.
    """

    def __init__(self, root, *, follow=True, start=True):
        self.root = root
        self.packages = []
        self.commands = []
        self.told = []
        self.processes = {}
        self.all_processes = []
        self.follow = follow
        self.tick = Tick(root, self._pack)
        self.tick.now = 100.0
        self.tick.cut()
        self.tick.take_changes()
        self.document = copy(root.state)
        if start:
            self.tick.start_with_flow()
            self.step()
            for process in list(self.processes.values()):
                process.start()

    def _pack(self, work):
        self.packages.append({"vars": work._vars(), "calls": copy(work._calls)})
        return b"%d" % (len(self.packages) - 1)

    def make_process(self, command):
        """What stands for the process that a command asks for."""
        return Process(self, command, copy(self.packages[int(command.package)]))

    def step(self):
        """Carry out the tick's commands and take its changes."""
        self.tick.now += 1.0
        for command in self.tick.take_commands():
            self.commands.append(command)
            if isinstance(command, StartWork | AttachWork):
                process = self.make_process(command)
                self.processes[command.work] = process
                self.all_processes.append(process)
                continue
            process = next(each for each in self.all_processes if each.incarnation == command.incarnation)
            if isinstance(command, RunWork):
                process.orders.append(command)
            elif isinstance(command, StopWork):
                process.stop = command
            elif isinstance(command, DropRun):
                process.drop(command)
        deltas = self.tick.take_changes()
        self.told += deltas
        self.changes = [change for delta in deltas for change in delta]
        if self.follow:
            apply(self.document, self.changes)
            assert same(essence(self.document), essence(self.root.state))

    def hear(self, *events):
        """Give events to the tick."""
        for event in events:
            self.tick.receive(event)
        self.step()

    def run(self):
        """Run the root once; returns whether it was suspended."""
        suspended = False
        self.tick.begin_run()
        try:
            self.root.run()
        except FlowSuspended:
            suspended = True
        self.tick.end_run(completed=not suspended)
        self.step()
        return suspended

    def settle(self, limit=100):
        """Run the root as long as there is reason to; returns how often."""
        runs = 0
        while self.tick.changed:
            assert runs < limit, "the root is run again and again"
            self.run()
            runs += 1
        return runs

    def work_off(self, limit=1000):
        """Run the root, and let every Work do what it is asked to, until nothing is left to do."""
        for _ in range(limit):
            if self.tick.changed:
                self.run()
            elif (busy := next((p for p in self.processes.values() if p.orders), None)) is not None:
                busy.execute()
            else:
                return
        raise AssertionError("there is always something left to do")

    def sent(self, kind):
        return [command for command in self.commands if isinstance(command, kind)]

    @property
    def runs_ordered(self):
        return self.sent(RunWork)

    @property
    def resyncs(self):
        return self.sent(ResyncWork)


class Process:
    """One process of a Work, as the coordinator hears of it."""

    def __init__(self, app, command, document):
        self.app = app
        self.name = command.work
        self.incarnation = command.incarnation
        self.epoch = 1000 + command.incarnation
        self.document = document
        self.revision = 0
        self.orders = deque()
        self.stop = None
        self.current = None
        self.is_alive = True

    # Its life.

    def start(self):
        """Serve, and say that it has started."""
        self.tell(WorkStarted(self.name, self.incarnation, self.epoch, 4711))
        self.revision = 1
        self.tell_frames(self.snapshot())
        self.set_call(START, advanced(requested("start", f"{self.epoch}", self.now), self.status("started")))

    def start_failed(self, message="it did not come up"):
        self.is_alive = False
        self.tell(WorkStartFailed(self.name, self.incarnation, message))

    def exit(self, how="was killed by signal 9"):
        self.is_alive = False
        self.orders.clear()
        self.current = None
        self.tell(WorkExited(self.name, self.incarnation, how))

    def refuse(self, message="too many calls"):
        order = self.orders.popleft()
        self.tell(RunRefused(self.name, self.incarnation, order.call_hash, order.call_id, message))

    def unreachable(self, message="no sign of life for 3.1 s"):
        self.tell(WorkUnreachable(self.name, self.incarnation, message))

    def reachable(self):
        self.tell(WorkReachable(self.name, self.incarnation))

    # Its runs.

    def begin(self):
        """Begin the next run it was asked for."""
        self.current = order = self.orders.popleft()
        document = copy(self.document)
        document["vars"].update(copy(order.attributes))
        entry = requested("run", order.call_id, order.requested_at_s, document["calls"].get(order.call_hash))
        document["calls"].update({order.call_hash: advanced(entry, self.status("running")), LATEST: order.call_hash})
        self.publish(document)

    def end(self, stage, *reason, **more):
        """End the run under way."""
        entry = self.document["calls"][self.current.call_hash]
        status = {**self.status(stage, *reason), **more}
        key, self.current = self.current.call_hash, None
        self.set_call(key, advanced(entry, status))

    def succeed(self, **attributes):
        if attributes:
            self.write(**attributes)
        self.end("succeeded")

    def fail(self, raised=None, message="Traceback: ValueError"):
        raised = self.app_work._raise_exception if raised is None else raised
        self.end("failed", "user_exception", message, exception="ValueError", raised=raised)

    def execute(self, **attributes):
        """Begin the next run and let it succeed."""
        self.begin()
        self.succeed(**attributes)

    # Its state.

    def write(self, **attributes):
        document = copy(self.document)
        document["vars"].update(copy(attributes))
        self.publish(document)

    def edit(self, function):
        """Change attributes in place."""
        document = copy(self.document)
        function(document["vars"])
        self.publish(document)

    def set_call(self, key, entry):
        document = copy(self.document)
        document["calls"].update({key: entry, LATEST: key})
        self.publish(document)

    def publish(self, document):
        changes = diff(self.document, document)
        self.document = document
        self.revision += 1
        self.tell_frames(self.delta(changes))

    def delta(self, changes):
        return Delta(self.epoch, self.revision, changes)

    def snapshot(self):
        return Snapshot(self.epoch, self.revision, copy(self.document))

    def bookmark(self):
        return Bookmark(self.epoch, self.revision, digest(self.document))

    # What it takes to say so.

    @property
    def app_work(self):
        return next(work for work in self.app.root.works() if work.name == self.name)

    @property
    def now(self):
        return self.app.tick.now

    def status(self, stage, *reason):
        return make_status(stage, self.now, *reason)

    def tell_frames(self, *frames):
        self.tell(FramesReceived(self.name, self.incarnation, frames))

    def tell(self, *events):
        self.app.hear(*events)


def app_of(body=None, *, options=None, **attributes):
    """An app whose root has one Work, `w`, made with some options; returns the app, the Work and its process."""
    work = Work(**(options or {}))
    app = App(Root(body, w=work, **attributes))
    return app, work, app.processes.get("root.w")


def calls(*argument_lists):
    """A body that calls the Work with each of some arguments, in order."""

    def body(root):
        for arguments in argument_lists:
            root.w.run(*arguments)

    return body

"""Services that Works are attached to, without a network: they do what a test says."""

from __future__ import annotations

from tick_harness import App, Process, Root, Work

from lightning_grpc.components.calls import LATEST, START, advanced, requested
from lightning_grpc.coordinator.events import (
    AttachFailed,
    AttachWork,
    RunAnswered,
    RunPutOff,
    RunSent,
    WorkAttached,
    WorkExited,
    WorkReachable,
    WorkUnreachable,
)
from lightning_grpc.state.values import copy

ADDRESS = "host:50051"


class ServedApp(App):
    """An app whose Works may be attached to services."""

    def make_process(self, command):
        if isinstance(command, AttachWork):
            return Service(self, command)
        return super().make_process(command)


class Service(Process):
    """A service, over all its processes, as the coordinator hears of it by one link.

    Attributes:
        sent: The call ids of the orders that the process of today was asked for; the others wait in the link.
        dropped: Those that it shall not be asked for.
    """

    def __init__(self, app, command):
        super().__init__(app, command, None)
        self.epoch = 5000
        self.attributes = {"counter": 0, "items": [], "table": {}}
        self.dropped = []
        self.sent = set()

    def start(self):
        """Not be there until `come` says so."""

    def come(self, known=None, **attributes):
        """Be there, as a new process, and be seen; it may know of calls of the one before."""
        self.epoch += 1
        self.current = None
        self.attributes.update(attributes)
        started = advanced(requested("start", f"{self.epoch}", self.now), self.status("started"))
        self.document = {"vars": copy(self.attributes), "calls": {**(known or {}), LATEST: START, START: started}}
        self.revision = 3
        sent, self.sent = self.sent, set()
        self.tell(
            WorkReachable(self.name, self.incarnation), WorkAttached(self.name, self.incarnation, self.epoch, ADDRESS)
        )
        self.orders = type(self.orders)(order for order in self.orders if order.call_id not in sent)
        self.tell_frames(self.snapshot())

    def return_(self):
        """Be heard again, as the process that was there before."""
        self.tell(WorkReachable(self.name, self.incarnation))
        self.tell(WorkAttached(self.name, self.incarnation, self.epoch, ADDRESS))

    def go(self, silent_s=0.0):
        """Not be heard any more."""
        self.tell(WorkUnreachable(self.name, self.incarnation, "connection refused", silent_s))

    def hear(self):
        """Be asked for what the link has to ask for."""
        for order in list(self.orders):
            if order.call_id not in self.dropped:
                self.sent.add(order.call_id)
                self.tell(RunSent(self.name, self.incarnation, order.call_id))

    def turn_away(self):
        """Say of the next order that it is not executed, because the process ends."""
        order = self.orders.popleft()
        entry = requested("run", order.call_id, order.requested_at_s, None)
        self.set_call(order.call_hash, advanced(entry, self.status("stopped", "sigterm_signal_handler")))

    def put_off(self):
        """Say of the next order that it was not accepted, and is to be asked for again."""
        self.sent.discard(self.orders[0].call_id)
        self.tell(RunPutOff(self.name, self.incarnation, self.orders[0].call_id))

    def detach(self):
        """Say that the connection is given up."""
        self.tell(WorkExited(self.name, self.incarnation, "was detached"))

    def refuse_to_attach(self, message="it is a Trainer"):
        self.tell(AttachFailed(self.name, self.incarnation, message))

    def drop(self, command):
        self.dropped.append(command.call_id)

    def execute_for_another(self, key, call_id, stage="succeeded", **attributes):
        """Execute a call of somebody else."""
        document = copy(self.document)
        document["vars"].update(attributes)
        entry = requested("run", call_id, self.now, document["calls"].get(key))
        entry = advanced({**entry, "caller": "app other"}, self.status("running"))
        if stage != "running":
            entry = advanced(entry, self.status(stage))
        document["calls"].update({key: entry, LATEST: key})
        self.publish(document)

    def answer(self, order, final_status=None, revision=0):
        """Answer an order: it is known, and has ended if a status is given."""
        self.tell(RunAnswered(self.name, self.incarnation, order.call_hash, order.call_id, final_status, revision))

    @property
    def app_work(self):
        return self.app.root.w


def served_app(body=None, *, on_lost="fail", lost_after_s=30.0, come=True, options=None):
    """An app whose root has one Work, `w`, attached to a service; returns the app, the Work and the service."""
    work = Work(**(options or {})).at(ADDRESS, on_lost=on_lost, lost_after_s=lost_after_s)
    app = ServedApp(Root(body, w=work))
    service = app.processes["root.w"]
    if come:
        service.come()
    return app, work, service

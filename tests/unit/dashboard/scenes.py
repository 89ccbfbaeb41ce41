"""Models of apps, made of events as a connection would give them, and screens as text."""

from __future__ import annotations

import io

from rich.cells import cell_len
from rich.console import Console

from lightning_grpc.coordinator.metrics import Cause, FlowRun, ScheduleFiring, WorkMetrics
from lightning_grpc.dashboard.controls import step
from lightning_grpc.dashboard.events import (
    CommandsListed,
    ConnectionMade,
    Described,
    KeyPressed,
    LinesPrinted,
    MetricsSeen,
    Resized,
    StateChanged,
    StateReplaced,
    Ticked,
)
from lightning_grpc.dashboard.model import Model
from lightning_grpc.dashboard.view import Screen, lines_of
from lightning_grpc.service.commands import CommandDescription
from lightning_grpc.service.descriptions import AppDescription, AppMetrics, ProcessUsage
from lightning_grpc.service.parameters import ParameterDescription
from lightning_grpc.state.replica import Replica
from lightning_grpc.state.subscription import Delta, Snapshot
from lightning_grpc.wire.logs import LogLine

NOW_S = 1_800_000_000.0
SIZES = ((80, 24), (120, 40), (200, 60))
TRACEBACK = (
    'Traceback (most recent call last):\n  File "work.py", line 3, in run\n    1 / 0\nZeroDivisionError: division'
)


def entry(*stages, reason="", message="", successes=0):
    """An entry of a call that went through stages, a second each."""
    statuses = [{"stage": stage, "timestamp": NOW_S - 60 + at} for at, stage in enumerate(stages)]
    if reason:
        statuses[-1]["reason"] = reason
    if message:
        statuses[-1]["message"] = message
    return {"name": "run", "call_id": "1", "statuses": statuses, "successes": successes}


def work(*stages, variables=None, **options):
    """The document of a Work."""
    calls = {"latest_call_hash": None}
    if stages:
        calls = {"latest_call_hash": "run:1", "run:1": entry(*stages, **options)}
    return {"vars": {"step": 5, "steps": 20, **(variables or {})}, "calls": calls, "changes": {}}


def document(**variables):
    """An app: a root with a Work that has failed, and a Flow with a list of Works at all stages."""
    stages = {
        "0": work("pending", "running"),
        "1": work("pending", "running", "succeeded", successes=3),
        "2": work("pending"),
        "3": work(),
        "4": work("pending", "running", "stopped"),
    }
    return {
        "vars": {"n": 1, "flag": True, "nothing": None, "table": {"a": [1, 2], 7: {"deep": 1.5}}, **variables},
        "calls": {},
        "flows": {"team": {"vars": {"size": 5}, "calls": {}, "structures": {"items": {"flows": {}, "works": stages}}}},
        "works": {"bad": work("pending", "running", "failed", reason="user_exception", message=TRACEBACK)},
        "structures": {},
        "app_state": {"stage": "running"},
    }


def metrics(at_s=NOW_S, *, revision=7, runs=40, works=("root.bad",), **options):
    """What an app has done."""
    return AppMetrics(
        **{
            "at_s": at_s,
            "revision": revision,
            "runs": runs,
            "under_way_s": None,
            "latest_runs": (
                FlowRun(39, at_s - 1, 0.001, (Cause("state", "root.bad", (("step",),)),), 1, suspended=False),
                FlowRun(40, at_s, 0.0005, (Cause("schedule", "root", (("hourly",),)),), 2, suspended=True),
            ),
            "works": {name: WorkMetrics(revision * 10, 0.002, silent_s=0.5) for name in works},
            "usages": {name: ProcessUsage(100 + at, at_s - NOW_S + 5, 50 << 20, 4) for at, name in enumerate(works)},
            "schedules": (ScheduleFiring("root", "hourly:app.py:3", "hourly", NOW_S + 90, running=False),),
            "usage": ProcessUsage(99, at_s - NOW_S + 9, 80 << 20, 9),
            **options,
        }
    )


COMMANDS = (
    CommandDescription("greet", "Say hello.", "root", (ParameterDescription("name", "str", True, annotation="str"),)),
    CommandDescription("pause", "", "root"),
)


class Scene:
    """An app that is watched: events in, screens out."""

    def __init__(self, state=None, width=120, height=40):
        self.model = Model()
        self.wishes = []
        self.replica = Replica()
        self.replica.subscription.opened()
        self.revision = 7
        version = self.replica.receive(Snapshot(1, 7, state if state is not None else document()))
        app = AppDescription("examples/app.py", 1, 7, "running", 99, NOW_S - 3700, 40)
        self.tell(
            Resized(NOW_S, width, height),
            Ticked(NOW_S),
            Described(NOW_S, app, "unix:/run/lightning-grpc/1/s"),
            ConnectionMade(NOW_S),
            StateReplaced(NOW_S, 7, version.document),
            CommandsListed(NOW_S, COMMANDS),
        )

    def tell(self, *events):
        """Take events in."""
        for event in events:
            self.model, wishes = step(self.model, event)
            self.wishes += wishes
        return self

    def press(self, *keys):
        """Press keys."""
        return self.tell(*(KeyPressed(self.model.now_s, key) for key in keys))

    def type(self, text):
        """Type a text."""
        return self.press(*("space" if char == " " else char for char in text))

    def change(self, *changes, at_s=None, revisions=1):
        """Let the state change."""
        first, self.revision = self.revision + 1, self.revision + revisions
        version = self.replica.receive(Delta(1, self.revision, list(changes), first=first))
        at_s = self.model.now_s if at_s is None else at_s
        return self.tell(StateChanged(at_s, first, self.revision, tuple(version.changes), version.document))

    def measure(self, at_s=NOW_S, **options):
        """Let the app tell its metrics."""
        return self.tell(MetricsSeen(at_s, metrics(at_s, **options)))

    def print(self, *texts, component="root.bad", kind="stdout"):
        """Let something be printed."""
        return self.tell(LinesPrinted(NOW_S, tuple(LogLine(component, kind, NOW_S, text) for text in texts)))

    def resize(self, width, height):
        """Give the screen another size."""
        return self.tell(Resized(self.model.now_s, width, height))

    @property
    def lines(self):
        """The screen, as texts, each proven to be as wide as it is to be."""
        rows = lines_of(self.model)
        assert len(rows) == self.model.height
        texts = ["".join(text for text, _ in row) for row in rows]
        for text in texts:
            assert cell_len(text) == self.model.width, text
            assert text.isprintable(), text
        return texts

    @property
    def text(self):
        """The same as one text."""
        return "\n".join(self.lines)

    def line(self, part):
        """The line that has a part."""
        return next(line for line in self.lines if part in line)

    def styles_of(self, part):
        """The styles of the spans that have a part."""
        return [style for row in lines_of(self.model) for text, style in row if part in text]

    def printed(self):
        """What Rich prints of it."""
        console = Console(
            file=io.StringIO(), width=self.model.width, force_terminal=True, color_system="truecolor", highlight=False
        )
        console.print(Screen(self.model))
        return console.file.getvalue()

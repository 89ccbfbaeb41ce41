"""Every state that a Flow sees is one that the Work's program was in (issue: exactness, point 3)."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from exact_works import Lockstep
from replay import ReplayedApp

import lightning_grpc as L
from lightning_grpc.coordinator.backlog import Backlog
from lightning_grpc.runtimes.local import LocalRuntime
from lightning_grpc.testing import ProxiedRuntime

CUTS = 15
LOOKS = 6
DEADLINE_S = 30
STRIDE = 3000
"""Steps of the Work from one cut of its connection to the next."""


class Watching(L.LightningFlow):
    """Looks at the Work in every run, and has the connection broken again and again."""

    def __init__(self, until, break_connection):
        super().__init__()
        self.work = Lockstep()
        self._until = until
        self._break = break_connection
        self._cuts = 0
        self._cut_at = 0
        self._seen = set()
        self.problems = []

    def run(self):
        work = self.work
        work.run(str(self._until))
        problem = work.problem()
        if problem:
            self.problems = [*self.problems, problem]
        self._seen.add(work.a)
        if work.a > self._cut_at + STRIDE and self._cuts < CUTS:
            self._cuts += 1
            self._cut_at = work.a
            self._break()
        elif self._cuts == CUTS and work.a > self._cut_at + STRIDE:
            self._until.touch()
        if work.has_succeeded:
            self.stop()


def watch(flow, runtime=None):
    app = L.LightningApp(flow)
    app.run(runtime)
    assert flow.problems == []
    assert flow._cuts == CUTS
    assert len(flow._seen) > CUTS
    assert flow.work.a == flow.work.b == flow.work.table["rows"]["x"] == flow.work.copies


def test_a_flow_sees_consistent_cuts_while_the_work_writes_flat_out(tmp_path):
    watch(Watching(tmp_path / "until", lambda: None))


@pytest.mark.parametrize("fault", ["cut", "repeat", "garbage"])
def test_a_flow_sees_consistent_cuts_across_streams_that_break(tmp_path, fault):
    runtime = ProxiedRuntime(LocalRuntime())

    def break_connection():
        proxy = runtime.proxies["root.work"]
        getattr(proxy, fault)()
        if fault == "garbage":
            proxy.cut()  # of garbage alone nobody knows how soon it is noticed

    flow = Watching(tmp_path / "until", break_connection)
    watch(flow, runtime)


def test_a_flow_sees_consistent_cuts_when_much_comes_at_once(tmp_path):
    runtime = ProxiedRuntime(LocalRuntime())
    steps = iter(range(1000))

    def hold_back_or_go_on():
        proxy = runtime.proxies["root.work"]
        if next(steps) % 2:
            proxy.delay(0.0)
        else:
            proxy.delay(0.05)

    watch(Watching(tmp_path / "until", hold_back_or_go_on), runtime)


class Slow(L.LightningFlow):
    """Takes so long for each of its first runs that what comes meanwhile is conflated."""

    def __init__(self, until, has_piled_up):
        super().__init__()
        self.work = Lockstep()
        self._until = until
        self._has_piled_up = has_piled_up
        self._looks = 0

    def run(self):
        self.work.run(str(self._until))
        if self.work.a and self._looks < LOOKS:
            self._looks += 1
            self._has_piled_up.clear()
            assert self._has_piled_up.wait(DEADLINE_S)
        elif self._looks == LOOKS:
            self._until.touch()
        if self.work.has_succeeded:
            self.stop()


class Watched(ReplayedApp):
    """Looks at the Work in every revision of the app's document, which checkpoints and whoever follows it have too."""

    def __init__(self, root):
        super().__init__(root)
        self.revisions = 0
        self.problems = []

    def _replay(self, changes):
        super()._replay(changes)
        self.revisions += 1
        problem = Lockstep.problem(SimpleNamespace(**self.exact["works"]["work"]["vars"]))
        if problem:
            self.problems.append(problem)


def test_every_revision_of_the_app_has_a_consistent_cut_also_if_much_was_conflated(tmp_path, monkeypatch):
    has_piled_up = threading.Event()
    add = Backlog.add

    def add_and_tell(backlog, frames):
        before = backlog.conflated
        was_empty = add(backlog, frames)
        if backlog.conflated > before:
            has_piled_up.set()
        return was_empty

    monkeypatch.setattr(Backlog, "add", add_and_tell)
    app = Watched(Slow(tmp_path / "until", has_piled_up))
    app.run()
    assert app.metrics.works["root.work"].conflated >= LOOKS
    assert app.revisions > LOOKS
    assert app.problems == []

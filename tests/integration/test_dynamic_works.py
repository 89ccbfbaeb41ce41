"""Components that come and go while the app runs, with real processes."""

from __future__ import annotations

import time

import psutil
from resumable_works import Lingering
from sample_works import Counter, Hooks

import lightning_grpc as L
from lightning_grpc.structures import Dict, List


def test_a_name_is_free_at_once_though_the_old_process_is_still_ending():
    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.table = Dict(x=Lingering())
            self.made = 1

        def run(self):
            work = self.table["x"]
            work.run(self.made)
            if not work.has_succeeded:
                return
            assert (work.value, work.seen) == (self.made, [self.made])
            if self.made == 5:
                self.stop()
            del self.table["x"]
            self.table["x"] = Lingering()
            self.made += 1

    flow = Flow()
    app = L.LightningApp(flow)
    deltas = []
    app.add_delta_listener(deltas.append)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    app.run()
    assert flow.made == 5
    removed = [delta for delta in deltas if "root['structures']['table']['works']['x']" in str(delta)]
    assert len([delta for delta in removed if "dictionary_item_removed" in delta]) == 4
    left = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
    assert not [child for child in left if child.is_running()]


def test_a_removed_work_is_stopped_in_order_and_forgotten(tmp_path):
    notes = tmp_path / "notes"
    notes.touch()

    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.by_name = Dict(x=Hooks(notes))
            self.pid = 0

        def run(self):
            if "x" in self.by_name:
                self.by_name["x"].run()
                if self.by_name["x"].has_entered:  # before, its run may be kept from noting anything
                    self.pid = self.by_name["x"].pid
                    del self.by_name["x"]
            elif "exit" in notes.read_text():
                assert self.works() == []
                assert self.by_name.state == {"flows": {}, "works": {}}
                self.stop()

    flow = Flow()
    L.LightningApp(flow, idle_interval_s=0.02).run()
    assert notes.read_text().split() == ["start", str(flow.pid), "run", str(flow.pid), "exit", str(flow.pid)]


def test_a_work_that_is_removed_before_it_has_started_never_runs(tmp_path):
    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.by_name = Dict()
            self.n = 0

        def run(self):
            self.n += 1
            notes = tmp_path / f"notes {self.n}"
            notes.touch()
            self.by_name["x"] = Hooks(notes)
            began_s = time.monotonic()
            self.by_name["x"].run("done")
            del self.by_name["x"]
            if time.monotonic() - began_s < 0.005:  # else its process may have come up in between
                quick.append(notes)
            if len(quick) == 10:
                self.stop()

    quick = []
    L.LightningApp(Flow()).run()
    assert not [notes for notes in quick if "run" in notes.read_text()]


def test_works_of_a_flow_that_comes_and_goes_do_too():
    class Stage(L.LightningFlow):
        def __init__(self, n):
            super().__init__()
            self.n = n
            self.counters = List(Counter(parallel=True), Counter(parallel=True))

        def run(self):
            for counter in self.counters:
                counter.run(self.n)

        @property
        def is_done(self):
            return all(counter.has_succeeded for counter in self.counters)

    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.stages = Dict()
            self.done = []

        def run(self):
            if len(self.done) == 3:
                self.stop()
            if "stage" not in self.stages:
                self.stages["stage"] = Stage(len(self.done) + 1)
            stage = self.stages["stage"]
            stage.run()
            if stage.is_done:
                self.done.append([counter.counter for counter in stage.counters])
                del self.stages["stage"]

    flow = Flow()
    L.LightningApp(flow).run()
    assert flow.done == [[1, 1], [2, 2], [3, 3]]
    assert flow.works() == []


def test_a_removed_work_may_be_attached_elsewhere():
    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.waiting = List(Counter(parallel=True))
            self.done = Dict()

        def run(self):
            if self.waiting:
                work = self.waiting[0]
                work.run(3)
                if work.has_succeeded:
                    self.done["first"] = self.waiting.pop(0)
            else:
                work = self.done["first"]
                assert work.name == "root.done.first"
                work.run(4)
                if work.num_successes == 2:
                    self.stop()

    flow = Flow()
    L.LightningApp(flow).run()
    assert flow.done["first"].counter == 7

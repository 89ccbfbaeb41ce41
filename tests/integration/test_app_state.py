"""State from Works to the Flow, with real processes (issue: the Work's process, the coordinator)."""

from __future__ import annotations

import pytest
from deepdiff import Delta
from sample_works import Counter, Nester, Pair

import lightning_grpc as L
from lightning_grpc.structures import Dict, List


def test_no_flow_run_ever_sees_a_later_write_without_the_earlier_one():
    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.pair = Pair()
            self._seconds = 3.0
            self._seen = 0
            self._wrong = []

        def run(self):
            pair = self.pair
            pair.run(self._seconds)
            if not (
                pair.a - 1 <= pair.b <= pair.a
                and pair.length <= len(pair.items) <= pair.length + 1
                and pair.table["rows"]["x"] - 1 <= pair.table["rows"]["y"] <= pair.table["rows"]["x"]
            ):
                self._wrong.append((pair.a, pair.b, len(pair.items), pair.length, str(pair.table)))
            self._seen += 1
            if pair.has_succeeded:
                if (self._seen > 20 and pair.a > 1000) or self._seconds > 6:
                    self.stop()
                self._seconds += 1.0  # once more, on a machine that was too busy to look often
                pair.run(self._seconds)

    flow = Flow()
    L.LightningApp(flow).run()
    assert flow._wrong == []
    assert flow._seen > 20
    assert flow.pair.b == flow.pair.a > 1000


def test_eight_works_in_parallel_lose_nothing():
    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.workers = List(*[Counter(parallel=True) for _ in range(8)])

        def run(self):
            for worker in self.workers:
                worker.run(100_000)
            if all(worker.has_succeeded for worker in self.workers):
                self.stop()

    flow = Flow()
    L.LightningApp(flow).run()
    assert [worker.counter for worker in flow.workers] == [100_000] * 8


def test_changes_in_place_reach_the_flow_without_an_assignment(tmp_path):
    go_on = tmp_path / "go on"

    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.work = Nester()

        def run(self):
            self.work.run(str(go_on))
            if self.work.is_running and self.work.table == {"a": {"b": 2}} and self.work.items == [1, 2, 3]:
                go_on.touch()
            if self.work.has_succeeded:
                self.stop()

    flow = Flow()
    L.LightningApp(flow).run()
    assert repr(flow.work.items) == "[True, 2, 3]"


def test_what_the_flow_writes_on_a_running_work_changes_only_the_mirror(tmp_path):
    class Patient(L.LightningWork):
        def __init__(self):
            super().__init__(parallel=True)
            self.shared = 0
            self.own = 0

        def run(self, file):
            from pathlib import Path

            from sample_works import wait_for

            wait_for(Path(file).exists, 30)
            self.own = self.shared

    file = tmp_path / "written"

    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.work = Patient()

        def run(self):
            self.work.run(str(file))
            if self.work.is_running and not file.exists():
                self.work.shared = 42
                file.touch()
            if self.work.has_succeeded:
                self.stop()

    flow = Flow()
    L.LightningApp(flow).run()
    assert flow.work.own == 0
    assert flow.work.shared == 42


def test_components_may_be_attached_while_the_app_runs():
    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.late = None
            self.table = Dict()
            self.rows = List()

        def run(self):
            if self.late is None:
                self.late = Counter()
            self.late.run(2)
            if "a" not in self.table:
                self.table["a"] = Counter()
                self.rows.append(Counter())
            self.table["a"].run(3)
            self.rows[0].run(4)
            self.stop()

    flow = Flow()
    L.LightningApp(flow).run()
    assert {name: work.counter for name, work in flow.named_works()} == {
        "root.late": 2,
        "root.table.a": 3,
        "root.rows.0": 4,
    }


def test_a_removed_component_may_be_attached_again_under_its_name():
    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.table = Dict(x=Counter())
            self.first = None

        def run(self):
            if self.first is None:
                self.table["x"].run(3)
                self.first = self.table["x"].counter
                del self.table["x"]
                self.table["x"] = Counter()
            self.table["x"].run(5)
            self.stop()

    flow = Flow()
    L.LightningApp(flow).run()
    assert flow.first == 3
    assert flow.table["x"].counter == 5


def test_every_delta_is_in_deepdiffs_form_and_deepdiff_can_apply_them_all():
    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.work = Counter(parallel=True)
            self.history = []
            self.table = {}
            self._has_removed = False

        def run(self):
            self.work.run(200_000)
            self.history.append(self.work.counter)
            self.table[str(len(self.history) % 7)] = self.work.counter
            if len(self.history) > 50:
                del self.history[10:40]
                self.table.pop("3", None)
                self._has_removed = True
            if self.work.has_succeeded and self._has_removed:
                self.stop()

    app = L.LightningApp(Flow())
    state = app.state
    deltas = []
    app.add_delta_listener(deltas.append)
    app.run()
    assert {"values_changed", "iterable_item_added", "iterable_item_removed"} <= {
        kind for delta in deltas for kind in delta
    }
    for delta in deltas:
        state += Delta(delta, raise_errors=True)
    assert state == app.state


def test_a_flow_that_writes_nothing_is_run_at_the_idle_interval():
    class Flow(L.LightningFlow):
        def run(self):
            self.__dict__["_runs"] = self.__dict__.get("_runs", 0) + 1
            if self._runs == 5:
                self.stop()

    flow = Flow()
    L.LightningApp(flow, idle_interval_s=0.01).run()
    assert flow._runs == 5


def test_an_idle_interval_of_nothing_is_refused():
    with pytest.raises(ValueError, match="idle_interval_s"):
        L.LightningApp(Counter(), idle_interval_s=0)

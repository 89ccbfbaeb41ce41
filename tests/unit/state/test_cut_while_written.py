"""Cuts are consistent while another thread keeps writing: each is one instant of its program order.

The writers call `Writer.pause` between their writes. CPython 3.11 lets another thread in only at calls and at the
ends of loops; every few calls the pause also gives the interpreter away on its own, each time between two other
writes.
"""

from __future__ import annotations

import sys
import threading
import time

import pytest

from lightning_grpc.components.work import LightningWork
from lightning_grpc.state.cut import CALLS, Cutter
from lightning_grpc.state.delta import apply
from lightning_grpc.state.values import same

CUTS = 5000
TURNS = 100
"""How often the writer must at least have had its turn between two cuts."""
DEADLINE_S = 40
ROOM = 60


class Writer:
    """Calls a function with 1, 2, 3 ... on a thread of its own, in a tight loop, while it is entered."""

    def __init__(self, step):
        self._step = step
        self._over = threading.Event()
        self._pauses = 0
        self._failure = None
        self._thread = threading.Thread(target=self._write)
        self.number = 0

    def pause(self):
        self._pauses += 1
        if self._pauses % 7 == 0:
            time.sleep(0)

    def _write(self):
        try:
            while not self._over.is_set():
                self._step(self.number + 1, self.pause)
                self.number += 1
        except BaseException as failure:
            self._failure = failure

    def __enter__(self):
        self._interval_before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        sys.setswitchinterval(self._interval_before)
        assert self._failure is None


def cuts_of(cutter, step, *, exact=False):
    """Take cuts while `step` is called; yield the changes of each, until the writer has had many turns."""
    turns = number = last = 0
    end_s = time.monotonic() + DEADLINE_S
    with Writer(step) as writer:
        while number < CUTS or turns < TURNS:
            number += 1
            yield cutter.cut(exact=exact and number % 10 == 0)
            turns += writer.number != last
            last = writer.number
            assert time.monotonic() < end_s, "the writer never has its turn"


def instants(live, names, step, *, exact=False):
    """Yield the attributes as of each of many cuts taken while `step` is called; check what they report, too."""
    cutter = Cutter(live, names)
    seen = {"vars": {}, "calls": {}}
    apply(seen, cutter.cut())
    for number, changes in enumerate(cuts_of(cutter, step, exact=exact)):
        apply(seen, changes)
        assert cutter.problems == {}
        yield cutter.document["vars"]
        if number % 100 == 0:
            assert same(seen, cutter.document)
    apply(seen, cutter.cut(exact=True))
    assert same(seen["vars"], {name: live[name] for name in names})


def in_program_order(first, *others):
    """Whether numbers that are written in this order, and then again one higher, may be seen at one instant."""
    order = [first, *others]
    return order == sorted(order, reverse=True) and order[0] - order[-1] <= 1


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("containers", [[], [[1]]], ids=["scalars alone", "beside a container"])
def test_a_scalar_written_later_is_never_seen_ahead_of_one_written_earlier(exact, containers):
    live = {CALLS: {}, "a": 0, **{f"other{i}": i for i in range(20)}, "b": 0, "containers": containers}

    def step(number, pause):
        live["a"] += 1
        pause()
        live["b"] = live["a"]
        pause()

    last = (0, 0)
    for state in instants(live, list(live)[1:], step, exact=exact):
        assert in_program_order(state["a"], state["b"])
        assert (state["a"], state["b"]) >= last
        last = state["a"], state["b"]


@pytest.mark.parametrize("exact", [False, True])
def test_a_list_and_its_length_are_of_one_instant(exact):
    live = {CALLS: {}, "before": 0, "items": [], "n": 0}

    def step(number, pause):
        if live["n"] == ROOM:
            live["before"] = 0
            pause()
            live["items"].clear()
            pause()
            live["n"] = 0
            pause()
        live["before"] += 1
        pause()
        live["items"].append(number)
        pause()
        live["n"] += 1
        pause()

    for state in instants(live, ["n", "items", "before"], step, exact=exact):
        before, items, n = state["before"], state["items"], state["n"]
        assert in_program_order(before, len(items), n) or (before == 0 and len(items) in (0, ROOM) and n == ROOM)
        assert items == list(range(items[0], items[0] + len(items))) if items else True


@pytest.mark.parametrize("exact", [False, True])
def test_nested_dicts_changed_in_place_are_of_one_instant(exact):
    live = {CALLS: {}, "before": 0, "table": {"rows": {"x": 0, "y": 0}, "z": [0]}, "flat": {"n": 0}, "after": 0}

    def step(number, pause):
        table = live["table"]
        live["before"] = number
        pause()
        table["rows"]["x"] = number
        pause()
        table["rows"]["y"] = number
        pause()
        table["z"][0] = number
        pause()
        live["flat"]["n"] = number
        pause()
        live["after"] = number
        pause()

    for state in instants(live, ["after", "flat", "table", "before"], step, exact=exact):
        table = state["table"]
        numbers = table["rows"]["x"], table["rows"]["y"], table["z"][0], state["flat"]["n"]
        assert in_program_order(state["before"], *numbers, state["after"])


def test_containers_replaced_as_a_whole_are_of_one_instant():
    live = {CALLS: {}, "a": {"n": [0]}, "b": {"n": {"m": 0}}, "c": (0, [0]), "d": [0], "e": 0}

    def step(number, pause):
        live["a"] = {"n": [number]}
        pause()
        live["b"] = {"n": {"m": number}}
        pause()
        live["c"] = (number, [number])
        pause()
        live["d"] = [number]
        pause()
        live["e"] = number
        pause()

    for state in instants(live, ["e", "d", "c", "b", "a"], step):
        (c, (d,)) = state["c"]
        assert c == d
        assert in_program_order(state["a"]["n"][0], state["b"]["n"]["m"], c, state["d"][0], state["e"])


def test_containers_that_grow_and_shrink_without_end_are_cut_all_the_same():
    live = {CALLS: {}, "table": {}, "rows": [{}], "n": 0}

    def step(number, pause):
        live["table"][number % 50] = {"x": number}
        pause()
        live["table"].pop((number + 25) % 50, None)
        pause()
        live["rows"].append({"n": [number]})
        pause()
        if len(live["rows"]) > 20:
            del live["rows"][:15]
        live["n"] = number
        pause()

    for state in instants(live, ["table", "rows", "n"], step):
        newest = state["rows"][-1].get("n", [0])[0]
        assert in_program_order(newest, state["n"])
        assert max((row["x"] for row in state["table"].values()), default=0) - newest in (0, 1)


def test_an_attribute_that_changes_its_type_without_end_is_cut_all_the_same():
    live = {CALLS: {}, "a": 0, "b": 0}
    shapes = [lambda n: n, lambda n: [n], lambda n: {"n": n}, lambda n: (n,), lambda n: [[n]], lambda n: {"n": [n]}]

    def step(number, pause):
        live["a"] = shapes[number % len(shapes)](number)
        pause()
        live["b"] = number
        pause()

    def number_in(value):
        while not isinstance(value, int):
            value = value["n"] if isinstance(value, dict) else value[0]
        return value

    for state in instants(live, ["a", "b"], step):
        assert in_program_order(number_in(state["a"]), state["b"])


def test_calls_and_attributes_are_of_one_instant():
    live = {CALLS: {"run:1": {"statuses": [0]}}, "a": 0}

    def step(number, pause):
        live["a"] = number
        pause()
        live[CALLS] = {**live[CALLS], "run:1": {"statuses": [number]}}
        pause()

    cutter = Cutter(live, ["a"])
    for _ in cuts_of(cutter, step):
        assert in_program_order(cutter.document["vars"]["a"], *cutter.document["calls"]["run:1"]["statuses"])


def test_what_state_cannot_hold_comes_and_goes_without_harm_to_the_others():
    live = {CALLS: {}, "items": [0], "table": {"x": [0]}, "n": 0}
    bad = object()

    def step(number, pause):
        live["items"].append(bad)
        pause()
        live["table"]["x"].append({1})
        pause()
        live["items"].pop()
        pause()
        live["table"]["x"].pop()
        pause()
        live["n"] = number
        pause()

    cutter = Cutter(live, ["items", "table", "n"])
    cutter.cut()
    troubled = 0
    for changes in cuts_of(cutter, step):
        assert {change.path for change in changes} <= {("vars", "n")}
        assert cutter.document["vars"]["items"] == [0]
        assert cutter.document["vars"]["table"] == {"x": [0]}
        troubled += bool(cutter.problems)
    assert troubled
    cutter.cut()
    assert cutter.problems == {}
    assert same(cutter.document["vars"], {name: live[name] for name in ("items", "table", "n")})


def test_a_work_that_is_written_through_its_attributes_is_cut_consistently():
    class Busy(LightningWork):
        def __init__(self):
            super().__init__()
            self.a = 0
            self.flags = [0]
            self.table = {"n": [0]}
            self.text = "0"
            self.b = 0

        def run(self):
            """Is called here by another name."""

    work = Busy()

    def step(number, pause):
        work.a = number
        pause()
        work.flags = [number]
        pause()
        work.table["n"] = [number]
        pause()
        work.text = str(number)
        pause()
        work.b = number
        pause()

    names = ["b", "text", "table", "flags", "a"]
    for state in instants(work.__dict__, names, step):
        assert in_program_order(state["a"], *state["flags"], *state["table"]["n"], int(state["text"]), state["b"])


def test_private_attributes_may_come_and_go_meanwhile():
    live = {CALLS: {}, "a": 0, "b": 0}

    def step(number, pause):
        live["a"] = number
        pause()
        live[f"_{number % 100}"] = object()
        pause()
        live.pop(f"_{(number + 50) % 100}", None)
        pause()
        live["b"] = number
        pause()

    for state in instants(live, ["a", "b"], step):
        assert in_program_order(state["a"], state["b"])

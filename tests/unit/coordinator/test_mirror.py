"""The mirror of one Work: replica, component and published view, and what the Flow writes in between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import containers, edited, fingerprint, values
from tick_harness import Flow, Work

from lightning_grpc.coordinator.mirror import Mirror
from lightning_grpc.errors import InvalidValueError, ProtocolError
from lightning_grpc.state.delta import Delete, Set, Splice, apply, diff
from lightning_grpc.state.digest import digest
from lightning_grpc.state.values import copy, same


class Pair:
    """A Work's process and the mirror of it; the changes that the mirror shows make up `seen`."""

    def __init__(self, **attributes):
        self.work = Flow(w=Work()).w
        for name, value in attributes.items():
            setattr(self.work, name, value)
        self.theirs = {"vars": self.work._vars(), "calls": copy(self.work._calls)}
        self.mirror = Mirror(self.work)
        self.seen = copy(self.theirs)

    def work_writes(self, **attributes):
        after = copy(self.theirs)
        after["vars"].update(copy(attributes))
        self.work_becomes(after)

    def work_becomes(self, after):
        changes = diff(self.theirs, after)
        self.theirs = after
        self.receive(changes)

    def receive(self, changes):
        apply(self.seen, self.mirror.apply(changes)[0])
        self.check()

    def flow_wrote(self):
        """Take in what the Flow has written on the component."""
        apply(self.seen, self.mirror.cut())
        self.check()

    def check(self):
        assert same(self.mirror.replica, self.theirs)
        assert self.mirror.verify(digest(self.theirs))
        # A cut of what the Flow wrote sees what `==` sees.
        assert fingerprint(self.seen["vars"], exact=False) == fingerprint(self.work.state["vars"], exact=False)


def test_what_the_work_writes_is_shown():
    pair = Pair()
    pair.work_writes(counter=5, items=[1], table={"a": [1]})
    assert (pair.work.counter, pair.work.items, pair.work.table) == (5, [1], {"a": [1]})


def test_the_flow_may_read_what_it_likes_without_having_written():
    pair = Pair(items=[1], table={"a": [1]})
    pair.work_writes(items=[1, 2], table={"a": [1, 2]})
    assert pair.mirror.cut() == []
    assert pair.mirror.take_written() == {}


def test_what_the_flow_writes_is_shown_and_taken_once():
    pair = Pair(items=[1])
    pair.work.counter = 5
    pair.work.items.append(2)
    pair.flow_wrote()
    assert pair.mirror.take_written() == {"counter": 5, "items": [1, 2]}
    assert pair.mirror.take_written() == {}


def test_what_was_taken_does_not_follow_later_writes():
    pair = Pair(items=[1])
    pair.work.items.append(2)
    pair.flow_wrote()
    written = pair.mirror.take_written()
    pair.work.items.append(3)
    assert written == {"items": [1, 2]}


def test_what_the_work_writes_later_is_not_the_flows_to_give():
    pair = Pair()
    pair.work.counter = 5
    pair.flow_wrote()
    pair.work_writes(counter=6)
    assert pair.work.counter == 6
    assert pair.mirror.take_written() == {}


def test_several_changes_of_a_list_that_the_flow_has_replaced_give_the_works_list():
    pair = Pair(items=[1, 2])
    pair.work.items = [9]
    pair.flow_wrote()
    pair.work_writes(items=[5, 2, 6])
    assert pair.work.items == [5, 2, 6]


def test_several_changes_of_a_dict_that_the_flow_has_replaced_give_the_works_dict():
    pair = Pair(table={"a": 1, "b": [1]})
    pair.work.table = {"flow": 0}
    pair.flow_wrote()
    pair.work_writes(table={"flow": 0})
    pair.work_writes(table={"a": {"b": [1]}, "c": 2})
    assert pair.work.table == {"a": {"b": [1]}, "c": 2}


def test_what_the_flow_has_made_unfit_for_the_works_change_becomes_the_works_again():
    pair = Pair()
    pair.work_writes(items=[1, 2, 3], table={"a": {"b": 1}})
    pair.work.items.clear()
    del pair.work.table["a"]
    pair.work_writes(items=[1, 2, 4], table={"a": {"b": 2}})
    assert (pair.work.items, pair.work.table) == ([1, 2, 4], {"a": {"b": 2}})


def test_what_the_flow_wrote_before_the_work_wrote_the_same_is_no_change():
    pair = Pair()
    pair.work.counter = 5
    pair.work.items = [5]
    pair.flow_wrote()
    shown, _ = pair.mirror.apply([Set(("vars", "counter"), 5), Splice(("vars", "items"), 0, 0, [5])])
    assert shown == []


def test_an_attribute_that_the_work_gains_is_one_the_flow_may_write():
    pair = Pair()
    pair.theirs["vars"]["gained"] = 1
    pair.receive([Set(("vars", "gained"), 1)])
    assert pair.work.gained == 1
    pair.work.gained = 2
    pair.flow_wrote()
    assert pair.mirror.take_written() == {"gained": 2}


def test_an_attribute_that_the_work_loses_is_gone():
    pair = Pair(items=[1])
    del pair.theirs["vars"]["items"]
    pair.receive([Delete(("vars", "items"))])
    assert not hasattr(pair.work, "items")
    assert "items" not in pair.work.state["vars"]
    assert pair.mirror.cut() == []


def test_a_snapshot_is_taken_over():
    pair = Pair(items=[1])
    pair.work.items = [9]
    pair.flow_wrote()
    pair.theirs["vars"].update(counter=3, items=[2, 3])
    shown, calls = pair.mirror.replace(copy(pair.theirs))
    apply(pair.seen, shown)
    pair.check()
    assert (pair.work.counter, pair.work.items, calls) == (3, [2, 3], [])


def test_the_mirror_shares_nothing_with_a_snapshot():
    pair = Pair()
    document = copy(pair.theirs)
    document["vars"]["items"] = [1]
    pair.mirror.replace(document)
    document["vars"]["items"].append(2)
    assert pair.work.items == [1]
    assert pair.mirror.replica["vars"]["items"] == [1]


def test_the_flow_cannot_reach_into_the_replica():
    pair = Pair()
    pair.work_writes(items=[[1]], table={"a": {}})
    pair.work.items[0].append(2)
    pair.work.table["a"]["x"] = 1
    assert same(pair.mirror.replica, pair.theirs)
    pair.flow_wrote()


def test_calls_that_changed_are_named():
    pair = Pair()
    entry = {"name": "run", "call_id": "1", "statuses": [{"stage": "running"}]}
    _, calls = pair.mirror.apply([Set(("calls", "run:1"), entry), Set(("calls", "latest_call_hash"), "run:1")])
    assert calls == ["run:1", "latest_call_hash"]
    assert pair.mirror.entry("run:1") == entry
    assert pair.mirror.entry("run:2") is None
    _, calls = pair.mirror.apply([Splice(("calls", "run:1", "statuses"), 1, 0, [{"stage": "succeeded"}])])
    assert calls == ["run:1"]


def test_calls_are_shown_when_they_are_set():
    pair = Pair()
    entry = {"name": "run", "call_id": "1", "statuses": [{"stage": "pending"}]}
    assert pair.mirror.set_calls({"run:1": entry, "latest_call_hash": "run:1"}) == [
        Set(("calls", "run:1"), entry),
        Set(("calls", "latest_call_hash"), "run:1"),
    ]
    assert pair.work.state["calls"] == {"latest_call_hash": "run:1", "run:1": entry}
    assert pair.mirror.set_calls({"run:1": copy(entry)}) == []
    assert pair.mirror.cut() == []


def test_what_state_cannot_hold_is_an_error_that_names_the_work():
    pair = Pair(items=[])
    pair.work.items.append({1})
    with pytest.raises(InvalidValueError, match=r"root\.w \(Work\): items\[0\] is \{1\}"):
        pair.mirror.cut()


@pytest.mark.parametrize(
    "change",
    [
        Set(("vars",), {}),
        Set(("stuff", "x"), 1),
        Set(("stuff",), {}),
        Set((), {}),
        Splice((), 0, 0, [1]),
        Delete(("vars",)),
        Set(("vars", 5), 1),
        Delete(("vars", "missing")),
        Set(("vars", "counter", "x"), 1),
    ],
    ids=repr,
)
def test_a_change_that_no_work_makes_is_a_breach_of_protocol(change):
    pair = Pair()
    with pytest.raises(ProtocolError):
        pair.mirror.apply([change])


@pytest.mark.parametrize("document", [{}, {"vars": {}}, {"calls": {}}, {"vars": {}, "calls": {}, "more": {}}], ids=repr)
def test_a_snapshot_with_other_sections_is_a_breach_of_protocol(document):
    pair = Pair()
    with pytest.raises(ProtocolError):
        pair.mirror.replace(document)


NAMES = ["counter", "items", "table"]


@given(st.data(), containers(), containers())
def test_work_and_flow_may_write_in_any_order(data, items, table):
    pair = Pair(items=items, table=table)
    for _ in range(data.draw(st.integers(1, 6))):
        name = data.draw(st.sampled_from(NAMES))
        match data.draw(st.sampled_from(["work", "work", "flow", "flow in place", "taken over"])):
            case "work":
                before = copy(pair.theirs["vars"][name])
                pair.work_writes(**{name: data.draw(edited(copy(before)))})
                if not same(before, pair.theirs["vars"][name]):
                    assert same(getattr(pair.work, name), pair.theirs["vars"][name])
            case "flow":
                setattr(pair.work, name, data.draw(values(3)))
                pair.flow_wrote()
            case "flow in place":
                value = getattr(pair.work, name)
                if isinstance(value, list):
                    value.append(data.draw(values(2)))
                elif isinstance(value, dict):
                    value["flow"] = data.draw(values(2))
                pair.flow_wrote()
            case _:
                written = pair.mirror.take_written()
                assert all(same(value, getattr(pair.work, key)) for key, value in written.items())
                pair.work_writes(**written)
                assert same({**pair.theirs["vars"], **written}, pair.theirs["vars"])

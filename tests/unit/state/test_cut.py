"""Cuts: the document follows the live attributes, in-place mutations included."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from strategies import containers, fingerprint, keys, leaves, mutable_parts, sections, texts, values

from lightning_grpc.errors import InvalidValueError, StateTooLargeError
from lightning_grpc.state.cut import ASSIGNED, CALLS, Cutter
from lightning_grpc.state.delta import MISSING, Delete, Set, Splice, apply
from lightning_grpc.state.digest import digest
from lightning_grpc.state.values import copy, same

LIMIT_BYTES = 64 << 20  # as every Work has one


def cutter_of(**attributes):
    """A cutter of an object with these attributes, which has taken its first cut."""
    live = {CALLS: {}, **attributes}
    cutter = Cutter(live, attributes, limit_bytes=LIMIT_BYTES)
    cutter.cut()
    return cutter, live


def state_of(live, *, without=()):
    return {
        "vars": {name: value for name, value in live.items() if name not in (CALLS, *without)},
        "calls": live[CALLS],
    }


def mutable_places(value):
    """All lists and dicts in a value, itself included."""
    found = [value] if isinstance(value, list | dict) else []
    if isinstance(value, list | tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            found += mutable_places(item)
    return found


def mutate_dict(data, container):
    match data.draw(st.sampled_from(["set", "remove", "update", "clear"])):
        case "set" if container:
            container[data.draw(st.sampled_from(list(container)))] = data.draw(values(3))
        case "remove" if container:
            del container[data.draw(st.sampled_from(list(container)))]
        case "clear":
            container.clear()
        case _:
            container.update({data.draw(keys()): data.draw(values(3))})


def mutate_list(data, container):
    value = data.draw(values(3))
    match data.draw(st.sampled_from(["append", "insert", "set", "remove", "reverse", "clear", "extend"])):
        case "insert":
            container.insert(data.draw(st.integers(0, len(container))), value)
        case "set" if container:
            container[data.draw(st.integers(0, len(container) - 1))] = value
        case "remove" if container:
            del container[data.draw(st.integers(0, len(container) - 1))]
        case "reverse":
            container.reverse()
        case "clear":
            container.clear()
        case "extend":
            container.extend([value] * 10)
        case _:
            container.append(value)


POISON = object()


class Edits(RuleBasedStateMachine):
    """Attributes that are assigned and changed in place at random, and cuts taken at random.

    Now and then something that state cannot hold is put into a container. `seen` is a document that is given
    the reported changes and nothing else.
    """

    @initialize(attributes=sections(), limit_bytes=st.sampled_from([0, LIMIT_BYTES]))
    def begin(self, attributes, limit_bytes):
        self.live = {CALLS: {}, "_private": POISON, **copy(attributes), "items": [], "table": {"a": {"b": [1]}}}
        self.names = [name for name in self.live if name not in (CALLS, "_private")]
        self.cutter = Cutter(self.live, self.names, limit_bytes=limit_bytes)
        self.seen = {"vars": {}, "calls": {}}
        self.cut(exact=False)

    def places(self):
        return mutable_places([self.live[name] for name in self.names])[1:]

    @rule(data=st.data(), value=values(6))
    def assign(self, data, value):
        self.live[data.draw(st.sampled_from(self.names))] = value

    @rule(data=st.data())
    def assign_one_attribute_to_another(self, data):
        target, source = (data.draw(st.sampled_from(self.names)) for _ in range(2))
        self.live[target] = self.live[source]

    @rule(data=st.data(), duplicate=st.booleans())
    def change_in_place(self, data, duplicate):
        if duplicate:
            name = data.draw(st.sampled_from(self.names))
            self.live[name] = copy(self.live[name])
        places = self.places()
        if places:
            container = data.draw(st.sampled_from(places))
            mutate = mutate_dict if isinstance(container, dict) else mutate_list
            mutate(data, container)

    @rule(key=st.sampled_from("ab"), entry=values(3))
    def change_a_call(self, key, entry):
        self.live[CALLS] = {**self.live[CALLS], key: entry}

    @rule(name=texts())
    def declare_another(self, name):
        if name not in self.live:
            self.live[name] = 0
            self.names.append(name)
            self.cutter.declare(name)

    @rule(data=st.data())
    def poison(self, data):
        places = self.places()
        if places:
            container = data.draw(st.sampled_from(places))
            if isinstance(container, dict):
                container["poison"] = POISON
            else:
                container.append(POISON)

    @rule()
    def cure(self):
        for container in self.places():
            if isinstance(container, dict):
                container.pop("poison", None)
            elif POISON in container:
                container.remove(POISON)

    @rule(exact=st.booleans())
    def cut(self, exact):
        before = copy(self.seen)
        changes = self.cutter.cut(exact=exact)
        apply(self.seen, changes)
        assert same(self.seen, self.cutter.document)
        poisoned = {name for name in self.names if any(leaf is POISON for leaf in leaves(self.live[name]))}
        assert self.cutter.problems.keys() == poisoned
        assert all(same(self.seen["vars"].get(name), before["vars"].get(name)) for name in poisoned)
        state = state_of(self.live, without=["_private", *poisoned])
        seen = {**self.seen, "vars": {name: self.seen["vars"][name] for name in state["vars"]}}
        assert self.seen["vars"].keys() == state["vars"].keys() | (poisoned & before["vars"].keys())
        assert fingerprint(seen, exact=exact) == fingerprint(state, exact=exact)
        assert not mutable_parts(self.cutter.document["vars"]) & mutable_parts(state["vars"])
        held = self.seen["vars"].values()
        assert self.cutter.has_containers == any(isinstance(value, list | tuple | dict) for value in held)

    @rule()
    def cut_twice(self):
        self.cut(exact=True)
        assert self.cutter.cut(exact=True) == []
        assert self.cutter.cut() == []


TestReportedChangesMakeTheDocumentWhatTheAttributesAre = Edits.TestCase
TestReportedChangesMakeTheDocumentWhatTheAttributesAre.settings = settings(stateful_step_count=25)


def test_the_first_cut_reports_every_attribute_as_added():
    cutter = Cutter({CALLS: {}, "a": 1, "b": [2], "_c": object()}, ["a", "b"])
    changes = cutter.cut()
    assert sorted(changes, key=lambda change: change.path) == [Set(("vars", "a"), 1), Set(("vars", "b"), [2])]
    assert all(change.old is MISSING for change in changes)


def test_only_declared_attributes_are_looked_at():
    cutter, live = cutter_of(a=1)
    live["_private"] = object()
    live["undeclared"] = 2
    assert cutter.cut() == []


def test_a_change_carries_what_it_replaced():
    cutter, live = cutter_of(a=1, items=[1, 2])
    live["a"] = 2
    live["items"].append(3)
    by_path = {change.path: change for change in cutter.cut()}
    assert by_path["vars", "a"].old == 1
    assert by_path["vars", "items"] == Splice(("vars", "items"), 2, 0, [3])


def test_a_mutation_through_an_alias_is_seen():
    table = {"rows": [{"x": 1}]}
    row = table["rows"][0]
    cutter, _ = cutter_of(table=table)
    row["x"] = 2
    assert cutter.cut() == [Set(("vars", "table", "rows", 0, "x"), 2)]


def test_an_equal_scalar_that_is_another_object_is_no_change():
    cutter, live = cutter_of(a=10**20, b="x" * 100, c=math.nan)
    live.update(a=int("1" + "0" * 20), b="".join(["x"] * 100), c=float("nan"))
    assert cutter.cut() == []


@pytest.mark.parametrize(("before", "after"), [(1, True), (0, False), (1, 1.0), (0.0, -0.0), (2**53, 2.0**53)])
def test_an_assigned_scalar_of_an_equal_value_and_another_type_is_a_change(before, after):
    cutter, live = cutter_of(a=before)
    live["a"] = after
    assert cutter.cut() == [Set(("vars", "a"), after)]
    assert same(cutter.document["vars"]["a"], after)


@pytest.mark.parametrize(("before", "after"), [(1, True), (0, False), (1, 1.0), (0.0, -0.0), (2**53, 2.0**53)])
@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda v: [0, v], (1,)),
        (lambda v: {"k": v}, ("k",)),
        (lambda v: [[v]], (0, 0)),
        (lambda v: {"k": [v]}, ("k", 0)),
    ],
)
def test_an_exact_cut_sees_an_item_become_an_equal_one_of_another_type(before, after, wrap, path):
    cutter, live = cutter_of(box=wrap(before))
    target = live["box"]
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = after
    assert cutter.cut(exact=True) == [Set(("vars", "box", *path), after)]
    assert cutter.cut(exact=True) == []


def test_a_container_may_become_a_scalar_and_a_scalar_a_container():
    cutter, live = cutter_of(a=[1], b=2)
    live.update(a=3, b={"x": [4]})
    assert sorted(cutter.cut(), key=lambda change: change.path) == [
        Set(("vars", "a"), 3),
        Set(("vars", "b"), {"x": [4]}),
    ]
    live["b"]["x"].append(5)
    assert cutter.cut() == [Splice(("vars", "b", "x"), 1, 0, [5])]
    live.update(a=[], b=None)
    assert len(cutter.cut()) == 2
    assert not cutter.document["vars"]["b"]


def test_a_flat_container_that_gets_nested_is_followed_to_the_bottom():
    cutter, live = cutter_of(items=[1])
    live["items"].append({"a": [1]})
    cutter.cut()
    live["items"][1]["a"].append(2)
    assert cutter.cut() == [Splice(("vars", "items", 1, "a"), 1, 0, [2])]


def test_a_mutable_item_of_a_tuple_is_followed():
    cutter, live = cutter_of(pair=(1, [2]))
    live["pair"][1].append(3)
    assert cutter.cut() == [Set(("vars", "pair"), (1, [2, 3]))]


def test_an_attribute_that_is_forgotten_is_reported_once_and_not_looked_at_again():
    cutter, live = cutter_of(a=1, items=[1])
    assert cutter.forget("items") == [Delete(("vars", "items"))]
    live["items"].append(object())
    assert cutter.cut() == []
    assert cutter.problems == {}
    assert cutter.document == {"vars": {"a": 1}, "calls": {}}


def test_an_attribute_forgotten_before_it_was_published_was_never_there():
    cutter = Cutter({CALLS: {}, "a": 1}, ["a"])
    assert cutter.forget("a") == []


def test_the_calls_are_reported_entry_by_entry():
    cutter, live = cutter_of()
    live[CALLS] = {"run:1": {"statuses": [1]}}
    assert cutter.cut() == [Set(("calls", "run:1"), {"statuses": [1]})]
    live[CALLS] = {"run:1": {"statuses": [1, 2]}}
    assert cutter.cut() == [Splice(("calls", "run:1", "statuses"), 1, 0, [2])]


@pytest.mark.parametrize("value", [1, "x", [1], {"a": [1]}, (1, [2])], ids=repr)
def test_what_was_published_from_outside_is_not_reported(value):
    cutter, live = cutter_of(a=0, b=[0])
    for name in ("a", "b"):
        live[name] = copy(value)
        cutter.publish(name, value)
    live[CALLS] = {"run:1": {}}
    cutter.publish(CALLS, live[CALLS])
    assert cutter.cut() == []
    assert cutter.cut(exact=True) == []


@pytest.mark.parametrize("value", [1, [1]], ids=repr)
def test_an_attribute_first_published_from_outside_is_followed_like_any_other(value):
    cutter, live = cutter_of()
    live["new"] = copy(value)
    cutter.publish("new", value)
    assert cutter.cut() == []
    live["new"] = [2]
    assert [change.path[:2] for change in cutter.cut()] == [("vars", "new")]


NANS = {
    "a list": lambda: [math.nan],
    "a list with a fresh nan": lambda: [float("nan")],
    "a nested list": lambda: [[float("nan")], 1],
    "a dict": lambda: {"loss": float("nan")},
    "a nested dict": lambda: {"epochs": [{"loss": float("nan")}]},
    "a tuple": lambda: (1, float("nan")),
    "a tuple in a list": lambda: [(float("nan"),)],
}


@pytest.mark.parametrize("make", NANS.values(), ids=NANS.keys())
def test_nan_in_a_container_is_not_reported_again_and_again(make):
    cutter, live = cutter_of(box=make(), n=0)
    for n in range(1, 5):
        live["n"] = n
        assert cutter.cut() == [Set(("vars", "n"), n)]
        assert cutter.cut(exact=True) == []


@pytest.mark.parametrize("make", NANS.values(), ids=NANS.keys())
def test_nan_in_a_container_costs_no_more_than_a_comparison_once_it_is_published(make):
    cutter, live = cutter_of(box=make())
    cutter.cut()
    assert live["box"] == cutter.document["vars"]["box"]  # by identity: nan is equal to nothing


INVALID = {
    "an object": object(),
    "a set": {1},
    "bytes": b"a",
    "a lambda": lambda: None,
    "a subclass of dict": type("Sub", (dict,), {})(),
    "a subclass of int": type("Sub", (int,), {})(1),
    "a lone surrogate": "\ud800",
    "a float key": {1.5: 0},
    "a bool key": {True: 0},
    "a complex number": 1j,
}


class Incomparable:
    def __eq__(self, other):
        raise ZeroDivisionError

    __hash__ = None


class Unprintable:
    def __repr__(self):
        raise ZeroDivisionError


@pytest.mark.parametrize("bad", INVALID.values(), ids=INVALID.keys())
@pytest.mark.parametrize("exact", [False, True])
def test_what_state_cannot_hold_is_a_problem_of_its_attribute_alone(bad, exact):
    cutter, live = cutter_of(n=0, items=[1], table={"rows": [1]}, other=[[1]])
    live["items"].append(bad)
    live["table"]["rows"].append(bad)
    live["other"][0].append(2)
    live["n"] = 1
    changes = cutter.cut(exact=exact)
    assert sorted(change.path[1] for change in changes) == ["n", "other"]
    assert sorted(cutter.problems) == ["items", "table"]
    assert cutter.problems["items"].path[:2] == ("items", 1)
    assert cutter.problems["table"].path[:3] == ("table", "rows", 1)
    assert cutter.document["vars"] == {"n": 1, "items": [1], "table": {"rows": [1]}, "other": [[1, 2]]}
    digest(cutter.document)  # it can still be hashed, and so sent


@pytest.mark.parametrize("bad", [*INVALID.values(), Incomparable()], ids=[*INVALID.keys(), "an incomparable object"])
def test_an_attribute_recovers_when_what_state_cannot_hold_is_taken_out(bad):
    cutter, live = cutter_of(items=[1], table={"rows": [1]})
    live["items"].insert(0, bad)
    live["table"]["rows"].insert(0, bad)
    for _ in range(3):
        assert cutter.cut() == []
        assert sorted(cutter.problems) == ["items", "table"]
    live["items"][0] = 0
    live["table"]["rows"][0] = 0
    assert sorted(cutter.cut(), key=lambda change: change.path) == [
        Splice(("vars", "items"), 0, 0, [0]),
        Splice(("vars", "table", "rows"), 0, 0, [0]),
    ]
    assert cutter.problems == {}


def test_an_attribute_with_a_problem_recovers_when_it_is_assigned_anew():
    cutter, live = cutter_of(items=[1])
    live["items"].append(object())
    cutter.cut()
    live["items"] = 5
    assert cutter.cut() == [Set(("vars", "items"), 5)]
    assert cutter.problems == {}


def test_an_object_that_cannot_be_printed_is_a_problem_like_any_other():
    cutter, live = cutter_of(items=[1], n=0)
    live["items"].append(Unprintable())
    live["n"] = 1
    assert cutter.cut() == [Set(("vars", "n"), 1)]
    assert list(cutter.problems) == ["items"]


def test_a_container_that_contains_itself_is_a_problem():
    cutter, live = cutter_of(items=[1], table={"a": {}})
    live["items"].append(live["items"])
    live["table"]["a"]["back"] = live["table"]
    assert cutter.cut() == []
    assert sorted(cutter.problems) == ["items", "table"]
    assert "contains itself" in str(cutter.problems["items"])


def test_a_container_nested_too_deep_is_a_problem():
    cutter, live = cutter_of(items=[])
    inner = live["items"]
    for _ in range(40):
        inner.append([])
        inner = inner[0]
    assert cutter.cut() == []
    assert list(cutter.problems) == ["items"]
    live["items"][0].clear()
    assert len(cutter.cut()) == 1


def test_what_state_cannot_hold_from_the_start_is_a_problem_and_no_part_of_the_document():
    cutter = Cutter({CALLS: {}, "n": 0, "items": [{1}], "table": {"a": [object()]}}, ["n", "items", "table"])
    assert cutter.cut() == [Set(("vars", "n"), 0)]
    assert sorted(cutter.problems) == ["items", "table"]
    assert cutter.document == {"vars": {"n": 0}, "calls": {}}


def test_what_state_could_not_hold_from_the_start_is_added_when_it_can():
    live = {CALLS: {}, "items": [{1}]}
    cutter = Cutter(live, ["items"])
    cutter.cut()
    live["items"][0] = 1
    assert cutter.cut() == [Set(("vars", "items"), [1])]


def test_a_cut_changes_nothing_of_what_it_reads():
    items = [1, [2]]
    cutter, live = cutter_of(items=items)
    before = copy(live)
    cutter.cut(exact=True)
    assert live == before
    assert live["items"] is items


@given(containers())
def test_the_document_does_not_change_before_the_next_cut(value):
    cutter, live = cutter_of(box=value)
    before = copy(cutter.document)
    for container in itertools.islice(mutable_places(live["box"]), 5):
        container.clear()
    assert same(cutter.document, before)


def test_problems_are_invalid_value_errors():
    cutter, live = cutter_of(items=[])
    live["items"].append({1})
    cutter.cut()
    assert type(cutter.problems["items"]) is InvalidValueError


# How large it may become.


def limited(limit, **attributes):
    live = {CALLS: {}, **attributes}
    cutter = Cutter(live, attributes, limit_bytes=limit)
    cutter.cut()
    return cutter, live


LARGE = {"a text": "x" * 2000, "a list": ["x" * 2000], "a dict": {"k": ["x" * 2000]}, "a text not in ASCII": "é" * 1000}


@pytest.mark.parametrize("large", LARGE.values(), ids=LARGE.keys())
def test_a_value_that_makes_the_state_too_large_is_a_problem_and_what_was_there_stays(large):
    cutter, live = limited(1500, a="small", n=0)
    live.update(a=large, n=1)
    for _ in range(2):
        cutter.cut()
        assert type(cutter.problems["a"]) is StateTooLargeError
        assert cutter.document["vars"] == {"a": "small", "n": 1}


def test_a_list_that_grows_too_large_in_place_is_a_problem():
    cutter, live = limited(1500, items=["x" * 1000], n=0)
    live["items"].append("y" * 1000)
    live["n"] = 1
    assert cutter.cut() == [Set(("vars", "n"), 1)]
    assert "above its limit" in str(cutter.problems["items"])
    live["items"].pop(0)
    assert [change.path for change in cutter.cut()] == [("vars", "items", 0)]
    assert cutter.problems == {}


def test_the_limit_is_for_all_attributes_together():
    cutter, live = limited(1500, a="x" * 1000, b="")
    live["b"] = "y" * 1000
    assert cutter.cut() == []
    assert list(cutter.problems) == ["b"]


@pytest.mark.parametrize("small", ["", None, 5, True, [], ()], ids=repr)
@pytest.mark.parametrize("large", ["x" * 1000, ["x" * 1000]], ids=["text", "list"])
def test_a_value_that_gave_way_to_a_smaller_one_leaves_room_for_others(large, small):
    cutter, live = limited(1500, a=large, b="")
    live["a"] = small
    cutter.cut()
    live["b"] = "y" * 1000
    assert cutter.cut() == [Set(("vars", "b"), "y" * 1000)]
    assert cutter.problems == {}


def test_an_attribute_that_was_forgotten_leaves_room_for_others():
    cutter, live = limited(1500, a="x" * 1000, b="")
    cutter.forget("a")
    live["b"] = "y" * 1000
    assert cutter.cut() == [Set(("vars", "b"), "y" * 1000)]


def test_without_a_limit_anything_fits():
    cutter, live = cutter_of(a="")
    live["a"] = "x" * 1_000_000
    assert len(cutter.cut()) == 1
    assert cutter.problems == {}


def test_an_equal_container_of_other_types_that_was_assigned_is_seen_when_the_writer_says_so():
    cutter, live = cutter_of(flags=[1, 0])
    live[ASSIGNED] = set()
    live["flags"] = [True, False]
    live[ASSIGNED].add("flags")
    assert cutter.cut() == [Set(("vars", "flags", 0), True), Set(("vars", "flags", 1), False)]
    assert live[ASSIGNED] == set()


def test_what_was_assigned_may_be_no_container_any_more():
    cutter, live = cutter_of(a=[1], b=0)
    live[ASSIGNED] = {"a", "b", "_private"}
    live.update(a=5, b="x")
    assert len(cutter.cut()) == 2
    assert cutter.document["vars"] == {"a": 5, "b": "x"}
    live["b"] = 6
    assert cutter.cut() == [Set(("vars", "b"), 6)]


def test_an_equal_item_of_another_type_far_from_an_append_is_reported_by_the_next_exact_cut():
    cutter, live = cutter_of(items=list(range(10_000)))
    live["items"][1] = True
    live["items"].append(4)
    assert cutter.cut() == [Splice(("vars", "items"), 10_000, 0, [4])]
    assert cutter.document["vars"]["items"][1] is not True
    assert cutter.cut(exact=True) == [Set(("vars", "items", 1), True)]
    assert same(cutter.document["vars"]["items"], live["items"])


def test_one_nan_in_place_of_another_is_no_change_and_is_looked_at_closely_only_once():
    cutter, live = cutter_of(items=[1.0, math.nan, 2.0])
    live["items"][1] = float("nan")
    assert cutter.cut() == []
    assert cutter.document["vars"]["items"][1] is live["items"][1]


def test_what_was_reported_of_a_list_does_not_change_when_the_list_does():
    cutter, live = cutter_of(items=0)
    live["items"] = [1, 2]
    reported = cutter.cut()
    live["items"].append(3)
    cutter.cut()
    assert reported == [Set(("vars", "items"), [1, 2])]


def test_a_large_int_counts_towards_the_limit_and_a_small_one_does_not():
    cutter, live = cutter_of(n=0, m=0)
    live["n"] = 1 << (8 * LIMIT_BYTES + 8)
    live["m"] = 1
    assert cutter.cut() == [Set(("vars", "m"), 1)]
    assert "above its limit of 64.0 MiB" in str(cutter.problems["n"])
    live["n"] = 1 << (8 * LIMIT_BYTES // 2)
    assert [change.path for change in cutter.cut()] == [("vars", "n")]
    live["m"] = live["n"] + 1
    assert cutter.cut() == []
    assert list(cutter.problems) == ["m"]
    live["n"] = 0
    assert {change.path[1] for change in cutter.cut()} == {"n", "m"}
    assert cutter.problems == {}

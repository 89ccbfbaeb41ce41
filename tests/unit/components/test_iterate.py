"""Iterations that are gone on with: after a suspended run, after a restart, nested, and several at a time."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from passes import Flow, Passes

from lightning_grpc.signals import ExitAppException, FlowSuspended, LightningFlowException


class Blocking:
    """Lets a body through an item once it has been suspended at it a number of times; keeps what was executed."""

    def __init__(self, times=1):
        self.times = times
        self.asked = {}
        self.done = []

    def __call__(self, item):
        if item in self.done:
            return
        self.asked[item] = self.asked.get(item, 0) + 1
        if self.asked[item] <= self.times:
            raise FlowSuspended
        self.done.append(item)


def app_of(body, **attributes):
    return Passes(Flow(body, **attributes))


def until_completed(app, limit=10_000):
    """Run the root until a pass is completed; returns how many runs it took."""
    for count in range(1, limit):
        app.root._completed = False
        app.run()
        if app.root._completed:
            return count
    raise AssertionError("no pass is ever completed")


def completing(body):
    def run(flow):
        body(flow)
        flow._completed = True

    return run


def entries(flow):
    return {key: (entry["counter"], entry["has_finished"]) for key, entry in flow.state["calls"].items()}


# One iteration.


def test_a_suspended_pass_goes_on_with_the_item_it_was_at():
    seen, block = [], Blocking()

    def body(flow):
        for item in flow.experimental_iterate("abc"):
            seen.append(item)
            block(item)

    app = app_of(completing(body))
    assert until_completed(app) == 4
    assert seen == ["a", "a", "b", "b", "c", "c"]
    assert block.done == ["a", "b", "c"]


def test_an_iteration_that_has_run_once_yields_nothing_in_later_passes():
    seen = []
    app = app_of(lambda flow: seen.extend(flow.experimental_iterate(range(3))))
    for _ in range(3):
        app.run()
    assert seen == [0, 1, 2]


def test_an_iteration_that_is_to_run_again_begins_anew_with_every_pass():
    seen = []
    app = app_of(lambda flow: seen.extend(flow.experimental_iterate(range(3), run_once=False)))
    for _ in range(3):
        app.run()
    assert seen == [0, 1, 2] * 3


def test_an_iteration_that_is_to_run_again_does_not_do_so_within_the_same_pass():
    block, seen = Blocking(), []

    def body(flow):
        for item in flow.experimental_iterate(range(3), run_once=False):
            seen.append(item)
        block("behind")

    app = app_of(completing(body))
    assert until_completed(app) == 2
    assert seen == [0, 1, 2]
    assert until_completed(app) == 1
    assert seen == [0, 1, 2] * 2


def test_a_pass_of_an_iteration_that_runs_again_leaves_no_trace():
    app = app_of(lambda flow: list(flow.experimental_iterate(range(3), run_once=False)))
    app.run()
    assert app.root.state["calls"] == {}


def test_the_state_tells_how_far_it_is():
    app = app_of(lambda flow: [flow.stop() for item in flow.experimental_iterate("abc", user_key="k") if item == "b"])
    with pytest.raises(ExitAppException):
        app.run()
    key = "experimental_iterate:k"
    entry = {"name": "experimental_iterate", "call_hash": key, "counter": 1, "has_finished": False}
    assert app.root.state["calls"] == {key: entry}


@pytest.mark.parametrize("leave", [FlowSuspended, ExitAppException, LightningFlowException, ValueError])
def test_whatever_leaves_the_body_leaves_the_iteration_at_its_item(leave):
    def body(flow):
        for item in flow.experimental_iterate(range(5)):
            if item == 2 and not flow.heals:
                raise leave
            flow.total += item

    app = app_of(body, heals=False, total=0)
    try:
        app.run()
    except BaseException as left_by:
        assert isinstance(left_by, leave)  # noqa: PT017 - some are caught on the way
    assert list(entries(app.root).values()) == [(2, False)]
    app.root.heals = True
    app.run()
    assert app.root.total == 10
    assert list(entries(app.root).values()) == [(4, True)]


def test_a_loop_that_is_broken_off_goes_on_with_its_item_in_the_next_pass():
    seen = []

    def body(flow):
        for item in flow.experimental_iterate(range(4)):
            seen.append(item)
            if item == 2 and len(seen) < 4:
                break

    app = app_of(body)
    app.run()
    app.run()
    assert seen == [0, 1, 2, 2, 3]


def test_the_state_goes_on_after_a_restart_through_json():
    block, seen = Blocking(1), []

    def body(flow):
        for item in flow.experimental_iterate(range(6)):
            seen.append(item)
            block(item)

    app = app_of(body)
    for _ in range(3):
        app.run()
    root = Flow(body)
    root.load_state_dict(json.loads(json.dumps(app.root.state_dict())), {})
    resumed = Passes(root)
    for _ in range(5):
        resumed.run()
    assert seen == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert block.done == list(range(6))


def test_an_empty_iterable_is_over_at_once():
    app = app_of(lambda flow: list(flow.experimental_iterate([])))
    assert app.run() == []
    assert list(entries(app.root).values()) == [(0, True)]


def test_an_iterable_may_be_a_generator_and_is_taken_from_as_far_as_needed():
    taken = []

    def numbers():
        for number in range(100):
            taken.append(number)
            yield number

    app = app_of(lambda flow: next(flow.experimental_iterate(numbers())))
    assert app.run() == 0
    assert taken == [0]


@pytest.mark.parametrize("thing", [None, 5, object()])
def test_what_cannot_be_iterated_over_is_a_type_error_at_the_call(thing):
    with pytest.raises(TypeError, match=r"An iterable should be provided to `self\.experimental_iterate` method"):
        Flow().experimental_iterate(thing)


def test_the_calls_are_replaced_and_never_mutated():
    app = app_of(lambda flow: [(flow._calls, json.dumps(flow._calls)) for _ in flow.experimental_iterate(range(3))])
    assert all(json.dumps(calls) == kept for calls, kept in app.run())


# Several of them.


def test_iterations_of_two_places_keep_apart_even_in_one_line():
    app = app_of(lambda flow: (list(flow.experimental_iterate("ab")), list(flow.experimental_iterate("ab"))))
    assert app.run() == (["a", "b"], ["a", "b"])
    assert app.run() == ([], [])


def test_two_iterations_may_go_hand_in_hand():
    block, seen = Blocking(), []

    def body(flow):
        for pair in zip(flow.experimental_iterate("abc"), flow.experimental_iterate(range(3)), strict=True):
            seen.append(pair)
            block(pair)

    app = app_of(completing(body))
    until_completed(app)
    assert block.done == [("a", 0), ("b", 1), ("c", 2)]


def test_flows_of_one_class_keep_apart():
    body = lambda flow: list(flow.experimental_iterate("ab"))  # noqa: E731
    root = Flow(lambda flow: flow.a.run() + flow.b.run(), a=Flow(body), b=Flow(body))
    assert Passes(root).run() == ["a", "b", "a", "b"]


@pytest.mark.parametrize("run_once", [True, False])
def test_a_place_in_a_plain_loop_is_an_iteration_each_time(run_once):
    block, seen = Blocking(), []

    def body(flow):
        for row in "xy":
            for item in flow.experimental_iterate(range(3), run_once=run_once):
                seen.append(row + str(item))
                block(row + str(item))

    app = app_of(completing(body))
    until_completed(app)
    assert block.done == ["x0", "x1", "x2", "y0", "y1", "y2"]
    assert len(seen) == 12
    until_completed(app)
    assert len(seen) == (12 if run_once else 18)


def test_a_user_key_is_one_iteration_wherever_it_stands():
    app = app_of(lambda flow: [list(flow.experimental_iterate("ab", user_key="k")) for _ in range(2)])
    assert app.run() == [["a", "b"], []]


# Nested ones.


@pytest.mark.parametrize("outer_once", [True, False])
@pytest.mark.parametrize("inner_once", [True, False])
@pytest.mark.parametrize("inner_key", ["", "inner"])
def test_a_nested_iteration_is_made_once_for_every_item_of_the_outer_one(outer_once, inner_once, inner_key):
    block, expected = Blocking(), [f"{a}{b}" for a in "xyz" for b in range(3)]

    def body(flow):
        for outer in flow.experimental_iterate("xyz", run_once=outer_once):
            for inner in flow.experimental_iterate(range(3), run_once=inner_once, user_key=inner_key):
                block(f"{outer}{inner}")
            block(f"after {outer}")

    app = app_of(completing(body))
    assert until_completed(app) == 1 + 9 + 3
    assert [item for item in block.done if len(item) == 2] == expected
    before = len(block.asked), sum(block.asked.values())
    assert until_completed(app) == 1
    assert (len(block.asked), sum(block.asked.values())) == before
    finished = {"experimental_iterate": (2, True)} if outer_once else {}
    assert {key.partition(":")[0]: each for key, each in entries(app.root).items()} == finished


def test_a_nested_iteration_in_the_run_of_another_flow_belongs_to_the_item_too():
    block = Blocking()

    def child_body(flow):
        for inner in flow.experimental_iterate(range(2)):
            block((flow.name, flow._argument, inner))

    def body(flow):
        for outer in flow.experimental_iterate("xyz"):
            for child in (flow.a, flow.b):
                child._argument = outer
                child.run()

    root = Flow(completing(body), a=Flow(child_body), b=Flow(child_body))
    app = Passes(root)
    until_completed(app)
    assert block.done == [(name, outer, inner) for outer in "xyz" for name in ("root.a", "root.b") for inner in (0, 1)]
    assert root.a.state["calls"] == root.b.state["calls"] == {}


def test_iterations_that_two_flows_have_a_third_make_keep_apart():
    block = Blocking()

    def shared_body(flow):
        for inner in flow.experimental_iterate(range(2)):
            block((flow._argument, inner))

    def caller(flow):
        for outer in flow.experimental_iterate("xy"):
            flow._shared._argument = flow.name + outer
            flow._shared.run()

    def body(flow):
        flow.a.run()
        flow.b.run()

    root = Flow(completing(body), a=Flow(caller), b=Flow(caller), shared=Flow(shared_body))
    root.a._shared = root.b._shared = root.shared
    app = Passes(root)
    until_completed(app)
    assert block.done == [(name + outer, inner) for name in ("root.a", "root.b") for outer in "xy" for inner in (0, 1)]


def test_iterations_below_an_item_that_was_left_for_good_keep_apart_from_those_of_another_flow():
    def caller(flow):
        for _ in flow.experimental_iterate("xy"):
            flow._seen += flow._shared.run()
            break

    shared = Flow(lambda flow: list(flow.experimental_iterate(range(2))))
    root = Flow(lambda flow: flow._turns.pop().run(), a=Flow(caller), b=Flow(caller), shared=shared)
    root._turns = [root.b, root.a]
    for child in (root.a, root.b):
        child._shared, child._seen = shared, []
    app = Passes(root)
    app.run()
    app.run()
    assert (root.a._seen, root.b._seen) == ([0, 1], [0, 1])


def test_what_is_left_of_a_nested_iteration_is_dropped_even_if_the_body_does_not_come_to_it_again():
    def body(flow):
        for outer in flow.experimental_iterate("xyz"):
            if flow.looks:
                for _ in flow.experimental_iterate(range(3)):
                    raise FlowSuspended
            if outer == "y":
                raise FlowSuspended

    app = app_of(body, looks=True)
    app.run()
    assert len(entries(app.root)) == 2
    app = app.moved_to(Flow(body, looks=True))
    app.root.looks = False
    app.run()
    assert list(entries(app.root).values()) == [(1, False)]


def test_three_deep_resumed_at_every_point_every_item_is_done_once():
    block = Blocking()

    def body(flow):
        for a in flow.experimental_iterate(range(3)):
            for b in flow.experimental_iterate(range(a)):
                for c in flow.experimental_iterate(range(b + 1)):
                    block((a, b, c))

    app = app_of(body)
    for _ in range(10):
        app.run()
        app = app.moved_to(Flow(body))
    assert block.done == [(a, b, c) for a in range(3) for b in range(a) for c in range(b + 1)]
    assert list(entries(app.root).values()) == [(2, True)]


@given(st.lists(st.integers(0, 3), max_size=4), st.integers(0, 2), st.booleans(), st.booleans())
def test_however_it_is_interrupted_every_item_is_done_once_and_in_order(sizes, times, outer_once, inner_once):
    block = Blocking(times)

    def body(flow):
        for index, size in flow.experimental_iterate(list(enumerate(sizes)), run_once=outer_once):
            block(("before", index))
            for item in flow.experimental_iterate(range(size), run_once=inner_once):
                block((index, item))

    app = app_of(completing(body))
    until_completed(app)
    expected = []
    for index, size in enumerate(sizes):
        expected += [("before", index), *((index, item) for item in range(size))]
    assert block.done == expected
    assert all(count == times + 1 for count in block.asked.values())


# Without an app.


def test_without_an_app_an_iteration_that_runs_again_does_so_at_once():
    once, again = (Flow(lambda flow, o=o: list(flow.experimental_iterate("ab", run_once=o))) for o in (True, False))
    assert [once.run(), once.run()] == [["a", "b"], []]
    assert [again.run(), again.run()] == [["a", "b"], ["a", "b"]]


def test_without_an_app_nested_iterations_keep_apart():
    def body(flow):
        for a in flow.experimental_iterate("xy"):
            for b in flow.experimental_iterate(range(2)):
                if flow.fails and (a, b) == ("y", 0):
                    raise ValueError("not yet")
                seen.append((a, b))

    seen, flow = [], Flow(body, fails=True)
    with pytest.raises(ValueError, match="not yet"):
        flow.run()
    flow.fails = False
    flow.run()
    assert seen == [("x", 0), ("x", 1), ("y", 0), ("y", 1)]

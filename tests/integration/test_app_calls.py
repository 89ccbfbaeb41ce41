"""Calls: caching, blocking, queueing and arguments, with real processes (issue: Components, Calls)."""

from __future__ import annotations

import pytest
from sample_works import Counter, Keeper, Locked

import lightning_grpc as L


class Driver(L.LightningFlow):
    """Runs a function as its run."""

    def __init__(self, work, body):
        super().__init__()
        self.work = work
        self.passes = 0
        self._body = body

    def run(self):
        self.passes += 1
        self._body(self)


def drive(work, body):
    flow = Driver(work, body)
    L.LightningApp(flow).run()
    return flow


def test_a_cached_call_is_executed_once():
    def body(flow):
        flow.work.run(3)
        flow.work.run(3)
        if flow.passes > 5:
            flow.stop()

    flow = drive(Counter(), body)
    assert flow.work.counter == 3
    assert flow.work.num_successes == 1


def test_a_cached_call_with_other_arguments_is_another_call():
    def body(flow):
        for argument in (1, 1.0, True, "1"):
            flow.work.run(argument)
        flow.stop()

    flow = drive(Keeper(), body)
    assert flow.work.seen == [[1], [1.0], [True], ["1"]]
    assert [type(seen[0]) for seen in flow.work.seen] == [int, float, bool, str]


def test_a_blocking_call_suspends_the_run_until_it_is_done():
    def body(flow):
        flow.work.run(1000)
        assert flow.work.has_succeeded
        assert flow.work.counter == 1000
        flow.stop()

    drive(Counter(), body)


def test_a_suspended_run_is_not_swallowed_by_except_exception():
    def body(flow):
        try:
            flow.work.run(10)
        except Exception:
            pytest.fail("the suspension was swallowed")
        flow.stop()

    assert drive(Counter(), body).work.counter == 10


def test_an_uncached_blocking_call_returns_once_for_each_finished_execution():
    counters = []

    def body(flow):
        flow.work.run()
        counters.append(flow.work.counter)
        if len(counters) == 5:
            flow.stop()

    flow = drive(Counter(cache_calls=False), body)
    assert counters == [1, 2, 3, 4, 5]
    assert flow.work.num_successes == 5


def test_a_loop_over_an_uncached_blocking_call_comes_to_its_end():
    def body(flow):
        for _ in range(4):
            flow.work.run()
        flow.stop()

    assert drive(Counter(cache_calls=False), body).work.counter == 4


def test_an_uncached_parallel_call_runs_again_when_the_previous_one_has_finished():
    def body(flow):
        flow.work.run()
        if flow.work.counter >= 4:
            flow.stop()

    flow = drive(Counter(cache_calls=False, parallel=True), body)
    assert flow.work.counter >= 4


def test_calls_that_wait_are_executed_in_order():
    def body(flow):
        for number in range(20):
            flow.work.run(number)
        if len(flow.work.seen) == 20:
            flow.stop()

    flow = drive(Keeper(parallel=True), body)
    assert flow.work.seen == [[number] for number in range(20)]


@pytest.mark.parametrize(
    "value",
    [None, -(2**200), 2**63, -0.0, "\U0001f600'\"[]", (1, [2, {"a": (), 3: "x"}]), {"__class__": 1, "": {1: {}}}, []],
)
def test_arguments_and_attributes_cross_exactly(value):
    def body(flow):
        flow.work.run(value=value)
        flow.stop()

    flow = drive(Keeper(), body)
    assert repr(flow.work.value) == repr(value)


def test_a_large_argument_crosses():
    value = list(range(1_000_000))

    def body(flow):
        flow.work.run(value=value)
        flow.stop()

    assert drive(Keeper(), body).work.value == value


def test_an_argument_that_is_not_a_value_is_refused_where_it_is_given():
    def body(flow):
        flow.work.run({1, 2})

    with pytest.raises(AttributeError, match=r"argument 0 of run\(\) is .* of type set"):
        drive(Keeper(), body)


def test_what_the_flow_wrote_before_a_call_is_set_on_the_work_first():
    def body(flow):
        if flow.passes == 1:
            flow.work.counter = 100
        flow.work.run(1)
        flow.stop()

    assert drive(Counter(), body).work.counter == 101


def test_what_the_flow_writes_between_two_calls_reaches_the_second():
    def body(flow):
        flow.work.run(1)
        if flow.work.counter < 100:
            flow.work.counter += 100
        flow.work.run(2)
        flow.stop()

    assert drive(Counter(), body).work.counter == 103


def test_a_private_attribute_that_cannot_travel_is_made_anew_in_the_work():
    def body(flow):
        flow.work.run()
        flow.stop()

    assert drive(Locked(7), body).work.counter == 7


def test_a_work_whose_class_is_local_to_a_function_runs():
    step = 5

    class Local(L.LightningWork):
        def __init__(self):
            super().__init__()
            self.counter = 0

        def run(self):
            self.counter += step

    def body(flow):
        flow.work.run()
        flow.stop()

    assert drive(Local(), body).work.counter == 5


def test_a_work_as_the_root_runs_until_it_has_succeeded():
    app = L.LightningApp(Counter())
    app.run()
    work = app.get_component_by_name("root.work")
    assert work.counter == 1
    assert work.has_succeeded


def test_a_final_status_stays_true_after_the_end():
    def body(flow):
        flow.work.run(2)
        flow.stop()

    flow = drive(Counter(), body)
    assert flow.work.has_succeeded
    assert [status.stage for status in flow.work.statuses] == ["pending", "running", "succeeded"]

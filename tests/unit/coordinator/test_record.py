"""The ledger of a pass: how often an uncached blocking call may return."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lightning_grpc.coordinator.record import PassLedger

CALLS = [("root.a", "run:1"), ("root.a", "run:2"), ("root.b", "run:1")]


def suspended_after(ledger, program):
    """Make the calls of a root's run until one has to wait; returns that one, or None."""
    return next((call for call in program if not ledger.may_return(*call)), None)


@given(st.lists(st.sampled_from(CALLS), max_size=8))
def test_a_pass_makes_each_of_its_calls_once_whatever_they_are(program):
    ledger = PassLedger()
    executed = []
    while (waiting := suspended_after(ledger, program)) is not None:
        executed.append(waiting)
        ledger.finished(*waiting)
        ledger.restarted()
    assert executed == program
    assert ledger.completed() == bool(program)


@given(st.lists(st.sampled_from(CALLS), min_size=1, max_size=4), st.integers(1, 3))
def test_a_new_pass_makes_its_calls_anew(program, passes):
    ledger = PassLedger()
    executed = 0
    for _ in range(passes):
        while (waiting := suspended_after(ledger, program)) is not None:
            executed += 1
            ledger.finished(*waiting)
            ledger.restarted()
        assert ledger.completed()
    assert executed == passes * len(program)


def test_executions_that_finished_before_they_were_waited_for_count():
    ledger = PassLedger()
    ledger.finished("root.a", "run:1")
    assert ledger.may_return("root.a", "run:1")
    assert not ledger.may_return("root.a", "run:1")


def test_a_pass_in_which_nothing_returned_is_no_reason_for_another():
    ledger = PassLedger()
    ledger.finished("root.a", "run:1")
    assert not ledger.completed()


def test_calls_are_counted_by_work_and_arguments():
    ledger = PassLedger()
    ledger.finished("root.a", "run:1")
    assert not ledger.may_return("root.b", "run:1")
    assert not ledger.may_return("root.a", "run:2")

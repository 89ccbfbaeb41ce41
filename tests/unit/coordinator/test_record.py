"""The ledger of a pass, the journal of an app, and the rota of its Works."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tick_harness import Flow, Work

from lightning_grpc.coordinator.mirror import Mirror
from lightning_grpc.coordinator.record import Journal, PassLedger, Rota, WorkRecord
from lightning_grpc.state.delta import Set

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


def test_a_call_that_is_settled_counts_neither_as_made_nor_as_finished():
    ledger = PassLedger()
    for _ in range(2):
        ledger.finished("root.a", "run:1")
    assert ledger.may_return("root.a", "run:1")
    mark = ledger.mark
    assert ledger.may_return("root.a", "run:1")
    ledger.settle(mark)
    ledger.settle(mark)
    ledger.restarted()
    assert ledger.may_return("root.a", "run:1")
    assert not ledger.may_return("root.a", "run:1")


def test_a_pass_with_calls_that_were_settled_is_a_reason_for_another():
    ledger = PassLedger()
    ledger.finished("root.a", "run:1")
    ledger.may_return("root.a", "run:1")
    ledger.settle(0)
    assert (ledger.completed(), ledger.completed()) == (True, False)


def test_a_call_that_was_settled_though_it_had_not_returned_does_no_harm():
    ledger = PassLedger()
    ledger.may_return("root.a", "run:1")
    ledger.settle(0)
    ledger.finished("root.a", "run:1")
    assert ledger.may_return("root.a", "run:1")


def test_the_journal_keeps_deltas_apart_and_gives_them_out_once():
    journal = Journal()
    journal.add([Set(("vars", "n"), 1)], ("works", "w"))
    journal.add([], ("works", "w"))
    journal.add([Set(("vars", "n"), 2)], ())
    assert journal.take() == [[Set(("works", "w", "vars", "n"), 1)], [Set(("vars", "n"), 2)]]
    assert journal.take() == []


def records(count):
    root = Flow(works=[Work() for _ in range(count)])
    return {
        number: WorkRecord(work, work.name, (), Mirror(work)) for number, work in enumerate(root.works.works, start=1)
    }


@pytest.mark.parametrize("count", [1, 8, 9, 20, 33])
def test_every_work_is_looked_at_in_its_turn_and_few_at_a_time(count):
    rota, works = Rota(), records(count)
    turns = -(-count // Rota.LOOKS)
    for _ in range(3):
        looked_at = [rota.next(works) for _ in range(turns)]
        assert all(len(each) <= Rota.LOOKS for each in looked_at)
        assert sorted(number for each in looked_at for number in each) == list(works)


def test_works_that_come_and_go_are_looked_at_too():
    rota, works = Rota(), records(20)
    rota.next(works)
    works = records(30)
    looked_at = {number for _ in range(8) for number in rota.next(works)}
    assert looked_at == set(works)


def test_nobody_is_looked_at_if_nobody_is_there():
    assert Rota().next({}) == []

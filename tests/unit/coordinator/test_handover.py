"""What a Flow writes, on its way to a Work: what the Flow goes on seeing, and the base of its next write."""

from __future__ import annotations

import lightning_grpc as L
from lightning_grpc.coordinator.handover import Handover
from lightning_grpc.coordinator.mirror import Mirror
from lightning_grpc.state.delta import Set


def test_a_write_is_sent_on_the_revision_in_which_the_flow_has_seen_the_attribute():
    handover = Handover()
    handover.seen(["x"], 7)
    assert handover.send(["x", "y"]) == {"x": 7, "y": 1}


def test_what_was_written_is_held_until_the_work_has_answered_and_its_state_has_come_there():
    handover = Handover()
    handover.send(["x"])
    assert handover.release(100) == []
    handover.answered(["x"], 101, {})
    assert handover.release(100) == []
    assert handover.held == {"x"}
    assert handover.release(101) == ["x"]
    assert handover.held == set()
    assert handover.release(102) == []


def test_a_second_write_on_its_way_keeps_the_attribute_held_and_is_based_on_the_first():
    handover = Handover()
    handover.send(["x"])
    handover.answered(["x"], 5, {})
    assert handover.send(["x"]) == {"x": 5}
    assert handover.release(9) == []
    handover.answered(["x"], 10, {})
    assert handover.release(9) == []
    assert handover.release(10) == ["x"]


def test_what_was_not_taken_is_released_at_once():
    handover = Handover()
    handover.send(["x", "y"])
    handover.answered(["x", "y"], 8, {"x": 6})
    assert handover.release(7) == ["x"]
    assert handover.release(8) == ["y"]


def test_with_a_new_process_nothing_is_held_and_nothing_was_seen():
    handover = Handover()
    handover.seen(["x"], 50)
    handover.send(["x"])
    assert handover.reset() == ["x"]
    assert handover.held == set()
    assert handover.send(["x"]) == {"x": 1}


def test_what_is_on_its_way_is_counted_until_it_is_answered():
    handover = Handover()
    handover.send(["x", "y"])
    handover.send(["x"])
    assert handover.in_flight == 3
    handover.answered(["x", "y"], 4, {})
    assert handover.in_flight == 1


class Told(L.LightningWork):
    """Receives updates."""

    def __init__(self):
        super().__init__(parallel=True, receive_updates=True)
        self.x = 0

    def run(self):
        """Nothing to do."""


def test_while_an_attribute_is_held_an_older_value_of_the_works_does_not_come_in_between():
    work, held = Told(), {"x"}
    mirror = Mirror(work, held)
    work.x = 2
    mirror.cut()
    assert mirror.apply([Set(("vars", "x"), 1)]) == ([], [])
    assert (work.x, mirror.replica["vars"]["x"]) == (2, 1)
    held.clear()
    assert mirror.show("x") == [Set(("vars", "x"), 1)]
    assert work.x == 1

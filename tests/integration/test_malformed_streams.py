"""Streams that carry what is no frame: another one is opened, and if that does not help, the Work is given up."""

from __future__ import annotations

import pytest
from attached_apps import Root, running
from foreign_work import ForeignWork
from small_work import Counter

from lightning_grpc.coordinator.link import MAX_FAULTS


@pytest.mark.parametrize("malformed", [1, MAX_FAULTS - 1])
def test_a_work_is_followed_on_after_streams_that_carried_what_is_no_frame(malformed):
    with ForeignWork({"counter": 4}, class_name="Counter", malformed=malformed) as foreign:
        work = Counter().at(foreign.address)
        with running(Root(work)) as app:
            app.until(lambda: [known.revision for known in app.app.metrics.works.values()] == [1])
            assert (work.counter, work.status.stage) == (4, "not_started")
        assert foreign.streams == malformed + 1


def test_a_work_whose_streams_all_carry_what_is_no_frame_is_given_up_with_words_that_say_so():
    with ForeignWork({"counter": 4}, class_name="Counter", malformed=1000) as foreign:
        work = Counter().at(foreign.address)
        with running(Root(work)) as app:
            app.until(lambda: app.status.stage == "failed", "it is given up")
            assert app.status.reason == "protocol_error"
            assert "its state cannot be followed" in app.status.message
        assert foreign.streams == MAX_FAULTS

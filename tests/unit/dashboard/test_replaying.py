"""A replay: what is told at its end, when the app had not ended."""

from __future__ import annotations

import asyncio

from scenes import NOW_S, Scene, document

from lightning_grpc.dashboard.events import Ended, Quit, StateReplaced, Ticked
from lightning_grpc.dashboard.replaying import ReplaySource

STATE = StateReplaced(NOW_S, 1, document())


def played(*events):
    told = []
    asyncio.run(ReplaySource(events, speed=100).run(told.append))
    return told


def test_the_end_of_a_recording_is_told_as_of_its_last_event():
    *events, end = played(STATE)
    assert events == [STATE]
    assert end == Ended(NOW_S, "the recording ends here", of_recording=True)
    assert len(played()) == 1


def test_at_the_end_of_a_recording_the_app_is_shown_as_it_was_then_and_the_clock_stands():
    scene = Scene().tell(Ended(NOW_S, "the recording ends here", of_recording=True))
    assert "► running" in scene.lines[0]
    assert "■ the recording ends here; q leaves." in scene.lines[1]
    before = scene.lines[0]
    assert scene.tell(Ticked(NOW_S + 100)).lines[0] == before
    assert scene.press("esc").wishes == [Quit()]


def test_the_end_of_the_app_is_told_once():
    assert played(STATE, Ended(NOW_S, "the app has ended")) == [STATE, Ended(NOW_S, "the app has ended")]

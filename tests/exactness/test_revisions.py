"""Revisions, applied exactly once and in order, or not at all (issue: exactness, points 1, 2 and 4).

The coordinator's real parts follow a server that breaks the rules on purpose.
"""

from __future__ import annotations

import pytest
from exact_works import Writer
from follower import Follower
from scripted import EPOCH, ScriptedRuntime, bookmark, deltas, snapshot

from lightning_grpc.components.work import LightningWork
from lightning_grpc.coordinator.backlog import Backlog
from lightning_grpc.state.subscription import Bookmark
from lightning_grpc.wire import codec


class Numbered(LightningWork):
    """What the scripted server is taken for."""

    def __init__(self):
        super().__init__(parallel=True, raise_exception=False)
        self.number = 0

    def run(self):
        """Never executed."""


GOOD = [snapshot(9), bookmark(9)]
"""How a server makes up for what it has sent before: a later snapshot, and its proof."""


def follow(*scripts, until=9, **options):
    """Follow scripted streams until a revision has been proven; returns the runtime and the follower."""
    runtime = ScriptedRuntime(*scripts, **options)
    follower = Follower(Numbered(), runtime)
    with follower:
        follower.until(lambda: until in follower.proven, f"proof of revision {until}")
        follower.asked_anew = follower.resyncs
    return runtime, follower


# What is right.


def test_revisions_in_order_are_applied_once_each():
    runtime, follower = follow([snapshot(1), deltas(2), deltas(3, 4, 5), deltas(6), bookmark(6)], until=6)
    assert follower.applied == [("Snapshot", 1), *(("Delta", revision) for revision in (2, 3, 4, 5, 6))]
    assert runtime.asked == [(EPOCH, 0)]
    assert follower.asked_anew == 0
    assert follower.vars["number"] == 6


def test_a_stream_that_ends_is_resumed_after_the_last_revision_that_was_applied():
    scripts = [snapshot(1), deltas(2), None], [deltas(3), None], [deltas(4, 5), bookmark(5)]
    runtime, follower = follow(*scripts, until=5)
    assert follower.revisions == [2, 3, 4, 5]
    assert runtime.asked == [(EPOCH, 0), (EPOCH, 2), (EPOCH, 3)]
    assert follower.asked_anew == 0


def test_a_snapshot_in_the_middle_of_a_stream_makes_up_for_history_that_is_gone():
    runtime, follower = follow([snapshot(1), deltas(2), snapshot(700), deltas(701), bookmark(701)], until=701)
    assert follower.applied == [("Snapshot", 1), ("Delta", 2), ("Snapshot", 700), ("Delta", 701)]
    assert runtime.asked == [(EPOCH, 0)]
    assert follower.asked_anew == 0


# What breaks the rules. Everything after the offence is a lure: none of it may be applied.

LURE = [deltas(5), deltas(6), bookmark(6), deltas(7)]
FITTING_LURE = [deltas(4), deltas(5, 6), bookmark(6), deltas(7)]
"""For what the link cannot know to be wrong: it goes on until the mirror says so."""
OFFENCES = {
    "a gap": [deltas(4)],
    "a gap inside a batch": [deltas(3, 5)],
    "a repeat": [deltas(2)],
    "a repeat inside a batch": [deltas(3, 3)],
    "the wrong base": [deltas(1)],
    "a delta of revision 0": [deltas(0)],
    "an older snapshot": [snapshot(1)],
    "a snapshot of revision 0": [snapshot(0)],
    "a bookmark of the past": [bookmark(1)],
    "a bookmark of the future": [bookmark(3)],
    "a message without a meaning": [codec.frame_snapshot(EPOCH, 3, [1, 2])],
}
MISFITS = {
    "a snapshot that is no Work's": [codec.frame_snapshot(EPOCH, 3, {"vars": {}})],
    "a change that fits nothing": [deltas(3, path=("vars", "number", "below"))],
    "a change outside of the sections": [deltas(3, path=("nonsense", "number"))],
}
APPLIED_BEFORE = {"a gap inside a batch": [2, 3], "a repeat inside a batch": [2, 3]}


@pytest.mark.parametrize("offence", OFFENCES)
def test_what_breaks_the_rules_is_never_applied_and_one_resync_follows(offence):
    runtime, follower = follow([snapshot(1), deltas(2), *OFFENCES[offence], *LURE], GOOD)
    assert follower.revisions == APPLIED_BEFORE.get(offence, [2])
    assert follower.applied[-1] == ("Snapshot", 9)
    assert runtime.asked == [(EPOCH, 0), (EPOCH, 0)]
    assert follower.asked_anew == 1
    assert follower.broken == []


@pytest.mark.parametrize("misfit", MISFITS)
def test_what_does_not_fit_the_mirror_is_never_applied_and_one_resync_follows(misfit):
    runtime, follower = follow([snapshot(1), deltas(2), *MISFITS[misfit], *FITTING_LURE], GOOD)
    assert follower.revisions == [2]
    assert follower.applied[-1] == ("Snapshot", 9)
    assert runtime.asked == [(EPOCH, 0), (EPOCH, 0)]
    assert follower.asked_anew == 1
    assert follower.broken == []


@pytest.mark.parametrize("offence", [*OFFENCES, *MISFITS])
def test_every_resync_is_counted_where_users_see_it(offence):
    _, follower = follow([snapshot(1), deltas(2), *{**OFFENCES, **MISFITS}[offence]], GOOD)
    assert follower.counted == 1


def test_a_stream_that_does_not_begin_with_a_snapshot_is_not_applied():
    runtime, follower = follow([deltas(1), *LURE], GOOD)
    assert follower.applied == [("Snapshot", 9)]
    assert runtime.asked == [(EPOCH, 0), (EPOCH, 0)]
    assert follower.asked_anew == 1


def test_a_digest_that_differs_leads_to_one_resync():
    runtime, follower = follow([snapshot(1), deltas(2), bookmark(2, number=77)], GOOD)
    assert follower.broken == [2]
    assert runtime.asked == [(EPOCH, 0), (EPOCH, 0)]
    assert follower.asked_anew == 1
    assert follower.vars["number"] == 9


def test_a_snapshot_that_was_altered_on_its_way_is_found_by_the_digest_of_the_next_bookmark():
    runtime, follower = follow([snapshot(5, number=4), bookmark(5)], GOOD)
    assert follower.broken == [5]
    assert runtime.asked == [(EPOCH, 0), (EPOCH, 0)]
    assert follower.asked_anew == 1


def test_every_offence_costs_one_resync_and_the_last_stream_is_followed():
    bad = [snapshot(1), deltas(2), deltas(9)], [snapshot(3), deltas(3)], [snapshot(4), bookmark(4, number=0)]
    runtime, follower = follow(*bad, [snapshot(5), deltas(6), bookmark(6)], until=6)
    assert runtime.asked == [(EPOCH, 0)] * 4
    assert follower.asked_anew == 3
    assert follower.revisions == [2, 6]


# Epochs.


@pytest.mark.parametrize("epoch", [EPOCH - 1, EPOCH + 1, 0])
@pytest.mark.parametrize("kind", [snapshot, deltas, bookmark])
def test_a_frame_of_another_epoch_is_never_applied(epoch, kind):
    runtime, follower = follow([snapshot(1), deltas(2), kind(3, epoch=epoch), *LURE], [deltas(3), bookmark(3)], until=3)
    assert follower.revisions == [2, 3]
    assert runtime.asked == [(EPOCH, 0), (EPOCH, 2)]


def test_a_server_of_another_epoch_is_not_followed_at_all():
    runtime, follower = follow([snapshot(8, epoch=EPOCH - 1), deltas(9, epoch=EPOCH - 1)], GOOD)
    assert follower.applied == [("Snapshot", 9)]
    assert runtime.asked == [(EPOCH, 0), (EPOCH, 0)]


# Frames in parts.


def in_parts(frame):
    """The messages of a frame that is cut into parts of 7 bytes."""
    for start in range(0, len(frame), 7):
        part = codec.work_pb.Chunk(data=frame[start : start + 7], last=start + 7 >= len(frame))
        yield codec.work_pb.StateDeltaResponse(chunk=part).SerializeToString()


def test_frames_in_parts_are_put_together():
    runtime, follower = follow([snapshot(1), deltas(2), deltas(3, 4), bookmark(4)], until=4, chunks=in_parts)
    assert follower.revisions == [2, 3, 4]
    assert runtime.asked == [(EPOCH, 0)]


def test_a_frame_whose_last_part_never_came_is_not_applied():
    first_part = next(in_parts(deltas(3, 4)))
    runtime, follower = follow([snapshot(1), deltas(2), first_part, None], [deltas(3), bookmark(3)], until=3)
    assert follower.revisions == [2, 3]
    assert runtime.asked == [(EPOCH, 0), (EPOCH, 2)]


# The real server keeps the rules.


def test_a_real_work_gives_every_revision_once_and_in_order(tmp_path, monkeypatch):
    enough = tmp_path / "enough"
    accepted = []
    add = Backlog.add

    def noted_add(backlog, frames):  # what the link has accepted, before anything is conflated for a slow Flow
        accepted.extend((type(frame).__name__, frame.revision) for frame in frames if not isinstance(frame, Bookmark))
        return add(backlog, frames)

    monkeypatch.setattr(Backlog, "add", noted_add)
    with Follower(Writer()) as follower:
        follower.call(10, str(enough))
        follower.until(lambda: len(accepted) > 200, "200 revisions")
        enough.touch()
        follower.until(follower.has_finished)
        assert follower.resyncs == 0
    first, *later = accepted
    assert first[0] == "Snapshot"
    assert later == [("Delta", first[1] + number) for number in range(1, len(later) + 1)]

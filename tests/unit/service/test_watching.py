"""What a client makes of the frames it watches."""

from __future__ import annotations

import pytest

from lightning_grpc.errors import AppEndedError
from lightning_grpc.service.following import StreamGivenUp, versions_of
from lightning_grpc.state.delta import Set
from lightning_grpc.state.replica import Replica
from lightning_grpc.state.subscription import Bookmark, Delta, Snapshot

EPOCH = 7
FIRST = Snapshot(EPOCH, 1, {"vars": {"n": 1}})


def delta(revision, epoch=EPOCH):
    return Delta(epoch, revision, [Set(("vars", "n"), revision)])


@pytest.fixture
def replica():
    replica = Replica(EPOCH)
    replica.subscription.opened()
    return replica


def test_each_frame_that_changes_something_is_a_version(replica):
    versions = list(versions_of(replica, [FIRST, delta(2), Bookmark(EPOCH, 2), delta(3)]))
    assert [version.revision for version in versions] == [1, 2, 3]


def test_what_came_before_a_frame_that_breaks_a_rule_is_not_lost(replica):
    versions = versions_of(replica, [FIRST, delta(2), delta(9)])
    assert [next(versions).revision, next(versions).revision] == [1, 2]
    with pytest.raises(StreamGivenUp, match="delta 9 does not follow revision 2"):
        next(versions)
    replica.subscription.opened()
    (summed_up,) = versions_of(replica, [Snapshot(EPOCH, 9, {"vars": {"n": 9}})])
    assert summed_up.changes[0].old == 2


def test_a_frame_of_another_run_of_the_app_ends_the_watch(replica):
    with pytest.raises(AppEndedError, match="another run of the app"):
        list(versions_of(replica, [FIRST, delta(2, EPOCH + 1)]))

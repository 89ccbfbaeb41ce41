"""The subscriber's machine: rules by example, and a network that does its worst."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lightning_grpc.state.delta import apply, diff
from lightning_grpc.state.digest import digest
from lightning_grpc.state.log import Log
from lightning_grpc.state.subscription import (
    Accepted,
    Bookmark,
    Delta,
    Foreign,
    Ignored,
    Resync,
    Snapshot,
    Subscription,
)
from lightning_grpc.state.values import copy, same

EMPTY = {"vars": {}, "calls": {}}


def at_revision(revision, epoch=7):
    """A subscription that has accepted a snapshot."""
    subscription = Subscription(epoch)
    subscription.opened()
    assert isinstance(subscription.receive(Snapshot(epoch, revision, EMPTY)), Accepted)
    return subscription


def test_a_new_subscription_asks_for_a_snapshot():
    assert Subscription(7).opened() == 0


def test_a_subscription_goes_on_from_the_revision_it_has():
    subscription = at_revision(3)
    subscription.receive(Delta(7, 4, []))
    assert subscription.opened() == 4
    assert subscription.receive(Delta(7, 5, [])) == Accepted()


def test_a_stream_that_was_not_opened_is_ignored():
    assert Subscription(7).receive(Snapshot(7, 1, EMPTY)) == Ignored()


def test_the_first_epoch_that_answers_is_taken_if_none_was_named():
    subscription = Subscription()
    subscription.opened()
    assert subscription.receive(Snapshot(9, 1, EMPTY)) == Accepted()
    assert subscription.epoch == 9
    assert subscription.receive(Delta(8, 2, [])) == Foreign(8)


@pytest.mark.parametrize(
    "frame", [Snapshot(6, 9, EMPTY), Delta(6, 4, []), Bookmark(6, 3)], ids=lambda f: type(f).__name__
)
def test_a_frame_of_another_epoch_is_foreign_and_ends_the_stream(frame):
    subscription = at_revision(3)
    assert subscription.receive(frame) == Foreign(6)
    assert subscription.receive(Delta(7, 4, [])) == Ignored()
    assert subscription.opened() == 3


@pytest.mark.parametrize(
    "frame",
    [
        Delta(7, 5, []),
        Delta(7, 3, []),
        Delta(7, 1, []),
        Bookmark(7, 4),
        Bookmark(7, 2),
        Snapshot(7, 2, EMPTY),
        Snapshot(7, 0, EMPTY),
    ],
    ids=repr,
)
def test_a_frame_that_breaks_a_rule_costs_one_resync_and_the_rest_of_the_stream(frame):
    subscription = at_revision(3)
    assert isinstance(subscription.receive(frame), Resync)
    assert subscription.receive(frame) == Ignored()
    assert subscription.receive(Delta(7, 4, [])) == Ignored()
    assert subscription.resyncs == 1
    assert subscription.opened() == 0
    assert subscription.receive(Snapshot(7, 9, EMPTY)) == Accepted()
    assert subscription.receive(Delta(7, 10, [])) == Accepted()
    assert subscription.resyncs == 1


@pytest.mark.parametrize("frame", [Delta(7, 1, []), Bookmark(7, 1), Snapshot(7, 0, EMPTY)], ids=repr)
def test_a_stream_opened_without_a_revision_begins_with_a_snapshot(frame):
    subscription = Subscription(7)
    subscription.opened()
    assert isinstance(subscription.receive(frame), Resync)


def test_a_snapshot_instead_of_history_is_accepted():
    subscription = at_revision(3)
    subscription.opened()
    assert subscription.receive(Snapshot(7, 30, EMPTY)) == Accepted()
    assert subscription.revision == 30


def test_a_bookmark_at_the_right_revision_changes_nothing():
    subscription = at_revision(3)
    assert subscription.receive(Bookmark(7, 3, 123)) == Accepted()
    assert subscription.revision == 3


def test_what_only_the_mirror_notices_is_a_resync_too():
    subscription = at_revision(3)
    assert subscription.broken("the digest differs") == Resync("the digest differs")
    assert subscription.opened() == 0
    assert subscription.resyncs == 1


class Publisher:
    """One incarnation of a Work: a document, its revisions, and every document there has been."""

    def __init__(self, epoch):
        self.epoch = epoch
        self.document = {"vars": {"n": 0, "items": []}, "calls": {}}
        self.log = Log(max_entries=4)
        self.history = {}
        self.write("n", epoch)

    @property
    def revision(self):
        return self.log.revision

    def write(self, name, value):
        after = copy(self.document)
        after["vars"][name] = value
        self.publish(after)

    def publish(self, after):
        changes = diff(self.document, after)
        if changes:
            self.document = after
            self.log.append(Delta(self.epoch, self.revision + 1, changes), 1)
            self.history[self.revision] = copy(after)

    def frames_since(self, revision):
        """What a stream that stands at `revision` has to send."""
        deltas = self.log.since(revision) if revision else None
        if deltas is None:
            return [Snapshot(self.epoch, self.revision, copy(self.document))]
        return list(deltas) or [Bookmark(self.epoch, self.revision, digest(self.document))]


class Network(RuleBasedStateMachine):
    """A publisher that is restarted, a stream that loses, repeats and reorders its frames, and one subscriber.

    Every frame is genuine. Whatever comes of them, what the subscriber accepts must leave its mirror as the
    publisher was at that revision; and once the network behaves, both are the same within a few streams.
    """

    @initialize(name_epoch=st.booleans())
    def begin(self, name_epoch):
        self.name_epoch = name_epoch
        self.incarnations = [Publisher(1)]
        self.sent = []
        self.verdicts = []
        self.resyncs_before = 0
        self.subscribe()

    @property
    def publisher(self):
        return self.incarnations[-1]

    def subscribe(self):
        """Follow the newest incarnation, with nothing known of it."""
        self.subscription = Subscription(self.publisher.epoch if self.name_epoch else None)
        self.resyncs = 0
        self.mirror = None
        self.open()

    def open(self):
        self.cursor = self.subscription.opened()
        self.resyncs_in_stream = 0
        self.queue = []

    def send(self):
        frames = self.publisher.frames_since(self.cursor)
        self.cursor = self.publisher.revision
        self.sent += frames
        self.queue += frames

    def deliver(self):
        frame = self.queue.pop(0)
        verdict = self.subscription.receive(frame)
        if isinstance(verdict, Accepted):
            self.take_in(frame)
        elif isinstance(verdict, Resync):
            self.resyncs += 1
            self.resyncs_in_stream += 1
        return verdict

    def take_in(self, frame):
        if isinstance(frame, Snapshot):
            self.mirror = copy(frame.document)
        elif isinstance(frame, Delta):
            apply(self.mirror, frame.changes)
        else:
            assert digest(self.mirror) == frame.digest
        genuine = self.incarnations[self.subscription.epoch - 1].history[frame.revision]
        assert frame.epoch == self.subscription.epoch
        assert same(self.mirror, genuine)

    @rule(name=st.sampled_from(["n", "m"]), value=st.integers(0, 3))
    def write(self, name, value):
        self.publisher.write(name, value)

    @rule(item=st.integers(0, 3), index=st.integers(0, 9))
    def insert(self, item, index):
        after = copy(self.publisher.document)
        after["vars"]["items"].insert(index, item)
        self.publisher.publish(after)

    @rule()
    def restart(self):
        self.incarnations.append(Publisher(len(self.incarnations) + 1))
        self.cursor = 0  # the open stream goes on, from the new incarnation

    @rule()
    def send_some(self):
        self.send()

    @rule(data=st.data())
    @precondition(lambda self: self.sent)
    def repeat_a_frame_from_long_ago(self, data):
        frame = data.draw(st.sampled_from(self.sent))
        self.queue.insert(data.draw(st.integers(0, len(self.queue))), frame)

    @rule(data=st.data())
    @precondition(lambda self: self.queue)
    def drop_a_frame(self, data):
        del self.queue[data.draw(st.integers(0, len(self.queue) - 1))]

    @rule(data=st.data())
    @precondition(lambda self: len(self.queue) > 1)
    def reorder_frames(self, data):
        self.queue = data.draw(st.permutations(self.queue))

    @rule()
    @precondition(lambda self: self.queue)
    def deliver_a_frame(self):
        self.deliver()

    @rule()
    def deliver_all(self):
        while self.queue:
            self.deliver()

    @rule()
    def cut_the_stream_and_open_another(self):
        self.open()

    @rule()
    def follow_the_newest_incarnation(self):
        self.subscribe()

    @invariant()
    def resyncs_are_counted_and_come_at_most_once_a_stream(self):
        assert self.subscription.resyncs == self.resyncs
        assert self.resyncs_in_stream <= 1

    @invariant()
    def the_mirror_is_the_publisher_as_of_the_accepted_revision(self):
        if self.subscription.revision:
            history = self.incarnations[self.subscription.epoch - 1].history
            assert same(self.mirror, history[self.subscription.revision])

    def teardown(self):
        if not hasattr(self, "incarnations"):
            return
        if self.subscription.epoch not in (None, self.publisher.epoch):
            self.subscribe()
        resyncs = self.subscription.resyncs
        for _ in range(2):
            self.open()
            self.send()
            self.send()
            while self.queue:
                self.deliver()
        assert self.subscription.epoch == self.publisher.epoch
        assert self.subscription.revision == self.publisher.revision
        assert digest(self.mirror) == digest(self.publisher.document)
        assert self.subscription.resyncs == resyncs  # a network that behaves costs none


TestASubscriberOnABadNetworkEndsConverged = Network.TestCase
TestASubscriberOnABadNetworkEndsConverged.settings = settings(stateful_step_count=40)


def test_deltas_that_arrive_in_order_cost_no_resync():
    publisher, subscription = Publisher(1), Subscription(1)
    mirror = None
    revision = subscription.opened()
    for value in range(20):
        for frame in publisher.frames_since(revision):
            assert subscription.receive(frame) == Accepted()
            if isinstance(frame, Snapshot):
                mirror = copy(frame.document)
            elif isinstance(frame, Delta):
                apply(mirror, frame.changes)
        revision = subscription.revision
        publisher.write("n", value)
    assert subscription.resyncs == 0
    assert mirror["vars"]["n"] == 18

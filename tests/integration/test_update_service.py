"""WorkService.Update as a client sees it: compare and set, by revision, of a Work that wants it."""

from __future__ import annotations

import asyncio

import pytest
from sample_works import Counter
from test_work_service import Follower, serving
from updated_works import Obedient

from lightning_grpc.errors import ProtocolError
from lightning_grpc.worker.publisher import Publisher


def test_an_attribute_that_has_not_changed_since_is_assigned_and_a_revision_shows_it():
    async def check():
        async with serving(Obedient()) as (_, handle, channel):
            follower = Follower(channel, handle)
            await follower.follow_until(lambda _: True)
            base = follower.subscription.revision
            revision, conflicts = await channel.update({"speed": (9, base), "limits": ({"a": (1,)}, base)})
            assert conflicts == {}
            await follower.follow_until(lambda each: each.subscription.revision >= revision)
            assert (follower.speed, follower.limits) == (9, {"a": (1,)})

    asyncio.run(check())


def test_an_attribute_that_has_changed_since_stays_and_the_answer_says_in_which_revision():
    async def check():
        async with serving(Obedient()) as (_, handle, channel):
            follower = Follower(channel, handle)
            await follower.follow_until(lambda _: True)
            base = follower.subscription.revision
            first, _ = await channel.update({"speed": (1, base)})
            revision, conflicts = await channel.update({"speed": (2, base), "own": (5, base)})
            assert conflicts == {"speed": first}
            await follower.follow_until(lambda each: each.subscription.revision >= revision)
            assert (follower.speed, follower.own) == (1, 5)

    asyncio.run(check())


def test_an_update_that_was_made_is_no_conflict_whatever_the_value():
    async def check():
        async with serving(Obedient()) as (_, handle, channel):
            follower = Follower(channel, handle)
            for value in (2.5, 2.5, float("nan"), -0.0, 2**70, "fast", (1, 2.0), [1, [2.5]], None):
                revision, conflicts = await channel.update({"speed": (value, 1_000_000)})
                assert conflicts == {}
                await follower.follow_until(lambda each, revision=revision: each.subscription.revision >= revision)
                assert repr(follower.speed) == repr(value)

    asyncio.run(check())


@pytest.mark.parametrize(
    ("make", "update", "words"),
    [
        (Counter, {"counter": (1, 1)}, "receive_updates=True"),
        (Obedient, {"unknown": (1, 1)}, "no attribute unknown"),
        (Obedient, {"_url": ("x", 0), "__class__": (1, 1)}, "no attribute __class__"),
    ],
)
def test_an_update_that_does_not_fit_is_refused_with_the_reason(make, update, words):
    async def check():
        async with serving(make()) as (_, _, channel):
            with pytest.raises(ProtocolError, match=words):
                await channel.update(update)

    asyncio.run(check())


def test_an_update_for_another_incarnation_is_refused():
    async def check():
        async with serving(Obedient()) as (_, handle, channel):
            with pytest.raises(ProtocolError, match="started anew"):
                await channel.update({"speed": (1, 1)}, epoch=handle.epoch + 1)

    asyncio.run(check())


def test_a_work_that_writes_while_it_is_updated_is_a_conflict_and_never_passed_over():
    publisher = Publisher(Obedient(), epoch=1)
    work = publisher._work
    publisher._cutter = _Interfering(publisher._cutter, lambda: work.__dict__.update(speed=777))
    revision, conflicts = publisher.update({"speed": (5, publisher.revision)})
    assert conflicts == {"speed": revision}
    assert publisher._cutter.document["vars"]["speed"] == 777
    _, conflicts = publisher.update({"speed": (6, revision)})
    assert conflicts == {}


class _Interfering:
    """A cutter whose second cut comes just after somebody else has written."""

    def __init__(self, cutter, write):
        self._cutter = cutter
        self._write = write
        self._cuts = 0

    @property
    def document(self):
        return self._cutter.document

    def cut(self, *, exact=False):
        self._cuts += 1
        if self._cuts == 2:
            self._write()
        return self._cutter.cut(exact=exact)

"""Clients that follow the events of one document."""

from __future__ import annotations

import asyncio
import contextlib
import json

from lightning_grpc.http.follower import Follower
from lightning_grpc.state.delta import Set, apply
from lightning_grpc.wire.stream import StateStream

DEADLINE_S = 30


class Running:
    """A document that is being changed."""

    epoch = 7

    def __init__(self):
        self.document = {"vars": {"n": 0}}
        self.stream = StateStream(self.document, self.epoch, revision=1)
        self.stream.start()

    async def follow(self):
        return self.stream

    def set(self, value):
        changes = apply(self.document, [Set(("vars", "n"), value)])
        with self.stream.lock:
            self.stream.append(changes)
        self.stream.notify()


def follow(body):
    async def run():
        running = Running()
        follower = Follower(running, asyncio.get_running_loop())
        try:
            async with asyncio.timeout(DEADLINE_S):
                await body(running, follower)
        finally:
            running.stream.close()

    asyncio.run(run())


async def read(events, count):
    return [await anext(events) for _ in range(count)]


async def quiet(running):
    """Wait until nobody subscribes to the stream any more."""
    for _ in range(1000):
        if not running.stream.has_subscribers:
            return
        await asyncio.sleep(0)
    raise AssertionError("there is still a subscriber")


def test_a_client_gets_a_snapshot_and_then_every_delta():
    async def body(running, follower):
        events = await follower.open(0)
        (snapshot,) = await read(events, 1)
        assert json.loads(snapshot.data) == {"epoch": "7", "revision": 1, "state": {"vars": {"n": 0}}}
        running.set(1)
        running.set(2.5)
        first, second = await read(events, 2)
        assert (first.name, first.revision) == ("delta", 2)
        assert json.loads(first.data) == {"values_changed": {"root['vars']['n']": {"new_value": 1}}}
        assert "type_changes" in json.loads(second.data)
        await events.aclose()

    follow(body)


def test_a_client_that_is_behind_the_log_gets_a_snapshot():
    async def body(running, follower):
        slow, quick = await follower.open(0), await follower.open(0)
        await read(slow, 1)
        await read(quick, 1)
        for value in range(1, 3000):
            running.set(value)
            if value % 500 == 0:
                await read(quick, 500)
        rest = [await anext(quick) for _ in range(499)]
        assert {each.name for each in rest} == {"delta"}
        (late,) = await read(slow, 1)
        assert (late.name, late.revision) == ("snapshot", 3000)
        running.set("last")
        (delta,) = await read(slow, 1)
        assert delta.revision == 3001
        await slow.aclose()
        await quick.aclose()

    follow(body)


def test_nothing_is_followed_without_a_client_and_later_ones_resume():
    async def body(running, follower):
        events = await follower.open(0)
        await read(events, 1)
        assert running.stream.has_subscribers
        await events.aclose()
        await quiet(running)
        for value in (1, 2, 3):
            running.set(value)
        events = await follower.open(1)
        assert [(each.name, each.revision) for each in await read(events, 3)] == [("delta", r) for r in (2, 3, 4)]
        await events.aclose()
        assert follower.clients == 0

    follow(body)


def test_events_end_with_the_stream():
    async def body(running, follower):
        events = await follower.open(0)
        await read(events, 1)
        running.set(1)
        running.stream.close()
        assert [each.revision async for each in events] == [2]
        assert [each.name async for each in await follower.open(0)] == ["snapshot"]
        assert [each async for each in await follower.open(2)] == []

    follow(body)


def test_a_client_that_is_cancelled_leaves_nothing():
    async def body(running, follower):
        events = await follower.open(0)
        await read(events, 1)
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(0)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        await quiet(running)
        assert follower.clients == 0

    follow(body)

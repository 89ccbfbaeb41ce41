"""What a Work prints can be read from outside, while it still goes where it went before."""

from __future__ import annotations

import asyncio
import contextlib

from test_work_service import serving
from updated_works import Printing

DEADLINE_S = 30


async def texts_until(channel, last, *, tail=100, kind=None):
    found = []
    async with asyncio.timeout(DEADLINE_S), contextlib.aclosing(channel.logs(tail, follow=True)) as batches:
        async for lines, _ in batches:
            found += [line.text for line in lines if kind in (None, line.kind)]
            if last in found:
                return found
    raise AssertionError(f"the stream ended without {last!r}: {found}")


def test_lines_come_as_they_are_printed_and_a_later_reader_gets_those_of_the_past():
    async def check():
        async with serving(Printing()) as (_, _, channel):
            early = asyncio.create_task(texts_until(channel, "line 9"))
            await channel.run("1", "run:1", (10,), {}, {})
            assert await early == ["started", *(f"line {i}" for i in range(10))]
            assert await texts_until(channel, "line 9", tail=3) == ["line 7", "line 8", "line 9"]

    asyncio.run(check())


def test_what_goes_to_the_error_stream_is_told_apart():
    async def check():
        async with serving(Printing()) as (_, _, channel):
            await channel.run("1", "run:1", (2, "oh no"), {}, {})
            assert await texts_until(channel, "oh no", kind="stderr") == ["oh no"]

    asyncio.run(check())


def test_a_reader_of_the_past_alone_ends_with_it():
    async def check():
        async with serving(Printing()) as (_, _, channel):
            await channel.run("1", "run:1", (3,), {}, {})
            await texts_until(channel, "line 2")
            async with asyncio.timeout(DEADLINE_S):
                found = [line.text async for lines, _ in channel.logs(2, follow=False) for line in lines]
            assert found == ["line 1", "line 2"]

    asyncio.run(check())


def test_a_reader_gets_the_last_words_and_then_the_end():
    async def check():
        async with serving(Printing()) as (_, _, channel):
            reader = asyncio.create_task(_read_to_the_end(channel))
            await texts_until(channel, "started")
            await channel.stop(DEADLINE_S, "for a test")
            assert (await reader)[-1] == "goodbye"

    asyncio.run(check())


async def _read_to_the_end(channel):
    async with asyncio.timeout(DEADLINE_S):
        return [line.text async for lines, _ in channel.logs(10, follow=True) for line in lines]

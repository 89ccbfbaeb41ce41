"""The shell around the model: how often it paints, and what it does with what is wanted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

from scenes import COMMANDS, NOW_S, Scene, document

from lightning_grpc.dashboard.events import CommandsListed, ConnectionMade, Ended, LinesPrinted, StateReplaced
from lightning_grpc.dashboard.live import FRAME_S, Live
from lightning_grpc.dashboard.terminal import Terminal
from lightning_grpc.dashboard.view import lines_of
from lightning_grpc.errors import UnknownWorkError
from lightning_grpc.wire.logs import LogLine

DEADLINE_S = 30


class FakeScreen:
    """A screen that remembers what was painted, and a keyboard that is typed on."""

    def __init__(self):
        self.keyboard, self._keys = os.pipe()
        self.frames = []
        self.forgotten = 0
        self.is_blocked = False
        self.refused = 0
        self.painted = asyncio.Event()

    def size(self):
        return 100, 30

    def paint(self, lines):
        if self.is_blocked:
            self.refused += 1
            self.painted.set()
            raise TimeoutError
        self.frames.append("\n".join("".join(text for text, _ in line) for line in lines))
        self.painted.set()
        return len(lines)

    def forget(self):
        self.forgotten += 1

    def type(self, data):
        os.write(self._keys, data)

    def hang_up(self):
        os.close(self._keys)
        self._keys = None

    def close(self):
        os.close(self.keyboard)
        if self._keys is not None:
            os.close(self._keys)

    async def shows(self, part):
        while not (self.frames and part in self.frames[-1]):
            self.painted.clear()
            await self.painted.wait()

    async def has_refused(self):
        while not self.refused:
            self.painted.clear()
            await self.painted.wait()


class FakeSource:
    """Tells some events, and remembers what was wanted."""

    def __init__(self, *events):
        self.events = events
        self.wanted = []

    async def run(self, emit):
        for event in self.events:
            emit(event)
        await asyncio.Event().wait()

    async def stop_work(self, name):
        self.wanted.append(name)
        raise UnknownWorkError(name, ["root.other"])

    async def run_command(self, line):
        self.wanted.append(line)
        return "it is done"


def lived(source, act, **options):
    """Let a dashboard live while something is done to it; returns its screen and how long it lived."""

    async def live():
        screen = FakeScreen()
        dashboard = Live(source, screen, clock=lambda: NOW_S, **options)
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(DEADLINE_S):
                running = asyncio.create_task(dashboard.run())
                acting = asyncio.create_task(act(screen))
                try:
                    await running
                finally:
                    acting.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await acting
        finally:
            screen.close()
        return screen, time.monotonic() - began_s

    return asyncio.run(live())


def lines(count):
    return [LinesPrinted(NOW_S, (LogLine("root", "stdout", NOW_S, f"line {number}"),)) for number in range(count)]


def test_many_events_are_painted_in_few_frames():
    async def act(screen):
        screen.type(b"l")
        await screen.shows("line 1999")
        screen.type(b"q")

    screen, took_s = lived(FakeSource(StateReplaced(NOW_S, 1, document()), *lines(2000)), act)
    assert len(screen.frames) <= took_s / (FRAME_S / 2) + 2


def test_what_is_wanted_is_done_and_what_goes_wrong_is_told():
    source = FakeSource(StateReplaced(NOW_S, 1, document()), CommandsListed(NOW_S, COMMANDS), ConnectionMade(NOW_S))

    async def act(screen):
        await screen.shows("bad")
        screen.type(b"rpause\r")
        await screen.shows("it is done")
        screen.type(b"Gs")
        screen.type(b"y")
        screen.type(b"q")

    screen, _ = lived(source, act)
    assert source.wanted == ["pause", "root.bad"], "what was wanted last is done, though the person left at once"
    assert "it is done" in "".join(screen.frames)


def test_a_command_that_takes_long_is_shown_to_run():
    source = FakeSource(StateReplaced(NOW_S, 1, document()), CommandsListed(NOW_S, COMMANDS), ConnectionMade(NOW_S))

    async def act(screen):
        may_end = asyncio.Event()

        async def run_slowly(line):
            await may_end.wait()
            return f"{line} is done"

        source.run_command = run_slowly
        await screen.shows("bad")
        screen.type(b"rpause\r")
        await screen.shows("pause is running ...")
        may_end.set()
        await screen.shows("pause is done")
        screen.type(b"q")

    lived(source, act)


def test_a_refusal_is_shown():
    async def act(screen):
        await screen.shows("bad")
        screen.type(b"Gsy")
        await screen.shows("the app has no Work 'root.bad'; it has root.other")
        screen.type(b"q")

    source = FakeSource(StateReplaced(NOW_S, 1, document()), ConnectionMade(NOW_S))
    lived(source, act)
    assert source.wanted == ["root.bad"]


def test_a_terminal_that_goes_away_ends_it():
    async def act(screen):
        screen.hang_up()

    lived(FakeSource(), act)


def test_a_screen_that_cannot_be_painted_any_more_ends_it():
    def fail(*_):
        raise OSError("the terminal is gone")

    async def act(screen):
        screen.paint = fail
        screen.type(b"j")

    lived(FakeSource(StateReplaced(NOW_S, 1, document())), act)


def test_only_the_lines_that_have_changed_are_painted():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as out, os.fdopen(reading, "rb", buffering=0) as told:
        terminal = Terminal(read_from=told, write_to=out)
        scene = Scene(width=60, height=20)
        assert terminal.paint(lines_of(scene.model)) == 20
        os.read(reading, 1 << 20)
        assert terminal.paint(lines_of(scene.model)) == 0
        scene.press("?").press("esc", "p")
        assert 0 < terminal.paint(lines_of(scene.model)) < 4
        assert os.read(reading, 1 << 20).count(b";1H") < 4
        terminal.forget()
        assert terminal.paint(lines_of(scene.model)) == 20


def test_what_a_terminal_did_not_take_is_shown_when_it_does_though_nothing_moves_any_more():
    async def act(screen):
        await screen.shows("the app has ended")
        screen.is_blocked = True
        screen.type(b"l")
        await screen.has_refused()
        screen.is_blocked = False
        await screen.shows("line 2")
        screen.type(b"q")

    lived(FakeSource(StateReplaced(NOW_S, 1, document()), *lines(3), Ended(NOW_S, "the app has ended")), act)


def test_all_is_painted_anew_on_ctrl_l():
    async def act(screen):
        await screen.shows("bad")
        screen.type(b"\x0cq")

    screen, _ = lived(FakeSource(StateReplaced(NOW_S, 1, document()), ConnectionMade(NOW_S)), act)
    assert screen.forgotten == 2, "once at the beginning, for it has a size then, and once when asked"

"""The live dashboard: events in, wishes carried out, frames painted no more often than is worth it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import termios
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Protocol

from lightning_grpc.dashboard.controls import step
from lightning_grpc.dashboard.events import (
    Event,
    KeyPressed,
    Noted,
    Quit,
    Resized,
    RunCommand,
    Seen,
    StopWork,
    Ticked,
    Wish,
)
from lightning_grpc.dashboard.keys import KeyDecoder
from lightning_grpc.dashboard.model import Model
from lightning_grpc.dashboard.recording import Recorder
from lightning_grpc.dashboard.source import Source
from lightning_grpc.dashboard.terminal import Terminal
from lightning_grpc.dashboard.view import lines_of
from lightning_grpc.errors import LightningGrpcError

FRAME_S = 0.1
"""The least time between two frames."""
SHARE = 0.01
"""How much of a core drawing may take: a frame that took long is followed by a pause that makes up for it."""
_SLOWEST_FRAME_S = 1.0
_TICK_S = 1.0  # for what changes with time alone: the time that something is up
_FADE_TICK_S = 0.2  # while something fades
_ESCAPE_S = 0.05  # after a lone escape, for the rest of a sequence
_ACT_S = 2.0  # for what was wanted to be done, when the person leaves
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
_MOST_WAITING = 10_000  # events; a dashboard that is stopped by Ctrl-Z, say, leaves out what it cannot keep


class Screen(Protocol):
    """What a dashboard is painted on, and where its keys come from: a `Terminal`."""

    @property
    def keyboard(self) -> int:
        """The file descriptor that keys are read from."""

    def size(self) -> tuple[int, int]:
        """Return the width and the height."""

    def paint(self, lines: list[list[tuple[str, str]]]) -> int:
        """Show lines; returns how many of them had changed; `TimeoutError` if it takes nothing, `OSError` if gone."""

    def forget(self) -> None:
        """Paint everything anew the next time."""

    def take(self) -> None:
        """Take the terminal again from who has had it meanwhile; `OSError` if it is gone."""


class Live:
    """Shows what a source tells until the person leaves.

    Args:
        source: Where the events come from.
        screen: Where they are shown.
        recorder: Is told what the source tells, if there is one.
        clock: What time it is there, in seconds since 1970.
        is_replay: Whether the source plays a recording.

    Attributes:
        model: The newest model.
        was_interrupted: Whether Ctrl-C has ended it.

    Threads: Belongs to a loop.
    """

    def __init__(
        self,
        source: Source,
        screen: Screen,
        *,
        recorder: Recorder | None = None,
        clock: Callable[[], float] = time.time,
        is_replay: bool = False,
    ) -> None:
        self._source = source
        self._screen = screen
        self._recorder = recorder
        self._events: asyncio.Queue[Event] = asyncio.Queue(_MOST_WAITING)
        self._decoder = KeyDecoder()
        self._acting: set[asyncio.Task[None]] = set()
        self._is_over = False
        self.was_interrupted = False
        self._painted: Model | None = None
        self._paint_due_s = 0.0
        self._clock = clock
        now_s = clock()
        utc_offset_s = float(time.localtime(now_s).tm_gmtoff or 0)
        self.model = Model(now_s=now_s, utc_offset_s=utc_offset_s, is_replay=is_replay)

    async def run(self) -> None:
        """Show it; returns when the person leaves."""
        loop = asyncio.get_running_loop()
        following = asyncio.create_task(self._source.run(self._seen), name="dashboard's source")
        self._resize()
        with contextlib.ExitStack() as stack:
            loop.add_reader(self._screen.keyboard, self._read_keys)
            stack.callback(loop.remove_reader, self._screen.keyboard)
            loop.add_signal_handler(signal.SIGWINCH, self._resize)
            stack.callback(loop.remove_signal_handler, signal.SIGWINCH)
            loop.add_signal_handler(signal.SIGCONT, self._go_on)
            stack.callback(loop.remove_signal_handler, signal.SIGCONT)
            try:
                while not self._is_over:
                    await self._turn()
                    if following.done() and not following.cancelled():
                        following.result()  # for what went wrong
                if self._acting:
                    await asyncio.wait(self._acting, timeout=_ACT_S)
            finally:
                for task in (following, *self._acting):
                    task.cancel()
                await asyncio.gather(following, *self._acting, return_exceptions=True)

    def put(self, event: Event) -> None:
        """Take an event in soon."""
        with contextlib.suppress(asyncio.QueueFull):
            self._events.put_nowait(event)

    async def _turn(self) -> None:
        """Wait for something to happen, take it in with all that has come with it, and paint."""
        for event in await self._wait():
            self.model, wishes = step(self.model, event)
            for wish in wishes:
                self._grant(wish)
        self._paint()

    async def _wait(self) -> list[Event]:
        now_s = time.monotonic()
        wait_s = _FADE_TICK_S if self.model.is_fading() else _TICK_S
        if self._painted is not self.model:
            wait_s = min(wait_s, max(0.0, self._paint_due_s - now_s))
        events: list[Event] = []
        try:
            async with asyncio.timeout(wait_s):
                events.append(await self._events.get())
        except TimeoutError:
            if self._painted is self.model and not self._is_still():
                events.append(Ticked(self._clock()))
        while not self._events.empty():
            events.append(self._events.get_nowait())
        return events

    def _is_still(self) -> bool:
        """Whether nothing moves but the clock: what has ended is as it was, and so is what is paused."""
        model = self.model
        return model.ui.note is None and (model.data.connection.is_over or model.held is not None)

    def _paint(self) -> None:
        now_s = time.monotonic()
        if self._painted is self.model or now_s < self._paint_due_s:
            return
        began_s = time.thread_time()
        lines = lines_of(self.model)
        self._painted = self.model
        try:
            self._screen.paint(lines)
        except TimeoutError:  # it takes nothing now, and is tried again; signals are heard all the same
            self._painted = None
        except OSError:  # it is gone
            self._is_over = True
        took_s = time.thread_time() - began_s
        self._paint_due_s = now_s + min(_SLOWEST_FRAME_S, max(FRAME_S, took_s / SHARE))

    # Events.

    def _seen(self, event: Seen) -> None:
        if self._recorder is not None:
            self._recorder.write(event)
            if self._recorder.problem:
                self.put(Noted(self._clock(), self._recorder.problem, is_error=True))
                self._recorder = None
        self.put(event)

    def _read_keys(self) -> None:
        try:
            data = os.read(self._screen.keyboard, 4096)
        except OSError:
            data = b""
        if not data:  # the terminal is gone
            self._is_over = True
            self.put(Ticked(self._clock()))
            asyncio.get_running_loop().remove_reader(self._screen.keyboard)
            return
        self._press(self._decoder.feed(data))
        if self._decoder.is_waiting:
            asyncio.get_running_loop().call_later(_ESCAPE_S, lambda: self._press(self._decoder.flush()))

    def _press(self, keys: list[str]) -> None:
        for key in keys:
            if key == "ctrl-l":  # something else has written on the screen
                self._screen.forget()
            self.put(KeyPressed(self._clock(), key))
            self._paint_due_s = min(self._paint_due_s, time.monotonic() + FRAME_S / 2)  # what is pressed is seen soon

    def _resize(self) -> None:
        self._screen.forget()  # a terminal may have cut or wrapped what was on it
        self.put(Resized(self._clock(), *self._screen.size()))

    def _go_on(self) -> None:
        """Go on after a stop, in which a shell may have had the terminal."""
        with contextlib.suppress(OSError, termios.error):  # if it is gone, painting will tell
            self._screen.take()
        self._resize()

    # Wishes.

    def _grant(self, wish: Wish) -> None:
        match wish:
            case Quit(is_interrupt):
                self._is_over = True
                self.was_interrupted = is_interrupt
            case StopWork(name):
                self._note_under_way(f"{name} is being stopped ...")
                self._act(f"{name} is ending", lambda: self._source.stop_work(name))
            case RunCommand(line):
                self._note_under_way(f"{line.split(maxsplit=1)[0]} is running ...")
                self._act("", lambda: self._source.run_command(line), line)

    def _note_under_way(self, words: str) -> None:
        self.model, _ = step(self.model, Noted(self._clock(), words, is_under_way=True))

    def _act(self, words: str, doing: Callable[[], Coroutine[Any, Any, str | None]], command: str = "") -> None:
        task = asyncio.create_task(self._do(words, doing, command), name="dashboard's wish")
        self._acting.add(task)
        task.add_done_callback(self._acting.discard)

    async def _do(self, words: str, doing: Callable[[], Coroutine[Any, Any, str | None]], command: str) -> None:
        try:
            told = await doing()
        except LightningGrpcError as error:
            self.put(Noted(self._clock(), str(error), is_error=True, command=command))
        else:
            self.put(Noted(self._clock(), words or str(told), command=command))


async def show(live: Live, terminal: Terminal) -> int:
    """Show a dashboard on a terminal; returns the exit code: 0, or that of the signal, or Ctrl-C, that has ended it.

    However it ends, the terminal is as it was before.
    """
    try:
        with ending_by_signal() as ended_by:
            try:
                terminal.open()
                await live.run()
            finally:
                terminal.close()
    except asyncio.CancelledError:
        if not ended_by:
            raise
    if live.was_interrupted:
        ended_by.append(signal.SIGINT)
    return 128 + ended_by[0] if ended_by else 0


@contextlib.contextmanager
def ending_by_signal() -> Iterator[list[int]]:
    """Have the signals that end a program cancel the task, so that it ends in order; yields those that came."""
    loop = asyncio.get_running_loop()
    ended_by: list[int] = []
    running = asyncio.current_task()
    assert running is not None

    def end(signum: int) -> None:
        ended_by.append(signum)
        running.cancel()

    for signum in _ENDING:
        loop.add_signal_handler(signum, end, signum)
    try:
        yield ended_by
    finally:
        for signum in _ENDING:
            loop.remove_signal_handler(signum)

"""Signals, made known to the loop's thread, whatever the main thread is doing."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType

NUDGE = signal.SIGURG
"""Does nothing but interrupt a system call of the main thread, so that it handles the signals that have arrived."""


class SignalWakeup:
    """Tells a loop on another thread that signals have arrived.

    Python runs the handlers of signals on the main thread, between two of its instructions. A signal that arrives
    right before the main thread goes to sleep in a lock, or that the system hands to another thread, does not wake it:
    its handler would wait for whatever wakes the main thread next. So a byte, the signal's number, is written to a
    socket when the signal arrives, in C; the loop reads it, and may wake the main thread: by `nudge`, whatever system
    call of the user's code it is in.

    Code of the user's that takes the wake-up for itself, as asyncio's signal handlers do, has it while it lasts;
    `install` takes it back.

    Threads: `install` and `remove` on the main thread; `watch` on the loop.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._before: int | None = None

    def install(self) -> None:
        """Have signals make themselves known."""
        before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        if self._before is None:
            self._before = before
        if signal.getsignal(NUDGE) is signal.SIG_DFL:
            signal.signal(NUDGE, _do_nothing)

    def remove(self) -> None:
        """Leave things as they were before `install`; the loop has ended."""
        with contextlib.suppress(ValueError):  # what was there before is closed
            signal.set_wakeup_fd(-1 if self._before is None else self._before, warn_on_full_buffer=False)
        if signal.getsignal(NUDGE) is _do_nothing:
            signal.signal(NUDGE, signal.SIG_DFL)
        self._reader.close()
        self._writer.close()

    def nudge(self) -> None:
        """Have the main thread handle what has arrived, even if it is asleep; on any thread."""
        main = threading.main_thread().ident
        if main is not None:
            signal.pthread_kill(main, NUDGE)

    def watch(self, arrived: Callable[[bytes], None]) -> None:
        """Have a function called with the numbers of the signals that have arrived, on the running loop."""
        asyncio.get_running_loop().add_reader(self._reader, self._read, arrived)

    def _read(self, arrived: Callable[[bytes], None]) -> None:
        with contextlib.suppress(BlockingIOError):
            arrived(self._reader.recv(4096))


def _do_nothing(signum: int, frame: FrameType | None) -> None:
    """Handle a signal that is sent for its effect on a system call alone."""


def forget_wakeup() -> None:
    """Let the signals of this process, which was just forked off another one, be its own affair."""
    signal.set_wakeup_fd(-1)

"""The terminal: its alternate screen, its keys without echo, and painting only the lines that have changed."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from collections.abc import Sequence
from typing import IO, Any

from rich.color import ColorSystem
from rich.console import Console

from lightning_grpc.dashboard.cells import Row
from lightning_grpc.dashboard.theme import STYLES

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"  # the alternate screen, no cursor, nothing on it
_LEAVE = "\x1b[0m\x1b[?25h\x1b[?1049l"
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"  # so that a terminal shows a frame at once, if it can
_BLOCKED_S = 0.5  # how long a screen may take nothing before it is given up: Ctrl-S, a line that is dead
_SYSTEMS = {"standard": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT, "truecolor": ColorSystem.TRUECOLOR}


def is_usable() -> bool:
    """Tell whether a dashboard can be shown here: both ends are terminals, and one that can move its cursor."""
    if os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        return False
    return sys.stdin.isatty() and sys.stdout.isatty()


class Terminal:
    """Takes the terminal over, from `open` to `close`, which may be called at any time, and again.

    Args:
        read_from: Its keyboard.
        write_to: Its screen.

    Threads: One.
    """

    def __init__(self, read_from: IO[Any] | None = None, write_to: IO[str] | None = None) -> None:
        self._in = (read_from or sys.stdin).fileno()
        self._out = write_to or sys.stdout
        console = Console(file=self._out)
        self._system = _SYSTEMS.get(console.color_system or "")
        self._styles = {name: style.without_color for name, style in STYLES.items()} if console.no_color else STYLES
        self._before: list[Any] | None = None
        self._screen: int | None = None  # the same terminal by a description of its own, which never blocks
        self._painted: list[str] = []

    @property
    def keyboard(self) -> int:
        """The file descriptor that keys are read from."""
        return self._in

    def open(self) -> None:
        """Begin: what was on the screen comes back with `close`."""
        self._before = termios.tcgetattr(self._in)
        with contextlib.suppress(OSError):  # such as a terminal of another name space: then with the one there is
            self._screen = os.open(os.ttyname(self._out.fileno()), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        self.take()

    def take(self) -> None:
        """Take its keys and its screen; again, after the program was stopped and a shell has had them meanwhile."""
        if self._before is None:
            return
        tty.setcbreak(self._in)
        mode = termios.tcgetattr(self._in)
        mode[3] &= ~termios.ISIG  # Ctrl-C is a key
        termios.tcsetattr(self._in, termios.TCSADRAIN, mode)
        self._write(_ENTER)
        self.forget()

    def close(self) -> None:
        """Give the terminal back as it was."""
        before, self._before = self._before, None
        if before is None:
            return
        when = termios.TCSADRAIN
        try:
            self._write(_LEAVE)
        except OSError:  # it is gone, or takes nothing: what is on its way to it is not waited for
            when = termios.TCSANOW
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(self._in, when, before)
        if self._screen is not None:
            os.close(self._screen)
            self._screen = None

    def size(self) -> tuple[int, int]:
        """Return its width and height."""
        try:
            size = os.get_terminal_size(self._out.fileno())
        except OSError:
            return 80, 24
        return size.columns, size.lines

    def forget(self) -> None:
        """Paint everything anew the next time."""
        self._painted = []

    def paint(self, lines: Sequence[Row]) -> int:
        """Show lines; returns how many of them had changed.

        Raises:
            TimeoutError: The terminal takes nothing now; the next time, everything is painted anew.
            OSError: It is gone.
        """
        texts = [self._text(line) for line in lines]
        is_new = len(texts) != len(self._painted)
        changed = [index for index, text in enumerate(texts) if is_new or text != self._painted[index]]
        if changed:
            parts = ["\x1b[2J"] if is_new else []
            parts += [f"\x1b[{index + 1};1H{texts[index]}\x1b[0m" for index in changed]
            self._write(f"{_BEGIN}{''.join(parts)}{_END}")
            self._painted = texts
        return len(changed)

    def _text(self, line: Row) -> str:
        system, styles = self._system, self._styles
        return "".join(
            styles[style].render(text, color_system=system) if style and system is not None else text
            for text, style in line
        )

    def _write(self, text: str) -> None:
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        data = memoryview(text.encode(encoding, "replace"))
        screen = self._screen if self._screen is not None else self._out.fileno()
        while data:
            if not select.select([], [screen], [], _BLOCKED_S)[1]:
                self.forget()
                raise TimeoutError("the terminal takes nothing")
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(screen, data) :]

"""Where the view appears: drawn in place on a terminal, line by line anywhere else."""

from __future__ import annotations

import atexit
import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live

from view import Picture, progress, report, status_line

REDRAW_S = 0.1
"""The view is drawn at most this often: the Flow runs much more often than eyes can follow."""
_PLAIN_COLUMNS = 100


class Screen:
    """Shows pictures; one line for every tenth of the way, and the report.

    Args:
        console: Where to write.
        clock: Returns seconds that only ever grow.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console
        self._clock = clock
        self._due_s = clock()
        self._tenths = 0

    def is_due(self) -> bool:
        """Tell whether it is time for the next picture."""
        return self._clock() >= self._due_s

    def show(self, picture: Picture) -> None:
        """Show how far it is."""
        self._due_s = self._clock() + REDRAW_S
        self._draw(picture)

    def finish(self, picture: Picture) -> None:
        """Leave the report."""
        with self.console.capture() as capture:
            self.console.print(report(picture, width=0))
        self._write(*(line.rstrip() for line in capture.get().splitlines()))

    def _draw(self, picture: Picture) -> None:
        total = picture.total
        tenths = total.bytes * 10 // max(1, total.total_bytes)
        if tenths > self._tenths:
            self._tenths = tenths
            self._write(status_line(picture))

    def _write(self, *lines: str) -> None:
        print(*lines, sep="\n", file=self.console.file, flush=True)


class TerminalScreen(Screen):
    """Draws pictures over one another; the report replaces them.

    An app that ends early leaves its last picture where it is; what it has to say comes below.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console, clock)
        self._live = Live(
            console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )

    def finish(self, picture: Picture) -> None:
        """Leave the report."""
        self._live.stop()
        atexit.unregister(self.console.show_cursor)
        self.console.print(report(picture, *self.console.size))

    def _draw(self, picture: Picture) -> None:
        if not self._live.is_started:
            self._live.start()
            atexit.register(self.console.show_cursor)
        self._live.update(progress(picture, *self.console.size), refresh=True)


def open_screen() -> Screen:
    """Return the screen that suits what stdout is."""
    if sys.stdout.isatty():
        console = Console(highlight=False)
        if not console.is_dumb_terminal:
            return TerminalScreen(console)
    return Screen(Console(highlight=False, force_terminal=False, no_color=True, width=_PLAIN_COLUMNS))

"""A real pseudo-terminal, and what its screen shows: pexpect reads it, pyte is the terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time

import pexpect
import pexpect.fdpexpect
import pyte

DEADLINE_S = 25
_TAKE_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "lightning_grpc", *sys.argv[1:]])
"""


class Terminal:
    """A program at a terminal of its own, which is its controlling one: keys, Ctrl-C too, reach it as a person's do.

    It is started without a fork in Python, for this process has threads and gRPC.
    """

    def __init__(self, *words, columns=80, lines=24, **environment):
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        surroundings = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONUTF8": "1", **environment}
        for name in ("COLUMNS", "LINES", "NO_COLOR"):
            if name not in environment:
                surroundings.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *map(str, words)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=surroundings,
        )
        os.close(theirs)
        self._keys = pexpect.fdpexpect.fdspawn(ours, timeout=DEADLINE_S)
        self.raw = b""

    def press(self, keys):
        """Press some keys."""
        self._keys.send(keys)

    def interrupt(self):
        """Press Ctrl-C."""
        self.press("\x03")

    @property
    def rows(self):
        """What the screen shows, without blanks at the ends of rows."""
        return [row.rstrip() for row in self.screen.display]

    @property
    def text(self):
        """The same in one piece."""
        return "\n".join(self.rows)

    def until(self, condition, what):
        """Wait until the screen shows something: a text, or what a function of the terminal finds."""
        holds = (lambda each: condition in each.text) if isinstance(condition, str) else condition
        deadline_s = time.monotonic() + DEADLINE_S
        while not (found := holds(self)):
            assert time.monotonic() < deadline_s, f"not seen: {what}\n{self.text}"
            is_open = self._read(0.1)
            if not is_open:
                assert holds(self), f"not seen, and the program has ended: {what}\n{self.text}"
        return found

    def ended(self):
        """Wait until the program has ended; returns its exit code."""
        while self._read(DEADLINE_S):
            pass
        return self.process.wait(DEADLINE_S)

    def close(self):
        """End what still runs."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(DEADLINE_S)
        self._keys.close()

    def _read(self, patience_s):
        """Take in what was written meanwhile; returns False if nothing more will be."""
        try:
            written = self._keys.read_nonblocking(1 << 16, timeout=patience_s)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += written
        self._stream.feed(written)
        return True


@contextlib.contextmanager
def terminal(*words, **options):
    """A line of the command line at a terminal; it ends with the block."""
    opened = Terminal(*words, **options)
    try:
        yield opened
    finally:
        opened.close()

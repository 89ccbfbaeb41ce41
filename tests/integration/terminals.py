"""A command of ours in a terminal: a real pseudo-terminal, and a screen that shows what a person would see."""

from __future__ import annotations

import os
import signal
import sys
import termios
import threading
import time

import pexpect
import pyte

DEADLINE_S = 40


class _Screen(pyte.Screen):
    """A screen that knows the alternate one: what was there before comes back when it is left."""

    def __init__(self, columns, lines):
        super().__init__(columns, lines)
        self.is_alternate = False
        self.has_cursor = True

    def set_mode(self, *modes, **options):
        self.is_alternate |= options.get("private", False) and 1049 in modes
        super().set_mode(*modes, **options)

    def reset_mode(self, *modes, **options):
        if options.get("private") and 1049 in modes:
            self.is_alternate = False
        super().reset_mode(*modes, **options)


class Terminal:
    """A command in a terminal of a size.

    Args:
        words: What follows ``lightning-grpc`` on the line.
        size: The screen's width and height.
        environment: What differs from ours.
    """

    def __init__(self, *words, size=(120, 40), **environment):
        self.screen = _Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self._lock = threading.Lock()
        self.heard = b""
        env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "", "LINES": "", **environment}
        env = {key: value for key, value in env.items() if value != "" and key != "NO_COLOR"} | environment
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "lightning_grpc", *words],
            dimensions=(size[1], size[0]),
            env=env,
            timeout=DEADLINE_S,
        )
        self.modes_before = None
        self._reader = threading.Thread(target=self._read, name="screen", daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.isalive():
            self.child.kill(signal.SIGTERM)
        deadline_s = time.monotonic() + DEADLINE_S
        while self.child.isalive() and time.monotonic() < deadline_s:
            time.sleep(0.01)
        self.child.close(force=True)
        self._reader.join(DEADLINE_S)

    def _read(self):
        while True:
            try:
                data = os.read(self.child.child_fd, 1 << 16)
            except OSError:
                return
            if not data:
                return
            with self._lock:
                self.heard += data
                self._stream.feed(data)

    @property
    def lines(self):
        """What the screen shows."""
        with self._lock:
            return list(self.screen.display)

    @property
    def text(self):
        """The same as one text."""
        return "\n".join(self.lines)

    def until(self, condition, what):
        """Wait until a condition of the screen holds; on failure, show the screen."""
        deadline_s = time.monotonic() + DEADLINE_S
        while not (value := condition()):
            assert time.monotonic() < deadline_s, f"not reached: {what}\n{self.text}\n{self.heard[-500:]!r}"
            time.sleep(0.01)
        return value

    def shows(self, *parts):
        """Wait until the screen shows some texts."""
        return self.until(lambda: all(part in self.text for part in parts), f"the screen shows {parts}")

    def hides(self, part):
        """Wait until the screen does not show a text."""
        return self.until(lambda: part not in self.text, f"the screen does not show {part!r}")

    def press(self, *keys):
        """Press keys: characters, or the bytes of a key."""
        for key in keys:
            self.child.send(key)
        return self

    def resize(self, columns, lines):
        """Give the terminal another size."""
        with self._lock:
            self.screen.resize(lines, columns)
        self.child.setwinsize(lines, columns)

    def cook(self):
        """Give the terminal the modes that a shell gives it."""
        modes = termios.tcgetattr(self.child.child_fd)
        modes[3] |= termios.ECHO | termios.ICANON | termios.ISIG
        termios.tcsetattr(self.child.child_fd, termios.TCSANOW, modes)

    def ends(self):
        """Wait until the command ends; returns its exit code."""
        self.until(lambda: not self.child.isalive(), "the command ends")
        self._reader.join(DEADLINE_S)
        return self.child.exitstatus if self.child.exitstatus is not None else -self.child.signalstatus

    @property
    def is_cooked(self):
        """Whether the terminal echoes and takes lines, as a shell leaves it."""
        flags = termios.tcgetattr(self.child.child_fd)[3]
        return bool(flags & termios.ECHO and flags & termios.ICANON and flags & termios.ISIG)

"""What a process prints, kept for a while for whoever wants to read it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from typing import Any, TextIO

from lightning_grpc.state.log import Log
from lightning_grpc.wire.logs import LogLine

_package_log = logging.getLogger("lightning_grpc")

MAX_LINES = 2000
"""Lines that are kept."""
MAX_BYTES = 1 << 20
"""What they may take together."""
MAX_LINE = 8192
"""Characters of a line that are kept; the rest of it becomes the next line."""
_BATCH = 200  # lines that are handed over at a time


class OutputLog:
    """Keeps the newest lines of a process's output.

    Args:
        component: Whose process it is, by its full name.

    Threads: `feed` on any thread; `read` on the loop that `read` was first called on.
    """

    def __init__(self, component: str) -> None:
        self._component = component
        self._lock = threading.Lock()
        self._log: Log[LogLine] = Log(max_entries=MAX_LINES, max_bytes=MAX_BYTES)
        self._fed: deque[tuple[str, str, float]] = deque()  # emptied at once, by whoever has the lock
        self._is_deaf = False
        self._begun: dict[str, str] = {}
        self._readers: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def feed(self, kind: str, text: str) -> None:
        """Take in what was printed; a line is complete with its end, or when it gets too long.

        Nothing is waited for: a signal handler or a finalizer may print while the same thread is in here already.
        """
        if text and not self._is_deaf:
            self._fed.append((kind, text, time.time()))
            self._take_in()

    def _take_in(self) -> None:
        """Make lines of what was fed; if somebody else is at it, that one does."""
        complete = False
        while self._fed and self._lock.acquire(blocking=False):
            try:
                while self._fed:
                    complete = self._add(*self._fed.popleft()) or complete
            finally:
                self._lock.release()
        if complete:
            self._wake()

    def _add(self, kind: str, text: str, now_s: float) -> bool:
        *lines, rest = (self._begun.get(kind, "") + text).split("\n")
        while len(rest) > MAX_LINE:
            lines.append(rest[:MAX_LINE])
            rest = rest[MAX_LINE:]
        self._begun[kind] = rest
        for line in lines:
            for start in range(0, len(line) or 1, MAX_LINE):
                part = line[start : start + MAX_LINE].rstrip("\r")
                part = part.encode(errors="replace").decode()
                self._log.append(LogLine(self._component, kind, now_s, part), len(part))
        return bool(lines)

    def forget(self) -> None:
        """Keep nothing any more: this is a process that was forked off, whose threads are gone."""
        self._is_deaf = True
        self._fed.clear()

    def close(self) -> None:
        """Make readers end when they have read everything."""
        for kind, rest in list(self._begun.items()):
            self.feed(kind, "\n" if rest else "")
        self._closed = True
        self._wake()

    async def read(self, tail: int, *, follow: bool) -> AsyncGenerator[tuple[list[LogLine], int], None]:
        """Yield lines, oldest first, some at a time; and how many were left out before them.

        Args:
            tail: How many lines of the past to begin with.
            follow: Whether to go on with what comes.
        """
        self._loop = asyncio.get_running_loop()
        event = asyncio.Event()
        self._readers.add(event)
        try:
            at = max(self._log.revision - tail, self._log.oldest - 1)
            while True:
                event.clear()
                self._take_in()
                with self._lock:
                    dropped = max(0, self._log.oldest - 1 - at)
                    lines = list(self._log.since(at + dropped) or ())[:_BATCH]
                    at += dropped + len(lines)
                self._take_in()  # what was fed meanwhile
                if lines:
                    yield lines, dropped
                elif not follow or self._closed:
                    return
                else:
                    await event.wait()
        finally:
            self._readers.discard(event)

    @contextlib.contextmanager
    def capturing(self) -> Iterator[None]:
        """Have what Python code of this process prints kept too, while it goes where it went before.

        What the package logs is kept as well, as a line of ``stderr``.
        """
        _capturing.add(self)
        handler = _Handler(self)
        _package_log.addHandler(handler)
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = ours = _Tee(sys.stdout, self, "stdout"), _Tee(sys.stderr, self, "stderr")
        try:
            yield
        finally:
            _package_log.removeHandler(handler)
            _capturing.discard(self)
            if (sys.stdout, sys.stderr) == ours:
                sys.stdout, sys.stderr = before

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None and self._readers:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads any more
                loop.call_soon_threadsafe(self._notify)

    def _notify(self) -> None:
        for event in self._readers:
            event.set()


class _Handler(logging.Handler):
    """Tells an `OutputLog` what is logged; it is called beside whatever shows the log."""

    def __init__(self, log: OutputLog) -> None:
        super().__init__()
        self._log = log
        self.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._log.feed("stderr", self.format(record) + "\n")


class _Tee(io.TextIOBase):
    """A text stream that also tells an `OutputLog` what is written to it."""

    def __init__(self, stream: TextIO, log: OutputLog, kind: str) -> None:
        self._stream = stream
        self._log = log
        self._kind = kind

    def write(self, text: str) -> int:
        written = self._stream.write(text)
        self._log.feed(self._kind, text)
        return written

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._stream.errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_capturing: weakref.WeakSet[OutputLog] = weakref.WeakSet()


def _forget_all() -> None:
    for log in list(_capturing):
        log.forget()


os.register_at_fork(after_in_child=_forget_all)

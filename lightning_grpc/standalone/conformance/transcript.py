"""What was said while a rule was checked, bounded, for people who look for the reason of a failure."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from google.protobuf import text_format

FIRST_LINES = 15
LAST_LINES = 45
MAX_LINE = 400
"""Characters of a line; longer ones are cut."""
_MAX_RENDERED_BYTES = 4096


class Transcript:
    """The first lines and the last ones of what was said."""

    def __init__(self) -> None:
        self._started_s = time.monotonic()
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._noted = 0

    def note(self, text: str) -> None:
        """Add a line."""
        line = f"{time.monotonic() - self._started_s:7.3f} s  {_cut(text)}"
        self._noted += 1
        if len(self._first) < FIRST_LINES:
            self._first.append(line)
        else:
            self._last.append(line)

    @property
    def lines(self) -> list[str]:
        """All that was kept; fresh."""
        left_out = self._noted - len(self._first) - len(self._last)
        gap = [f"... {left_out} lines left out ..."] if left_out else []
        return [*self._first, *gap, *self._last]


def render(message: Any, size_bytes: int) -> str:
    """Write a message as people read it; one that is large by its size alone."""
    if size_bytes > _MAX_RENDERED_BYTES:
        return f"{type(message).__name__} of {size_bytes} bytes"
    return f"{type(message).__name__} {{ {text_format.MessageToString(message, as_one_line=True, as_utf8=True)} }}"


def _cut(text: str) -> str:
    kept = text if len(text) <= MAX_LINE else f"{text[: MAX_LINE - 3]}..."
    return kept if kept.isprintable() else "".join(each if each.isprintable() else "?" for each in kept)

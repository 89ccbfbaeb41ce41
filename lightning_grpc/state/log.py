"""A bounded log of revisions, from which any number of readers catch up at their own pace."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Generic, TypeVar

Entry = TypeVar("Entry")


class Log(Generic[Entry]):
    """Keeps the newest revisions; the older ones are forgotten, never silently: `since` says so.

    Revisions are contiguous. What an entry is, is the caller's business.

    Args:
        max_entries: Revisions kept at most.
        max_bytes: Sum of the kept entries' sizes at most; the newest entry is dropped too if it alone is larger.
        revision: The one before the first entry, for a log that begins in the middle.
    """

    def __init__(self, *, max_entries: int = 1024, max_bytes: int = 4 << 20, revision: int = 0) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: deque[tuple[Entry, int]] = deque()
        self._size_bytes = 0
        self.revision = revision

    @property
    def oldest(self) -> int:
        """The oldest revision still held; one above `revision` when none is."""
        return self.revision - len(self._entries) + 1

    @property
    def size_bytes(self) -> int:
        """Sum of the held entries' sizes."""
        return self._size_bytes

    def append(self, entry: Entry, size_bytes: int) -> int:
        """Add the next revision and return its number."""
        self.revision += 1
        self._entries.append((entry, size_bytes))
        self._size_bytes += size_bytes
        while self._entries and (len(self._entries) > self._max_entries or self._size_bytes > self._max_bytes):
            self._size_bytes -= self._entries.popleft()[1]
        return self.revision

    def since(self, revision: int) -> Sequence[Entry] | None:
        """Return the entries of ``revision + 1`` and later, in order.

        Returns:
            A fresh list, empty when the reader is up to date; None when a part of it is gone, or when
            `revision` lies in the future: the reader needs a snapshot.
        """
        missing = self.revision - revision
        if missing < 0 or missing > len(self._entries):
            return None
        if missing == 0:
            return []
        return [entry for entry, _ in islice(self._entries, len(self._entries) - missing, None)]

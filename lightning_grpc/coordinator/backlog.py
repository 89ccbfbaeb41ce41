"""What has been heard of a Work's state and not yet been taken by the Flow's thread.

A Flow that is slow shall see the newest state when it looks, not an old one, and what it has not looked at
shall cost little memory. So the stream is always read, and what piles up is conflated: of many writes of an
attribute the last one stays. Changes inside containers cannot be conflated; when there are too many of
them, the backlog is given up for a snapshot.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import chain

from lightning_grpc.state.delta import conflate
from lightning_grpc.state.subscription import Bookmark, Delta, Frame, Snapshot

CONFLATE_FROM = 64
"""Frames that are kept as they are; from then on they are conflated."""
MAX_CHANGES = 20_000
"""Changes that are kept at most, conflated; more are given up for a snapshot."""


class Backlog:
    """Frames in the order in which they are to be applied.

    Attributes:
        conflated: Frames that were left out so far.

    Threads: `add` on the supervisor's thread, `take` on the Flow's.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frames: list[Frame] = []
        self._conflate_at = CONFLATE_FROM
        self.conflated = 0

    def add(self, frames: Sequence[Frame]) -> bool:
        """Add frames; returns whether there were none before, so that the reader has to be told.

        Raises:
            OverflowError: There are too many changes. The backlog is empty now, and a snapshot must come next.
        """
        with self._lock:
            was_empty = not self._frames
            self._frames += frames
            if len(self._frames) >= self._conflate_at:
                before = len(self._frames)
                self._frames = conflated(self._frames)
                self.conflated += before - len(self._frames)
                changes = sum(len(frame.changes) for frame in self._frames if isinstance(frame, Delta))
                if changes > MAX_CHANGES:
                    self._frames = []
                    raise OverflowError(f"more than {MAX_CHANGES} changes wait for the Flow")
                self._conflate_at = len(self._frames) + CONFLATE_FROM
            return was_empty

    def take(self) -> list[Frame]:
        """Return, once, all frames."""
        with self._lock:
            frames, self._frames = self._frames, []
            self._conflate_at = CONFLATE_FROM
            return frames


def conflated(frames: Sequence[Frame]) -> list[Frame]:
    """Return fewer frames with the same effect.

    Kept are: the last snapshot and nothing before it, of the deltas what still matters, as one delta, and the last
    bookmark if nothing comes after it. What is left of a single one of the deltas would be a state that the Work was
    never in; all together lead from one state of it to another.
    """
    start = max((i for i, frame in enumerate(frames) if isinstance(frame, Snapshot)), default=0)
    deltas = [frame for frame in frames[start:] if isinstance(frame, Delta)]
    kept: list[Frame] = [frame for frame in frames[start : start + 1] if isinstance(frame, Snapshot)]
    if deltas:
        changes = list(chain.from_iterable(conflate([delta.changes for delta in deltas])))
        last, first = deltas[-1], deltas[0].first or deltas[0].revision
        kept.append(last if len(deltas) == 1 else Delta(last.epoch, last.revision, changes, last.made_at_s, first))
    if frames and isinstance(frames[-1], Bookmark):
        kept.append(frames[-1])
    return kept

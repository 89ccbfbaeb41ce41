"""The revisions of the app's document, for those outside who follow it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from lightning_grpc.state.delta import Change, apply
from lightning_grpc.state.values import Document, Path
from lightning_grpc.wire.stream import StateStream

Delta = list[Change]

_KINDS = frozenset({"flows", "works", "structures"})


def attribute_of(path: Path) -> Path:
    """Return the part of a path in the app's document that leads to an attribute, or to a component."""
    depth = 0
    while depth + 1 < len(path) and path[depth] in _KINDS:
        depth += 2
    return path[: depth + 2]


class AppLog:
    """Counts the revisions of the app's document, and streams them once somebody has asked for them.

    While nobody has, a delta costs a count. Revision 1 is the document as it was when the app began.

    Args:
        take_document: Returns the document as it is, fresh.
        post: Has a function called on the loop that serves the streams.

    Attributes:
        epoch: This run of the app.

    Threads: `publish` and `open` on the thread that runs the Flow.
    """

    def __init__(self, take_document: Callable[[], Document], post: Callable[[Callable[[], None]], None]) -> None:
        self.epoch = time.time_ns()
        self._take_document = take_document
        self._post = post
        self._revision = 0
        self._document: Document = {}
        self._stream: StateStream | None = None
        self._changed: dict[Path, int] = {}  # attributes, since the stream was opened
        self._opened_at = 0

    @property
    def revision(self) -> int:
        """The newest revision."""
        return self._revision

    def begin(self, revision: int = 1) -> None:
        """Note that the document is complete, and at a revision."""
        self._revision = revision

    def publish(self, deltas: Sequence[Delta]) -> None:
        """Make each delta the next revision."""
        self._revision += len(deltas)
        stream = self._stream
        if stream is None:
            return
        with stream.lock:
            for changes in deltas:
                apply(self._document, changes)
                revision = stream.append(changes)
                self._changed.update((attribute_of(change.path), revision) for change in changes)
        stream.notify()

    def open(self) -> StateStream:
        """Return the stream of the document; every delta so far must have been published."""
        if self._stream is None:
            self._document = self._take_document()
            self._stream = StateStream(self._document, self.epoch, revision=self._revision)
            self._opened_at = self._revision
            self._post(self._stream.start)
        return self._stream

    def changed(self, path: Path) -> int:
        """Return the revision in which an attribute has last changed, or the oldest one known if that was before."""
        return (
            max((self._changed.get(path[:depth], 0) for depth in range(1, len(path) + 1)), default=0) or self._opened_at
        )

    def close(self) -> None:
        """Let the streams end when their subscribers have the last revision."""
        if self._stream is not None:
            self._stream.close()

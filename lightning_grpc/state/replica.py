"""A document that is followed from frames: one version after another, each of which stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lightning_grpc.state.delta import Change, Splice, apply, diff
from lightning_grpc.state.digest import Digest
from lightning_grpc.state.subscription import (
    Accepted,
    Bookmark,
    Foreign,
    Frame,
    Ignored,
    Resync,
    Snapshot,
    Subscription,
)
from lightning_grpc.state.values import Document, Path, Value


@dataclass(frozen=True, slots=True)
class Version:
    """A document as of a revision.

    Attributes:
        revision: The revision.
        changes: What made it of the version before, with what they replaced; empty for the first.
        first: The first of the revisions that the changes sum up; `revision` if there is one.
        document: The document; it shares with other versions what is the same in them, so it must not be changed.
    """

    revision: int
    changes: Sequence[Change]
    document: Document
    first: int = field(default=0, compare=False)


class Replica:
    """Follows the document of one epoch, over as many streams as it takes.

    Args:
        epoch: The epoch; None takes the first that answers.

    Attributes:
        subscription: Judges the frames.

    Example:
        >>> from lightning_grpc.state.delta import Set
        >>> from lightning_grpc.state.subscription import Delta
        >>> replica = Replica()
        >>> replica.subscription.opened()
        0
        >>> first = replica.receive(Snapshot(7, 1, {"vars": {"n": 0}}))
        >>> second = replica.receive(Delta(7, 2, [Set(("vars", "n"), 5)]))
        >>> first.document["vars"]["n"], second.document["vars"]["n"]
        (0, 5)
    """

    def __init__(self, epoch: int | None = None) -> None:
        self.subscription = Subscription(epoch)
        self._document: Document | None = None
        self._digest = Digest({})

    def receive(self, frame: Frame) -> Version | Resync | Foreign | None:
        """Take in one frame of the open stream.

        Returns:
            The version that it makes; None if it makes none; or why the stream is to be given up.

        Raises:
            ProtocolError: A delta does not fit the document.
        """
        verdict = self.subscription.receive(frame)
        if not isinstance(verdict, Accepted):
            return None if isinstance(verdict, Ignored) else verdict
        if isinstance(frame, Bookmark):
            if frame.digest is not None and frame.digest != self._digest.value():
                return self.subscription.broken(f"at revision {frame.revision}, the copy is not what its digest says")
            return None
        if isinstance(frame, Snapshot):
            changes = [] if self._document is None else diff(self._document, frame.document)
            self._document = frame.document
            self._digest = Digest(frame.document)
            return Version(frame.revision, changes, frame.document, frame.revision)
        assert self._document is not None  # or the delta would not have been accepted
        document, done = self._document, []
        for change in frame.changes:
            document = fork(document, change.path if type(change) is Splice else change.path[:-1])
            done += apply(document, [change])
        self._document = document
        self._digest.touch((change.path for change in done), document)
        return Version(frame.revision, done, document, frame.first or frame.revision)


def fork(document: Document, path: Path) -> Document:
    """Return a document of which all but the containers along a path is shared with the given one.

    Stops where the path does not lead on.
    """
    forked: Value = document.copy()
    node = forked
    for key in path:
        try:
            child = node[key]
        except (LookupError, TypeError):
            break
        if type(child) not in (dict, list):
            break
        node[key] = child.copy()
        node = node[key]
    result: Document = forked
    return result

"""The client's side of a state stream, as a machine: frames in, verdicts out.

The rules, per stream and epoch:

* the first frame of a stream opened at revision 0 is a snapshot; a stream opened at revision r goes on
  with r + 1, or with a snapshot when that history is gone;
* a delta is applied if, and only if, it is the next revision;
* a bookmark names the revision the subscriber must be at; its digest, if any, must be the mirror's;
* whatever breaks a rule (a gap, a repeat, a wrong base, a wrong digest) is not applied: the subscriber
  asks for a snapshot, once, and ignores the rest of that stream;
* a frame of another epoch is of another incarnation and never applied.

The machine does no I/O and keeps no copy of the state: whoever owns the mirror applies what is accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lightning_grpc.state.delta import Change
from lightning_grpc.state.values import Document


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole document as of a revision."""

    epoch: int
    revision: int
    document: Document


@dataclass(frozen=True, slots=True)
class Delta:
    """The changes that made `revision` out of the one before; or, if `first` says so, of the one before that."""

    epoch: int
    revision: int
    changes: Sequence[Change]
    made_at_s: float = field(default=0.0, compare=False)  # since 1970; 0 if unknown
    first: int = 0  # the first of several revisions that are summed up; 0 if it is one


@dataclass(frozen=True, slots=True)
class PublishingCost:
    """What a Work's publisher has done so far, and the processor time it took.

    Attributes:
        cuts: Cuts taken.
        cuts_s: Seconds they took.
        scans: Those of them that only looked for changes in place.
        scans_s: Seconds these took.
    """

    cuts: int = 0
    cuts_s: float = 0.0
    scans: int = 0
    scans_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Bookmark:
    """No change: the state is at `revision`, and its owner is alive; `digest` is None if not computed."""

    epoch: int
    revision: int
    digest: int | None = None
    cost: PublishingCost | None = field(default=None, compare=False)


Frame = Snapshot | Delta | Bookmark


@dataclass(frozen=True, slots=True)
class Accepted:
    """The frame is the right one: apply it."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """The frame is of no consequence: the rest of a stream that is given up."""


@dataclass(frozen=True, slots=True)
class Resync:
    """Close the stream and open another at revision 0; `reason` tells why, for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Foreign:
    """The frame is of another epoch; the peer is not the incarnation that was subscribed to."""

    epoch: int


Verdict = Accepted | Ignored | Resync | Foreign

ACCEPTED = Accepted()
IGNORED = Ignored()


class Subscription:
    """Judges the frames of one incarnation's state, over as many streams as it takes.

    Args:
        epoch: The incarnation to follow; None takes the first that answers.

    Attributes:
        epoch: The incarnation followed.
        revision: The last accepted revision, 0 before the first.
        resyncs: How often a snapshot had to be asked for again.

    Example:
        >>> subscription = Subscription(epoch=7)
        >>> subscription.opened()
        0
        >>> subscription.receive(Snapshot(7, 3, {"vars": {}, "calls": {}}))
        Accepted()
        >>> subscription.receive(Delta(7, 5, []))
        Resync(reason='delta 5 does not follow revision 3')
    """

    def __init__(self, epoch: int | None = None) -> None:
        self.epoch = epoch
        self.revision = 0
        self.resyncs = 0
        self._given_up = True  # until a stream is opened

    def opened(self) -> int:
        """Note that a stream is being opened and return the revision to ask it to go on from."""
        self._given_up = False
        return self.revision

    def receive(self, frame: Frame) -> Verdict:
        """Judge one frame of the open stream; an accepted one counts as applied."""
        if self._given_up:
            return IGNORED
        if self.epoch is None and isinstance(frame, Snapshot):
            self.epoch = frame.epoch
        if frame.epoch != self.epoch:
            self._given_up = True
            return Foreign(frame.epoch)
        if isinstance(frame, Snapshot):
            if frame.revision < max(self.revision, 1):
                return self.broken(f"snapshot {frame.revision} is older than revision {self.revision}")
            self.revision = frame.revision
        elif isinstance(frame, Delta):
            first = frame.first or frame.revision
            if self.revision == 0 or first != self.revision + 1:
                return self.broken(f"delta {first} does not follow revision {self.revision}")
            self.revision = frame.revision
        elif frame.revision != self.revision:
            return self.broken(f"bookmark {frame.revision} at revision {self.revision}")
        return ACCEPTED

    def broken(self, reason: str) -> Resync:
        """Give the stream up and start again from a snapshot; also for what only the mirror can notice."""
        self._given_up = True
        self.revision = 0
        self.resyncs += 1
        return Resync(reason)

"""Reading a stream of deltas frame by frame, for who does not need every revision by itself.

Decoding a change takes several microseconds, most of it for values that the next revision overwrites. Of a frame with
many revisions, this reader decodes what is left in the end: the deltas are one, which sums them up. To find that, it
walks over the bytes of the frame, in which the changes of the same place begin with the same bytes. Of a frame with a
few it leaves each as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lightning_grpc.errors import ProtocolError
from lightning_grpc.state.delta import Change, Set
from lightning_grpc.state.subscription import Delta, Frame
from lightning_grpc.state.values import Path
from lightning_grpc.v1 import value_pb2 as value_pb
from lightning_grpc.v1 import work_service_pb2 as work_pb
from lightning_grpc.wire.codec import FrameReader, decode_change, decode_key, decode_value

MOST_APART = 16
"""Deltas of one frame that are not summed up."""
_MOST_PATHS = 4096  # whose meaning is remembered

_DELTA = work_pb.DeltaBatch.DESCRIPTOR.fields_by_name["deltas"].number << 3 | 2
_CHANGE = work_pb.Delta.DESCRIPTOR.fields_by_name["changes"].number << 3 | 2
_KEY = value_pb.Change.DESCRIPTOR.fields_by_name["path"].number << 3 | 2
_SET = value_pb.Change.DESCRIPTOR.fields_by_name["set"].number << 3 | 2


class SummingReader(FrameReader):
    """A `FrameReader` that makes one delta of all those of a frame, if they are many."""

    def __init__(self) -> None:
        super().__init__(whole_app=True)
        self._paths: dict[bytes, Path] = {}

    def read(self, message: Any) -> list[Frame]:
        """Return the frames that are complete with this message; see `FrameReader.read`."""
        if message.WhichOneof("frame") != "deltas" or self._parts or len(message.deltas.deltas) <= MOST_APART:
            return super().read(message)
        batch = message.deltas
        revisions = [delta.revision for delta in batch.deltas]
        if revisions != list(range(revisions[0], revisions[0] + len(revisions))):
            raise ProtocolError(f"the deltas {revisions[0]} to {revisions[-1]} of a frame do not follow each other")
        return [
            Delta(
                batch.epoch,
                revisions[-1],
                summed(batch.SerializeToString(), self._paths),
                batch.made_at_s,
                revisions[0],
            )
        ]


def summed(batch: bytes, paths: dict[bytes, Path]) -> list[Change]:
    """Return changes that do what those of a serialized batch do, without what is overwritten on the way.

    Args:
        batch: The batch.
        paths: What the bytes of paths mean, as far as known; the newest are added, some are kept.

    Raises:
        ProtocolError: A change has no meaning.
    """
    if len(paths) > _MOST_PATHS:
        paths.clear()
    sum_ = _Sum(batch, paths)
    for start, path_end, end in _changes(batch):
        sum_.add(start, path_end, end)
    sum_.settle()
    return sum_.done


class _Sum:
    """Changes that are known to hold, and those that may be overwritten by what comes.

    Those that wait are of places of which none leads to another, so that their order does not matter.
    """

    def __init__(self, batch: bytes, paths: dict[bytes, Path]) -> None:
        self.done: list[Change] = []
        self._batch = batch
        self._paths = paths
        self._waiting: dict[bytes, bytes] = {}  # by the bytes of their paths
        self._places: set[Path] = set()
        self._above: set[Path] = set()

    def add(self, start: int, path_end: int, end: int) -> None:
        """Add the change that stands from `start` to `end`, its path up to `path_end`."""
        batch = self._batch
        is_set = path_end < end and batch[path_end] == _SET
        path = batch[start:path_end]
        if is_set and path in self._waiting:
            self._waiting[path] = batch[start:end]
            return
        if not is_set:
            self.settle()
            self.done.append(decode_change(value_pb.Change.FromString(batch[start:end])))
            return
        place = self._paths.get(path)
        if place is None:
            place = self._paths[path] = tuple(map(decode_key, value_pb.Change.FromString(path).path))
        prefixes = [place[:depth] for depth in range(1, len(place) + 1)]
        if place in self._above or not self._places.isdisjoint(prefixes):
            self.settle()
        self._waiting[path] = batch[start:end]
        self._places.add(place)
        self._above.update(prefixes[:-1])

    def settle(self) -> None:
        """Let what waits hold."""
        for path, data in self._waiting.items():
            if not path:
                raise ProtocolError("a Change without a path")
            self.done.append(Set(self._paths[path], decode_value(value_pb.Change.FromString(data).set)))
        for each in (self._waiting, self._places, self._above):
            each.clear()


def _changes(batch: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield where each change of a batch begins, where its path ends, and where it ends.

    Most fields have a tag and a size of one byte; for those, nothing is called.
    """
    at, end = 0, len(batch)
    while at < end:
        tag, size, body = batch[at], batch[at + 1], at + 2
        if tag != _DELTA or size > 0x7F:
            size, body = _field(batch, at)
        at = body + size
        inner = body if tag == _DELTA else at
        while inner < at:
            tag, size, change = batch[inner], batch[inner + 1], inner + 2
            if tag != _CHANGE or size > 0x7F:
                size, change = _field(batch, inner)
            inner = change + size
            if tag == _CHANGE:
                yield change, _end_of_path(batch, change, inner), inner


def _end_of_path(batch: bytes, at: int, end: int) -> int:
    """Return where the keys of the change that stands from one position to another end."""
    while at < end and batch[at] == _KEY:
        size, key = batch[at + 1], at + 2
        if size > 0x7F:
            size, key = _field(batch, at)
        at = key + size
    return at


def _field(data: bytes, at: int) -> tuple[int, int]:
    """Return how large the value of the field at a position is, and where it begins."""
    kind = data[at] & 7
    while data[at] > 0x7F:  # the number of the field takes several bytes
        at += 1
    at += 1
    if kind == 1:
        return 8, at
    if kind == 5:
        return 4, at
    size = shift = 0
    while True:
        byte = data[at]
        at += 1
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return (size, at) if kind == 2 else (0, at)

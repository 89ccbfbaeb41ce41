"""Values, changes and frames to protobuf and back: total and exact.

Every valid value has exactly one meaning on the wire and comes back equal in value and type. A message
that has none (a missing kind, unequal counts, a repeated key) is a `ProtocolError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from google.protobuf.message import DecodeError

from lightning_grpc.errors import InvalidValueError, ProtocolError
from lightning_grpc.state.delta import Change, Delete, Set, Splice
from lightning_grpc.state.subscription import Bookmark, Delta, Frame, PublishingCost, Snapshot
from lightning_grpc.state.values import Document, Key, Path, Value, validate
from lightning_grpc.v1 import value_pb2 as pb
from lightning_grpc.v1 import work_service_pb2 as work_pb

CHUNK_BYTES = 1 << 20
"""A frame larger than this is sent in parts of this size."""
MAX_FRAME_BYTES = 256 << 20
"""The largest frame a client puts together from parts."""

_INT64 = range(-(1 << 63), 1 << 63)
_COMPACT_FROM = 4  # items; shorter sequences are not worth the look at their types


def encode_value(value: Value) -> pb.Value:
    """Return the message for a value that `validate` accepts."""
    kind = type(value)
    if kind is int:
        return pb.Value(int_value=value) if value in _INT64 else pb.Value(big_int_value=_int_bytes(value))
    if kind is str:
        return pb.Value(text_value=value)
    if kind is float:
        return pb.Value(float_value=value)
    if kind is bool:
        return pb.Value(bool_value=value)
    if value is None:
        return pb.Value(null_value=pb.NULL_UNSPECIFIED)
    if kind is list:
        return pb.Value(list_value=_encode_sequence(value))
    if kind is dict:
        mapping = pb.Mapping(keys=map(encode_key, value), values=map(encode_value, value.values()))
        return pb.Value(dict_value=mapping)
    if kind is tuple:
        return pb.Value(tuple_value=_encode_sequence(value))
    raise InvalidValueError((), f"is a {kind.__name__}")


def decode_value(message: pb.Value) -> Value:
    """Return the value of a message.

    Raises:
        ProtocolError: The message has no meaning.
    """
    kind = message.WhichOneof("kind")
    if kind is None:
        raise ProtocolError("a Value without a kind")
    return _DECODERS[kind](getattr(message, kind))


def encode_key(key: Key) -> pb.Key:
    """Return the message for a key of a dict or an index of a list."""
    if type(key) is str:
        return pb.Key(text=key)
    assert type(key) is int
    return pb.Key(int=key) if key in _INT64 else pb.Key(big_int=_int_bytes(key))


def decode_key(message: pb.Key) -> Key:
    """Return the key of a message."""
    kind = message.WhichOneof("kind")
    if kind == "text":
        return message.text
    if kind == "int":
        return message.int
    if kind == "big_int":
        return _int_from_bytes(message.big_int)
    raise ProtocolError("a Key without a kind")


def encode_change(change: Change) -> pb.Change:
    """Return the message for a change; what it replaced does not travel."""
    path = map(encode_key, change.path)
    if type(change) is Set:
        return pb.Change(path=path, set=encode_value(change.value))
    if type(change) is Delete:
        return pb.Change(path=path, delete=pb.Delete())
    assert type(change) is Splice
    splice = pb.Splice(index=change.index, removed=change.removed, items=_encode_sequence(change.items))
    return pb.Change(path=path, splice=splice)


def decode_change(message: pb.Change) -> Change:
    """Return the change of a message."""
    path: Path = tuple(map(decode_key, message.path))
    operation = message.WhichOneof("operation")
    if operation == "set" and path:
        return Set(path, decode_value(message.set))
    if operation == "delete" and path:
        return Delete(path)
    if operation == "splice" and path:
        splice = message.splice
        return Splice(path, splice.index, splice.removed, list(_decode_items(splice.items)))
    raise ProtocolError("a Change without a path or an operation")


def encode_delta(revision: int, changes: Iterable[Change]) -> bytes:
    """Return a serialized ``Delta``: encoded once, sent to any number of subscribers."""
    return work_pb.Delta(revision=revision, changes=map(encode_change, changes)).SerializeToString()


def decode_delta(data: bytes) -> tuple[int, list[Change]]:
    """Return the revision and the changes of a serialized ``Delta``.

    Raises:
        ProtocolError: The bytes have no meaning.
    """
    try:
        delta = work_pb.Delta.FromString(data)
    except DecodeError as error:
        raise ProtocolError(f"{len(data)} bytes do not make a Delta: {error}") from None
    return delta.revision, list(map(decode_change, delta.changes))


def frame_deltas(epoch: int, deltas: Sequence[bytes], made_at_s: float = 0.0) -> bytes:
    """Return the serialized frame that carries serialized deltas, without parsing them again."""
    batch = [work_pb.DeltaBatch(epoch=epoch, made_at_s=made_at_s).SerializeToString()]
    for delta in deltas:
        batch += (b"\x12", _varint(len(delta)), delta)  # field 2 of DeltaBatch
    body = b"".join(batch)
    return b"".join((b"\x12", _varint(len(body)), body))  # field 2 of StateDeltaResponse


def frame_snapshot(epoch: int, revision: int, document: Document) -> bytes:
    """Return the serialized frame that carries a whole document."""
    snapshot = work_pb.Snapshot(epoch=epoch, revision=revision, document=encode_value(document))
    return work_pb.StateDeltaResponse(snapshot=snapshot).SerializeToString()


def frame_bookmark(epoch: int, revision: int, digest: int | None, cost: PublishingCost | None = None) -> bytes:
    """Return the serialized frame that says that nothing changed."""
    spent = None
    if cost is not None:
        spent = work_pb.PublishingCost(cuts=cost.cuts, cuts_s=cost.cuts_s, scans=cost.scans, scans_s=cost.scans_s)
    bookmark = work_pb.Bookmark(epoch=epoch, revision=revision, digest=digest, cost=spent)
    return work_pb.StateDeltaResponse(bookmark=bookmark).SerializeToString()


def chunked(frame: bytes) -> Iterator[bytes]:
    """Yield the messages that carry a frame: itself, or the parts of one that is too large."""
    if len(frame) <= CHUNK_BYTES:
        yield frame
        return
    for start in range(0, len(frame), CHUNK_BYTES):
        data = frame[start : start + CHUNK_BYTES]
        chunk = work_pb.Chunk(data=data, last=start + CHUNK_BYTES >= len(frame))
        yield work_pb.StateDeltaResponse(chunk=chunk).SerializeToString()


class FrameReader:
    """Turns the messages of one stream into frames, putting parts together.

    Args:
        whole_app: Whether the document is that of an app, in which the values stand deeper than by themselves.
    """

    def __init__(self, *, whole_app: bool = False) -> None:
        self._whole_app = whole_app
        self._parts: list[bytes] = []
        self._size_bytes = 0

    def read(self, message: work_pb.StateDeltaResponse) -> list[Frame]:
        """Return the frames that are complete with this message; empty for a part or an unknown kind.

        Raises:
            ProtocolError: The message, or the frame it completes, has no meaning.
        """
        kind = message.WhichOneof("frame")
        if kind == "chunk":
            whole = self._join(message.chunk)
            return [] if whole is None else self.read(whole)
        if self._parts:
            raise ProtocolError("a frame in the middle of another frame's parts")
        if kind == "deltas":
            batch = message.deltas
            return [
                Delta(batch.epoch, delta.revision, list(map(decode_change, delta.changes)), batch.made_at_s)
                for delta in batch.deltas
            ]
        if kind == "snapshot":
            snapshot = message.snapshot
            document = _decode_document(snapshot.document)
            if not self._whole_app:
                _validate_entries(document)
            return [Snapshot(snapshot.epoch, snapshot.revision, document)]
        if kind == "bookmark":
            bookmark = message.bookmark
            digest = bookmark.digest if bookmark.HasField("digest") else None
            spent = bookmark.cost if bookmark.HasField("cost") else None
            cost = PublishingCost(spent.cuts, spent.cuts_s, spent.scans, spent.scans_s) if spent else None
            return [Bookmark(bookmark.epoch, bookmark.revision, digest, cost)]
        return []

    def read_bytes(self, data: bytes) -> list[Frame]:
        """Return the frames that are complete with a serialized message; see `read`."""
        try:
            message = work_pb.StateDeltaResponse.FromString(data)
        except DecodeError as error:
            raise ProtocolError(f"{len(data)} bytes do not make a message of a stream: {error}") from None
        return self.read(message)

    def _join(self, chunk: work_pb.Chunk) -> work_pb.StateDeltaResponse | None:
        self._parts.append(chunk.data)
        self._size_bytes += len(chunk.data)
        if self._size_bytes > MAX_FRAME_BYTES:
            raise ProtocolError(f"a frame of more than {MAX_FRAME_BYTES >> 20} MiB")
        if not chunk.last:
            return None
        data = b"".join(self._parts)
        self._parts, self._size_bytes = [], 0
        try:
            whole = work_pb.StateDeltaResponse.FromString(data)
        except DecodeError as error:
            raise ProtocolError(f"the parts of a frame do not make a message: {error}") from None
        if whole.WhichOneof("frame") == "chunk":
            raise ProtocolError("a part of a frame within a part")
        return whole


def _encode_sequence(items: Sequence[Value]) -> pb.Sequence:
    if len(items) >= _COMPACT_FROM:
        kinds = set(map(type, items))
        if kinds == {int} and min(items) in _INT64 and max(items) in _INT64:
            return pb.Sequence(ints=items)
        if kinds == {float}:
            return pb.Sequence(floats=items)
        if kinds == {str}:
            return pb.Sequence(texts=items)
    return pb.Sequence(values=map(encode_value, items))


def _decode_items(message: pb.Sequence) -> Iterable[Value]:
    forms = [form for form in (message.ints, message.floats, message.texts) if form]
    if len(forms) + bool(message.values) > 1:
        raise ProtocolError("a Sequence with items of several forms")
    return forms[0] if forms else map(decode_value, message.values)


def _decode_dict(message: pb.Mapping) -> dict[Key, Value]:
    if len(message.keys) != len(message.values):
        raise ProtocolError(f"a Mapping of {len(message.keys)} keys and {len(message.values)} values")
    value = dict(zip(map(decode_key, message.keys), map(decode_value, message.values), strict=True))
    if len(value) != len(message.keys):
        raise ProtocolError("a Mapping with the same key twice")
    return value


def _decode_document(message: pb.Value) -> Document:
    document = decode_value(message)
    if type(document) is not dict or not all(
        type(name) is str and type(entries) is dict for name, entries in document.items()
    ):
        raise ProtocolError("a Snapshot whose document is not a dict of dicts")
    return document


def _validate_entries(document: Document) -> None:
    try:
        for entries in document.values():
            for value in entries.values():
                validate(value)  # by itself, as where it came from
    except InvalidValueError as error:
        raise ProtocolError(f"a Snapshot in which {error}") from None


def _int_bytes(value: int) -> bytes:
    return value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True)


def _int_from_bytes(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _same(value: Any) -> Any:
    return value


_DECODERS: dict[str, Callable[[Any], Value]] = {
    "null_value": lambda _: None,
    "bool_value": _same,
    "int_value": _same,
    "big_int_value": _int_from_bytes,
    "float_value": _same,
    "text_value": _same,
    "list_value": lambda message: list(_decode_items(message)),
    "tuple_value": lambda message: tuple(_decode_items(message)),
    "dict_value": _decode_dict,
}

from lightning_grpc.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ("name", "class_name", "epoch", "protocol_version", "attributes", "run_signature", "revision", "receives_updates", "documentation", "implementation")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CLASS_NAME_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    RUN_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    RECEIVES_UPDATES_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTATION_FIELD_NUMBER: _ClassVar[int]
    IMPLEMENTATION_FIELD_NUMBER: _ClassVar[int]
    name: str
    class_name: str
    epoch: int
    protocol_version: ProtocolVersion
    attributes: _containers.RepeatedCompositeFieldContainer[Attribute]
    run_signature: str
    revision: int
    receives_updates: bool
    documentation: str
    implementation: str
    def __init__(self, name: _Optional[str] = ..., class_name: _Optional[str] = ..., epoch: _Optional[int] = ..., protocol_version: _Optional[_Union[ProtocolVersion, _Mapping]] = ..., attributes: _Optional[_Iterable[_Union[Attribute, _Mapping]]] = ..., run_signature: _Optional[str] = ..., revision: _Optional[int] = ..., receives_updates: bool = ..., documentation: _Optional[str] = ..., implementation: _Optional[str] = ...) -> None: ...

class ProtocolVersion(_message.Message):
    __slots__ = ("major", "minor")
    MAJOR_FIELD_NUMBER: _ClassVar[int]
    MINOR_FIELD_NUMBER: _ClassVar[int]
    major: int
    minor: int
    def __init__(self, major: _Optional[int] = ..., minor: _Optional[int] = ...) -> None: ...

class Attribute(_message.Message):
    __slots__ = ("name", "type")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ...) -> None: ...

class RunRequest(_message.Message):
    __slots__ = ("call_id", "call_hash", "args", "kwargs", "attributes", "epoch", "requested_at_s", "caller")
    class KwargsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    CALL_HASH_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    KWARGS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_S_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    call_hash: str
    args: _containers.RepeatedCompositeFieldContainer[_value_pb2.Value]
    kwargs: _containers.MessageMap[str, _value_pb2.Value]
    attributes: _containers.MessageMap[str, _value_pb2.Value]
    epoch: int
    requested_at_s: float
    caller: str
    def __init__(self, call_id: _Optional[str] = ..., call_hash: _Optional[str] = ..., args: _Optional[_Iterable[_Union[_value_pb2.Value, _Mapping]]] = ..., kwargs: _Optional[_Mapping[str, _value_pb2.Value]] = ..., attributes: _Optional[_Mapping[str, _value_pb2.Value]] = ..., epoch: _Optional[int] = ..., requested_at_s: _Optional[float] = ..., caller: _Optional[str] = ...) -> None: ...

class RunResponse(_message.Message):
    __slots__ = ("already_known", "final_status")
    ALREADY_KNOWN_FIELD_NUMBER: _ClassVar[int]
    FINAL_STATUS_FIELD_NUMBER: _ClassVar[int]
    already_known: bool
    final_status: _value_pb2.Value
    def __init__(self, already_known: bool = ..., final_status: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...

class UpdateRequest(_message.Message):
    __slots__ = ("updates", "epoch")
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    updates: _containers.RepeatedCompositeFieldContainer[AttributeUpdate]
    epoch: int
    def __init__(self, updates: _Optional[_Iterable[_Union[AttributeUpdate, _Mapping]]] = ..., epoch: _Optional[int] = ...) -> None: ...

class AttributeUpdate(_message.Message):
    __slots__ = ("name", "value", "base_revision")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    BASE_REVISION_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: _value_pb2.Value
    base_revision: int
    def __init__(self, name: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ..., base_revision: _Optional[int] = ...) -> None: ...

class UpdateResponse(_message.Message):
    __slots__ = ("revision", "conflicts")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    revision: int
    conflicts: _containers.RepeatedCompositeFieldContainer[UpdateConflict]
    def __init__(self, revision: _Optional[int] = ..., conflicts: _Optional[_Iterable[_Union[UpdateConflict, _Mapping]]] = ...) -> None: ...

class UpdateConflict(_message.Message):
    __slots__ = ("name", "revision")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    name: str
    revision: int
    def __init__(self, name: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class StateDeltaRequest(_message.Message):
    __slots__ = ("epoch", "after_revision")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    AFTER_REVISION_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    after_revision: int
    def __init__(self, epoch: _Optional[int] = ..., after_revision: _Optional[int] = ...) -> None: ...

class StateDeltaResponse(_message.Message):
    __slots__ = ("snapshot", "deltas", "bookmark", "chunk")
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    DELTAS_FIELD_NUMBER: _ClassVar[int]
    BOOKMARK_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    snapshot: Snapshot
    deltas: DeltaBatch
    bookmark: Bookmark
    chunk: Chunk
    def __init__(self, snapshot: _Optional[_Union[Snapshot, _Mapping]] = ..., deltas: _Optional[_Union[DeltaBatch, _Mapping]] = ..., bookmark: _Optional[_Union[Bookmark, _Mapping]] = ..., chunk: _Optional[_Union[Chunk, _Mapping]] = ...) -> None: ...

class Snapshot(_message.Message):
    __slots__ = ("epoch", "revision", "document")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    revision: int
    document: _value_pb2.Value
    def __init__(self, epoch: _Optional[int] = ..., revision: _Optional[int] = ..., document: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...

class DeltaBatch(_message.Message):
    __slots__ = ("epoch", "deltas", "made_at_s")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    DELTAS_FIELD_NUMBER: _ClassVar[int]
    MADE_AT_S_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    deltas: _containers.RepeatedCompositeFieldContainer[Delta]
    made_at_s: float
    def __init__(self, epoch: _Optional[int] = ..., deltas: _Optional[_Iterable[_Union[Delta, _Mapping]]] = ..., made_at_s: _Optional[float] = ...) -> None: ...

class Delta(_message.Message):
    __slots__ = ("revision", "changes")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    revision: int
    changes: _containers.RepeatedCompositeFieldContainer[_value_pb2.Change]
    def __init__(self, revision: _Optional[int] = ..., changes: _Optional[_Iterable[_Union[_value_pb2.Change, _Mapping]]] = ...) -> None: ...

class Bookmark(_message.Message):
    __slots__ = ("epoch", "revision", "digest", "cost")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    revision: int
    digest: int
    cost: PublishingCost
    def __init__(self, epoch: _Optional[int] = ..., revision: _Optional[int] = ..., digest: _Optional[int] = ..., cost: _Optional[_Union[PublishingCost, _Mapping]] = ...) -> None: ...

class PublishingCost(_message.Message):
    __slots__ = ("cuts", "cuts_s", "scans", "scans_s")
    CUTS_FIELD_NUMBER: _ClassVar[int]
    CUTS_S_FIELD_NUMBER: _ClassVar[int]
    SCANS_FIELD_NUMBER: _ClassVar[int]
    SCANS_S_FIELD_NUMBER: _ClassVar[int]
    cuts: int
    cuts_s: float
    scans: int
    scans_s: float
    def __init__(self, cuts: _Optional[int] = ..., cuts_s: _Optional[float] = ..., scans: _Optional[int] = ..., scans_s: _Optional[float] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("data", "last")
    DATA_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    last: bool
    def __init__(self, data: _Optional[bytes] = ..., last: bool = ...) -> None: ...

class LogsRequest(_message.Message):
    __slots__ = ("tail", "follow")
    TAIL_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    tail: int
    follow: bool
    def __init__(self, tail: _Optional[int] = ..., follow: bool = ...) -> None: ...

class LogsResponse(_message.Message):
    __slots__ = ("lines", "dropped")
    LINES_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[LogLine]
    dropped: int
    def __init__(self, lines: _Optional[_Iterable[_Union[LogLine, _Mapping]]] = ..., dropped: _Optional[int] = ...) -> None: ...

class LogLine(_message.Message):
    __slots__ = ("component", "kind", "at_s", "text")
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    component: str
    kind: str
    at_s: float
    text: str
    def __init__(self, component: _Optional[str] = ..., kind: _Optional[str] = ..., at_s: _Optional[float] = ..., text: _Optional[str] = ...) -> None: ...

class StopRequest(_message.Message):
    __slots__ = ("grace_s", "reason")
    GRACE_S_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    grace_s: float
    reason: str
    def __init__(self, grace_s: _Optional[float] = ..., reason: _Optional[str] = ...) -> None: ...

class StopResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

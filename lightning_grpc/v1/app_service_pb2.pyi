from lightning_grpc.v1 import value_pb2 as _value_pb2
from lightning_grpc.v1 import work_service_pb2 as _work_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DescribeAppRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeAppResponse(_message.Message):
    __slots__ = ("name", "epoch", "protocol_version", "revision", "stage", "pid", "started_at_s", "runs")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_S_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    name: str
    epoch: int
    protocol_version: _work_service_pb2.ProtocolVersion
    revision: int
    stage: str
    pid: int
    started_at_s: float
    runs: int
    def __init__(self, name: _Optional[str] = ..., epoch: _Optional[int] = ..., protocol_version: _Optional[_Union[_work_service_pb2.ProtocolVersion, _Mapping]] = ..., revision: _Optional[int] = ..., stage: _Optional[str] = ..., pid: _Optional[int] = ..., started_at_s: _Optional[float] = ..., runs: _Optional[int] = ...) -> None: ...

class GetStateRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStateResponse(_message.Message):
    __slots__ = ("snapshot", "chunk")
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    snapshot: _work_service_pb2.Snapshot
    chunk: _work_service_pb2.Chunk
    def __init__(self, snapshot: _Optional[_Union[_work_service_pb2.Snapshot, _Mapping]] = ..., chunk: _Optional[_Union[_work_service_pb2.Chunk, _Mapping]] = ...) -> None: ...

class WatchStateRequest(_message.Message):
    __slots__ = ("epoch", "after_revision", "pause_s")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    AFTER_REVISION_FIELD_NUMBER: _ClassVar[int]
    PAUSE_S_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    after_revision: int
    pause_s: float
    def __init__(self, epoch: _Optional[int] = ..., after_revision: _Optional[int] = ..., pause_s: _Optional[float] = ...) -> None: ...

class WatchStateResponse(_message.Message):
    __slots__ = ("snapshot", "deltas", "bookmark", "chunk")
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    DELTAS_FIELD_NUMBER: _ClassVar[int]
    BOOKMARK_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    snapshot: _work_service_pb2.Snapshot
    deltas: _work_service_pb2.DeltaBatch
    bookmark: _work_service_pb2.Bookmark
    chunk: _work_service_pb2.Chunk
    def __init__(self, snapshot: _Optional[_Union[_work_service_pb2.Snapshot, _Mapping]] = ..., deltas: _Optional[_Union[_work_service_pb2.DeltaBatch, _Mapping]] = ..., bookmark: _Optional[_Union[_work_service_pb2.Bookmark, _Mapping]] = ..., chunk: _Optional[_Union[_work_service_pb2.Chunk, _Mapping]] = ...) -> None: ...

class UpdateStateRequest(_message.Message):
    __slots__ = ("changes", "epoch", "base_revision")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    BASE_REVISION_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[_value_pb2.Change]
    epoch: int
    base_revision: int
    def __init__(self, changes: _Optional[_Iterable[_Union[_value_pb2.Change, _Mapping]]] = ..., epoch: _Optional[int] = ..., base_revision: _Optional[int] = ...) -> None: ...

class UpdateStateResponse(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...

class ListWorksRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListWorksResponse(_message.Message):
    __slots__ = ("works",)
    WORKS_FIELD_NUMBER: _ClassVar[int]
    works: _containers.RepeatedCompositeFieldContainer[WorkInfo]
    def __init__(self, works: _Optional[_Iterable[_Union[WorkInfo, _Mapping]]] = ...) -> None: ...

class WorkInfo(_message.Message):
    __slots__ = ("name", "class_name", "stage", "reason", "since_s", "successes", "pid", "address", "epoch", "revision", "lag_s", "resyncs")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CLASS_NAME_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_S_FIELD_NUMBER: _ClassVar[int]
    SUCCESSES_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    LAG_S_FIELD_NUMBER: _ClassVar[int]
    RESYNCS_FIELD_NUMBER: _ClassVar[int]
    name: str
    class_name: str
    stage: str
    reason: str
    since_s: float
    successes: int
    pid: int
    address: str
    epoch: int
    revision: int
    lag_s: float
    resyncs: int
    def __init__(self, name: _Optional[str] = ..., class_name: _Optional[str] = ..., stage: _Optional[str] = ..., reason: _Optional[str] = ..., since_s: _Optional[float] = ..., successes: _Optional[int] = ..., pid: _Optional[int] = ..., address: _Optional[str] = ..., epoch: _Optional[int] = ..., revision: _Optional[int] = ..., lag_s: _Optional[float] = ..., resyncs: _Optional[int] = ...) -> None: ...

class ListCommandsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListCommandsResponse(_message.Message):
    __slots__ = ("commands",)
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    commands: _containers.RepeatedCompositeFieldContainer[Command]
    def __init__(self, commands: _Optional[_Iterable[_Union[Command, _Mapping]]] = ...) -> None: ...

class Command(_message.Message):
    __slots__ = ("name", "description", "flow", "parameters", "client_source")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    FLOW_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_SOURCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    flow: str
    parameters: _containers.RepeatedCompositeFieldContainer[Parameter]
    client_source: str
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., flow: _Optional[str] = ..., parameters: _Optional[_Iterable[_Union[Parameter, _Mapping]]] = ..., client_source: _Optional[str] = ...) -> None: ...

class Parameter(_message.Message):
    __slots__ = ("name", "type", "required", "default", "annotation", "item_type", "json_schema")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    ANNOTATION_FIELD_NUMBER: _ClassVar[int]
    ITEM_TYPE_FIELD_NUMBER: _ClassVar[int]
    JSON_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    required: bool
    default: _value_pb2.Value
    annotation: str
    item_type: str
    json_schema: str
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., required: bool = ..., default: _Optional[_Union[_value_pb2.Value, _Mapping]] = ..., annotation: _Optional[str] = ..., item_type: _Optional[str] = ..., json_schema: _Optional[str] = ...) -> None: ...

class RunCommandRequest(_message.Message):
    __slots__ = ("name", "arguments", "epoch")
    class ArgumentsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _value_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    name: str
    arguments: _containers.MessageMap[str, _value_pb2.Value]
    epoch: int
    def __init__(self, name: _Optional[str] = ..., arguments: _Optional[_Mapping[str, _value_pb2.Value]] = ..., epoch: _Optional[int] = ...) -> None: ...

class RunCommandResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _value_pb2.Value
    def __init__(self, result: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...

class StreamLogsRequest(_message.Message):
    __slots__ = ("components", "tail", "follow")
    COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    TAIL_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    components: _containers.RepeatedScalarFieldContainer[str]
    tail: int
    follow: bool
    def __init__(self, components: _Optional[_Iterable[str]] = ..., tail: _Optional[int] = ..., follow: bool = ...) -> None: ...

class StreamLogsResponse(_message.Message):
    __slots__ = ("lines", "dropped")
    LINES_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[_work_service_pb2.LogLine]
    dropped: int
    def __init__(self, lines: _Optional[_Iterable[_Union[_work_service_pb2.LogLine, _Mapping]]] = ..., dropped: _Optional[int] = ...) -> None: ...

class StopAppRequest(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class StopAppResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetMetricsRequest(_message.Message):
    __slots__ = ("runs",)
    RUNS_FIELD_NUMBER: _ClassVar[int]
    runs: int
    def __init__(self, runs: _Optional[int] = ...) -> None: ...

class GetMetricsResponse(_message.Message):
    __slots__ = ("at_s", "revision", "runs", "under_way_s", "latest_runs", "works", "schedules", "usage")
    AT_S_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    UNDER_WAY_S_FIELD_NUMBER: _ClassVar[int]
    LATEST_RUNS_FIELD_NUMBER: _ClassVar[int]
    WORKS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULES_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    at_s: float
    revision: int
    runs: int
    under_way_s: float
    latest_runs: _containers.RepeatedCompositeFieldContainer[FlowRun]
    works: _containers.RepeatedCompositeFieldContainer[WorkMetrics]
    schedules: _containers.RepeatedCompositeFieldContainer[Schedule]
    usage: ProcessUsage
    def __init__(self, at_s: _Optional[float] = ..., revision: _Optional[int] = ..., runs: _Optional[int] = ..., under_way_s: _Optional[float] = ..., latest_runs: _Optional[_Iterable[_Union[FlowRun, _Mapping]]] = ..., works: _Optional[_Iterable[_Union[WorkMetrics, _Mapping]]] = ..., schedules: _Optional[_Iterable[_Union[Schedule, _Mapping]]] = ..., usage: _Optional[_Union[ProcessUsage, _Mapping]] = ...) -> None: ...

class FlowRun(_message.Message):
    __slots__ = ("number", "began_s", "took_s", "causes", "deltas", "suspended")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    BEGAN_S_FIELD_NUMBER: _ClassVar[int]
    TOOK_S_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    DELTAS_FIELD_NUMBER: _ClassVar[int]
    SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    number: int
    began_s: float
    took_s: float
    causes: _containers.RepeatedCompositeFieldContainer[Cause]
    deltas: int
    suspended: bool
    def __init__(self, number: _Optional[int] = ..., began_s: _Optional[float] = ..., took_s: _Optional[float] = ..., causes: _Optional[_Iterable[_Union[Cause, _Mapping]]] = ..., deltas: _Optional[int] = ..., suspended: bool = ...) -> None: ...

class Cause(_message.Message):
    __slots__ = ("kind", "component", "places")
    KIND_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    PLACES_FIELD_NUMBER: _ClassVar[int]
    kind: str
    component: str
    places: _containers.RepeatedCompositeFieldContainer[Place]
    def __init__(self, kind: _Optional[str] = ..., component: _Optional[str] = ..., places: _Optional[_Iterable[_Union[Place, _Mapping]]] = ...) -> None: ...

class Place(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[_value_pb2.Key]
    def __init__(self, keys: _Optional[_Iterable[_Union[_value_pb2.Key, _Mapping]]] = ...) -> None: ...

class WorkMetrics(_message.Message):
    __slots__ = ("name", "revision", "lag_s", "resyncs", "conflated", "cuts", "cuts_s", "scans", "scans_s", "silent_s", "usage")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    LAG_S_FIELD_NUMBER: _ClassVar[int]
    RESYNCS_FIELD_NUMBER: _ClassVar[int]
    CONFLATED_FIELD_NUMBER: _ClassVar[int]
    CUTS_FIELD_NUMBER: _ClassVar[int]
    CUTS_S_FIELD_NUMBER: _ClassVar[int]
    SCANS_FIELD_NUMBER: _ClassVar[int]
    SCANS_S_FIELD_NUMBER: _ClassVar[int]
    SILENT_S_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    revision: int
    lag_s: float
    resyncs: int
    conflated: int
    cuts: int
    cuts_s: float
    scans: int
    scans_s: float
    silent_s: float
    usage: ProcessUsage
    def __init__(self, name: _Optional[str] = ..., revision: _Optional[int] = ..., lag_s: _Optional[float] = ..., resyncs: _Optional[int] = ..., conflated: _Optional[int] = ..., cuts: _Optional[int] = ..., cuts_s: _Optional[float] = ..., scans: _Optional[int] = ..., scans_s: _Optional[float] = ..., silent_s: _Optional[float] = ..., usage: _Optional[_Union[ProcessUsage, _Mapping]] = ...) -> None: ...

class ProcessUsage(_message.Message):
    __slots__ = ("pid", "cpu_s", "memory_bytes", "threads")
    PID_FIELD_NUMBER: _ClassVar[int]
    CPU_S_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    THREADS_FIELD_NUMBER: _ClassVar[int]
    pid: int
    cpu_s: float
    memory_bytes: int
    threads: int
    def __init__(self, pid: _Optional[int] = ..., cpu_s: _Optional[float] = ..., memory_bytes: _Optional[int] = ..., threads: _Optional[int] = ...) -> None: ...

class Schedule(_message.Message):
    __slots__ = ("flow", "key", "cron_pattern", "next_firing_s", "running")
    FLOW_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    CRON_PATTERN_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIRING_S_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    flow: str
    key: str
    cron_pattern: str
    next_firing_s: float
    running: bool
    def __init__(self, flow: _Optional[str] = ..., key: _Optional[str] = ..., cron_pattern: _Optional[str] = ..., next_firing_s: _Optional[float] = ..., running: bool = ...) -> None: ...

class StopWorkRequest(_message.Message):
    __slots__ = ("name", "epoch")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    name: str
    epoch: int
    def __init__(self, name: _Optional[str] = ..., epoch: _Optional[int] = ...) -> None: ...

class StopWorkResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

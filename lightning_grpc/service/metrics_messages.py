"""The messages of AppService for what an app has done, and back."""

from __future__ import annotations

from typing import Any

from lightning_grpc.coordinator.metrics import Cause, FlowRun, ScheduleFiring, WorkMetrics
from lightning_grpc.service.descriptions import AppMetrics, ProcessUsage
from lightning_grpc.wire.app_protocol import app_pb
from lightning_grpc.wire.codec import decode_key, encode_key

_OF_WORK = tuple(name for name in WorkMetrics.__dataclass_fields__ if name != "silent_s")
_OF_RUN = tuple(name for name in FlowRun.__dataclass_fields__ if name != "causes")
_OF_SCHEDULE = tuple(ScheduleFiring.__dataclass_fields__)
_OF_USAGE = tuple(ProcessUsage.__dataclass_fields__)


def encode_metrics(metrics: AppMetrics) -> Any:
    """Return the message for an app's metrics."""
    return app_pb.GetMetricsResponse(
        at_s=metrics.at_s,
        revision=metrics.revision,
        runs=metrics.runs,
        under_way_s=metrics.under_way_s,
        latest_runs=map(_encode_run, metrics.latest_runs),
        works=[_encode_work(name, work, metrics.usages.get(name)) for name, work in metrics.works.items()],
        schedules=[app_pb.Schedule(**_fields(each, _OF_SCHEDULE)) for each in metrics.schedules],
        usage=_encode_usage(metrics.usage),
    )


def decode_metrics(message: Any) -> AppMetrics:
    """Return the metrics in a message.

    Raises:
        ProtocolError: A place has a key without a meaning.
    """
    return AppMetrics(
        at_s=message.at_s,
        revision=message.revision,
        runs=message.runs,
        under_way_s=message.under_way_s if message.HasField("under_way_s") else None,
        latest_runs=tuple(map(_decode_run, message.latest_runs)),
        works={each.name: _decode_work(each) for each in message.works},
        usages={each.name: _decode_usage(each.usage) for each in message.works if each.HasField("usage")},
        schedules=tuple(ScheduleFiring(**_fields(each, _OF_SCHEDULE)) for each in message.schedules),
        usage=_decode_usage(message.usage) if message.HasField("usage") else None,
    )


def _encode_run(run: FlowRun) -> Any:
    return app_pb.FlowRun(causes=map(_encode_cause, run.causes), **_fields(run, _OF_RUN))


def _decode_run(message: Any) -> FlowRun:
    return FlowRun(causes=tuple(map(_decode_cause, message.causes)), **_fields(message, _OF_RUN))


def _encode_cause(cause: Cause) -> Any:
    places = [app_pb.Place(keys=map(encode_key, keys)) for keys in cause.keys]
    return app_pb.Cause(kind=cause.kind, component=cause.component, places=places)


def _decode_cause(message: Any) -> Cause:
    return Cause(message.kind, message.component, tuple(tuple(map(decode_key, place.keys)) for place in message.places))


def _encode_work(name: str, work: WorkMetrics, usage: ProcessUsage | None) -> Any:
    return app_pb.WorkMetrics(name=name, silent_s=work.silent_s, usage=_encode_usage(usage), **_fields(work, _OF_WORK))


def _decode_work(message: Any) -> WorkMetrics:
    silent_s = message.silent_s if message.HasField("silent_s") else None
    return WorkMetrics(silent_s=silent_s, **_fields(message, _OF_WORK))


def _encode_usage(usage: ProcessUsage | None) -> Any:
    return None if usage is None else app_pb.ProcessUsage(**_fields(usage, _OF_USAGE))


def _decode_usage(message: Any) -> ProcessUsage:
    return ProcessUsage(**_fields(message, _OF_USAGE))


def _fields(source: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(source, name) for name in names}

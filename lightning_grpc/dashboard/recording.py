"""A recording: what a dashboard was told, as lines of JSON, to be looked at later with the same view.

The first line says what it is: ``{"schema": "lightning-grpc/recording/1"}``. Each other line is an event:
``{"at_s": ..., "event": "StateChanged", ...}``. Values are those of the state, exactly; what JSON cannot say is an
object with one key that begins with a dollar: ``{"$tuple": [...]}``, ``{"$dict": [[key, value], ...]}`` (keys that are
no texts), ``{"$float": "nan"}``, ``{"$int": "0x..."}``.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from pathlib import Path as File
from typing import IO, Any

from lightning_grpc.coordinator.metrics import Cause, FlowRun, ScheduleFiring, WorkMetrics
from lightning_grpc.dashboard.events import (
    CommandsListed,
    ConnectionLost,
    ConnectionMade,
    Described,
    Ended,
    LinesPrinted,
    MetricsSeen,
    Seen,
    StateChanged,
    StateReplaced,
)
from lightning_grpc.errors import ConfigurationError, LightningGrpcError
from lightning_grpc.service.commands import CommandDescription
from lightning_grpc.service.descriptions import AppDescription, AppMetrics, ProcessUsage
from lightning_grpc.service.parameters import ParameterDescription
from lightning_grpc.state.delta import Change, Delete, Set, Splice
from lightning_grpc.state.replica import Replica, Version
from lightning_grpc.state.subscription import Delta, Snapshot
from lightning_grpc.state.values import Value
from lightning_grpc.wire.logs import LogLine

SCHEMA = "lightning-grpc/recording/1"
MAX_BYTES = 1 << 30
"""A recording grows no larger; what comes then is left out."""
_PRINTED_BITS = 14_000
_GIVE = "give a file that `dashboard --record FILE` has written"


class Recorder:
    """Writes events to a file, each at once, so that a recording is good up to where it was cut off.

    Args:
        file: The file; it must not exist.
        max_bytes: How large it may become.

    Raises:
        ConfigurationError: It cannot be written.
    """

    def __init__(self, file: str, *, max_bytes: int = MAX_BYTES) -> None:
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise ConfigurationError(f"--record {file}: {error.strerror}; name a file that does not exist") from None
        self._file: IO[str] | None = os.fdopen(handle, "w", encoding="utf-8", buffering=1)
        self._left_bytes = max_bytes
        self.problem = ""
        self._write({"schema": SCHEMA})

    def write(self, event: Seen) -> None:
        """Write an event; if that fails, `problem` says why, and no more is written."""
        self._write(encode(event))

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is None:
            return
        text = json.dumps(line, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n"
        self._left_bytes -= len(text)
        try:
            if self._left_bytes < 0:
                raise OSError("it has become as large as it may")
            self._file.write(text)
        except OSError as error:
            self.problem = f"the recording ends here: {error}"
            self.close()

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()


def replay(file: str) -> Iterator[Seen]:
    """Yield the events of a recording; a last line that was cut off is left out.

    Raises:
        ConfigurationError: It cannot be read, or is none.
    """
    replica = Replica()
    try:
        with File(file).open(encoding="utf-8") as lines:
            head = json.loads(next(lines, "null") or "null")
            if not isinstance(head, dict) or head.get("schema") != SCHEMA:
                raise ConfigurationError(f"{file} is no recording of a dashboard ({SCHEMA}); {_GIVE}")
            for number, line in enumerate(lines, 2):
                if not line.endswith("\n"):
                    return
                try:
                    yield decode(json.loads(line), replica)
                except (KeyError, TypeError, ValueError, LightningGrpcError) as error:
                    raise ConfigurationError(f"{file}, line {number}: it cannot be read: {error!r}") from None
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}; {_GIVE}") from None
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ConfigurationError(f"{file} is no recording of a dashboard ({SCHEMA}); {_GIVE}") from None


# Events.


def encode(event: Seen) -> dict[str, Any]:
    """Return an event as JSON has it."""
    told: dict[str, Any] = {"at_s": event.at_s, "event": type(event).__name__}
    match event:
        case Described():
            return {**told, "app": asdict(event.app), "address": event.address, "work": event.work}
        case StateReplaced():
            return {**told, "revision": event.revision, "document": encode_value(event.document)}
        case StateChanged():
            changes = list(map(_encode_change, event.changes))
            return {**told, "first": event.first, "revision": event.revision, "changes": changes}
        case MetricsSeen():
            return {**told, "metrics": _encode_metrics(event.metrics)}
        case LinesPrinted():
            return {**told, "lines": [asdict(line) for line in event.lines]}
        case CommandsListed():
            return {**told, "commands": list(map(_encode_command, event.commands))}
        case ConnectionLost():
            return {**told, "reason": event.reason}
        case ConnectionMade():
            return told
        case Ended():
            return {**told, "how": event.how}


def decode(told: dict[str, Any], replica: Replica) -> Seen:
    """Return the event of a line; `replica` is the state so far, and goes on with it."""
    at_s = float(told["at_s"])
    return _DECODERS[told["event"]](at_s, told, replica)


def _decode_replaced(at_s: float, told: dict[str, Any], replica: Replica) -> Seen:
    replica.subscription.broken("a recording goes on with a whole state")
    replica.subscription.opened()
    version = replica.receive(Snapshot(1, told["revision"], decode_value(told["document"])))
    if not isinstance(version, Version):
        raise ValueError(f"there is no revision {told['revision']}")
    return StateReplaced(at_s, version.revision, version.document)


def _decode_changed(at_s: float, told: dict[str, Any], replica: Replica) -> Seen:
    changes = list(map(_decode_change, told["changes"]))
    version = replica.receive(Delta(1, told["revision"], changes, first=told["first"]))
    if not isinstance(version, Version):
        raise ValueError(f"revision {told['first']} does not follow")
    return StateChanged(at_s, told["first"], told["revision"], tuple(version.changes), version.document)


_DECODERS: dict[str, Callable[[float, dict[str, Any], Replica], Seen]] = {
    "Described": lambda at_s, told, _: Described(at_s, AppDescription(**told["app"]), told["address"], told["work"]),
    "StateReplaced": _decode_replaced,
    "StateChanged": _decode_changed,
    "MetricsSeen": lambda at_s, told, _: MetricsSeen(at_s, _decode_metrics(told["metrics"])),
    "LinesPrinted": lambda at_s, told, _: LinesPrinted(at_s, tuple(LogLine(**line) for line in told["lines"])),
    "CommandsListed": lambda at_s, told, _: CommandsListed(at_s, tuple(map(_decode_command, told["commands"]))),
    "ConnectionLost": lambda at_s, told, _: ConnectionLost(at_s, told["reason"]),
    "ConnectionMade": lambda at_s, *_: ConnectionMade(at_s),
    "Ended": lambda at_s, told, _: Ended(at_s, told["how"]),
}


def _encode_change(change: Change) -> list[Any]:
    path = list(map(encode_value, change.path))
    if type(change) is Set:
        return ["set", path, encode_value(change.value)]
    if type(change) is Delete:
        return ["delete", path]
    assert type(change) is Splice
    return ["splice", path, change.index, change.removed, encode_value(list(change.items))]


def _decode_change(told: list[Any]) -> Change:
    kind, path, *rest = told
    keys = tuple(map(decode_value, path))
    if kind == "set":
        return Set(keys, decode_value(rest[0]))
    if kind == "delete":
        return Delete(keys)
    if kind != "splice":
        raise ValueError(f"there is no change {kind!r}")
    return Splice(keys, rest[0], rest[1], decode_value(rest[2]))


def _encode_metrics(metrics: AppMetrics) -> dict[str, Any]:
    told = {each.name: getattr(metrics, each.name) for each in fields(metrics)}
    return {
        **told,
        "latest_runs": [{**asdict(run), "causes": list(map(_encode_cause, run.causes))} for run in metrics.latest_runs],
        "works": {name: asdict(work) for name, work in metrics.works.items()},
        "usages": {name: asdict(usage) for name, usage in metrics.usages.items()},
        "schedules": [asdict(each) for each in metrics.schedules],
        "usage": asdict(metrics.usage) if metrics.usage is not None else None,
    }


def _encode_cause(cause: Cause) -> dict[str, Any]:
    keys = [list(map(encode_value, path)) for path in cause.keys]
    return {"kind": cause.kind, "component": cause.component, "keys": keys}


def _decode_metrics(told: dict[str, Any]) -> AppMetrics:
    runs = (FlowRun(**{**run, "causes": tuple(map(_decode_cause, run["causes"]))}) for run in told["latest_runs"])
    known = {
        **told,
        "latest_runs": tuple(runs),
        "works": {name: WorkMetrics(**work) for name, work in told["works"].items()},
        "usages": {name: ProcessUsage(**usage) for name, usage in told["usages"].items()},
        "schedules": tuple(ScheduleFiring(**each) for each in told["schedules"]),
        "usage": ProcessUsage(**told["usage"]) if told["usage"] is not None else None,
    }
    return AppMetrics(**known)


def _decode_cause(told: dict[str, Any]) -> Cause:
    return Cause(told["kind"], told["component"], tuple(tuple(map(decode_value, path)) for path in told["keys"]))


def _encode_command(command: CommandDescription) -> dict[str, Any]:
    told = {each.name: getattr(command, each.name) for each in fields(command)}
    parameters = [{**asdict(each), "default": encode_value(each.default)} for each in command.parameters]
    return {**told, "parameters": parameters}


def _decode_command(told: dict[str, Any]) -> CommandDescription:
    parameters = (
        ParameterDescription(**{**each, "default": decode_value(each["default"])}) for each in told["parameters"]
    )
    return CommandDescription(**{**told, "parameters": tuple(parameters)})


# Values.


def encode_value(value: Value) -> Any:
    """Return a value as JSON has it, exactly.

    Example:
        >>> encode_value({"a": (1, float("inf")), 2: None})
        {'$dict': [['a', {'$tuple': [1, {'$float': 'inf'}]}], [2, None]]}
    """
    if isinstance(value, dict):
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: encode_value(item) for key, item in value.items()}
        return {"$dict": [[encode_value(key), encode_value(item)] for key, item in value.items()]}
    if isinstance(value, list):
        return list(map(encode_value, value))
    if isinstance(value, tuple):
        return {"$tuple": list(map(encode_value, value))}
    if type(value) is float and not math.isfinite(value):
        return {"$float": repr(value)}
    if type(value) is int and value.bit_length() > _PRINTED_BITS:
        return {"$int": hex(value)}
    return value


def decode_value(told: Any) -> Any:
    """Return the value of what `encode_value` has made."""
    if isinstance(told, list):
        return list(map(decode_value, told))
    if not isinstance(told, dict):
        return told
    if len(told) == 1:
        [(key, inner)] = told.items()
        if key == "$tuple":
            return tuple(map(decode_value, inner))
        if key == "$dict":
            return {decode_value(name): decode_value(item) for name, item in inner}
        if key == "$float":
            return float(inner)
        if key == "$int":
            return int(inner, 16)
    return {key: decode_value(item) for key, item in told.items()}

"""The messages of AppService for what is told of an app, and back."""

from __future__ import annotations

from typing import Any

from lightning_grpc.service.commands import CommandDescription
from lightning_grpc.service.descriptions import AppDescription, WorkDescription
from lightning_grpc.service.parameters import ParameterDescription
from lightning_grpc.wire.app_protocol import app_pb
from lightning_grpc.wire.codec import decode_value, encode_value
from lightning_grpc.wire.protocol import PROTOCOL_MAJOR, PROTOCOL_MINOR, work_pb

_APP_FIELDS = ("name", "epoch", "revision", "stage", "pid", "started_at_s", "runs")
_WORK_FIELDS = tuple(WorkDescription.__dataclass_fields__)
_PARAMETER_FIELDS = ("name", "type", "required", "annotation", "item_type", "json_schema")


def encode_app(app: AppDescription) -> Any:
    """Return the message that describes an app."""
    version = work_pb.ProtocolVersion(major=PROTOCOL_MAJOR, minor=PROTOCOL_MINOR)
    return app_pb.DescribeAppResponse(protocol_version=version, **_fields(app, _APP_FIELDS))


def decode_app(message: Any) -> AppDescription:
    """Return the description in a message."""
    return AppDescription(**_fields(message, _APP_FIELDS))


def encode_work(work: WorkDescription) -> Any:
    """Return the message that describes a Work."""
    return app_pb.WorkInfo(**_fields(work, _WORK_FIELDS))


def decode_work(message: Any) -> WorkDescription:
    """Return the description in a message."""
    return WorkDescription(**_fields(message, _WORK_FIELDS))


def encode_command(command: CommandDescription) -> Any:
    """Return the message that describes a command."""
    return app_pb.Command(
        name=command.name,
        description=command.description,
        flow=command.flow,
        parameters=map(_encode_parameter, command.parameters),
        client_source=command.client_source,
    )


def decode_command(message: Any) -> CommandDescription:
    """Return the description in a message.

    Raises:
        ProtocolError: A default has no meaning.
    """
    return CommandDescription(
        name=message.name,
        description=message.description,
        flow=message.flow,
        parameters=tuple(map(_decode_parameter, message.parameters)),
        client_source=message.client_source,
    )


def _encode_parameter(parameter: ParameterDescription) -> Any:
    default = None if parameter.required else encode_value(parameter.default)
    return app_pb.Parameter(default=default, **_fields(parameter, _PARAMETER_FIELDS))


def _decode_parameter(message: Any) -> ParameterDescription:
    default = decode_value(message.default) if message.HasField("default") else None
    return ParameterDescription(default=default, **_fields(message, _PARAMETER_FIELDS))


def _fields(source: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(source, name) for name in names}

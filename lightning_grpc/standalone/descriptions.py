"""What a Work that is served by itself says of itself, and of an update."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class WorkServiceDescription:
    """Who a Work is.

    Attributes:
        name: The name it goes by.
        class_name: Its class.
        epoch: This incarnation; a later one has a higher number.
        protocol_version: The protocol it speaks, such as ``1.1``.
        attributes: What is its state: the type of each attribute at the moment, by name.
        run_signature: How to call its run, such as ``(path, epochs=3)``.
        revision: The newest revision of its state.
        documentation: What it is good for; may be empty.
        implementation: The program that serves it, and its version; may be empty.
        receives_updates: Whether it takes updates from outside.
    """

    name: str
    class_name: str
    epoch: int
    protocol_version: str
    attributes: Mapping[str, str]
    run_signature: str
    revision: int
    documentation: str
    implementation: str
    receives_updates: bool


@dataclass(frozen=True, slots=True)
class UpdateAnswer:
    """What became of an update.

    Attributes:
        revision: The revision that shows the attributes that were assigned.
        conflicts: Those that were not, because the Work has changed them meanwhile: each with the revision of its
            change, or 0 if that has none yet.
    """

    revision: int
    conflicts: dict[str, int]


def decode_description(message: Any) -> WorkServiceDescription:
    """Return the description in the answer of ``Describe``."""
    version = message.protocol_version
    return WorkServiceDescription(
        name=message.name,
        class_name=message.class_name,
        epoch=message.epoch,
        protocol_version=f"{version.major}.{version.minor}",
        attributes={each.name: each.type for each in message.attributes},
        run_signature=message.run_signature,
        revision=message.revision,
        documentation=message.documentation,
        implementation=message.implementation,
        receives_updates=message.receives_updates,
    )

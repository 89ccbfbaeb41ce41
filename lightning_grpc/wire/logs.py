"""Lines of output, and how they travel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lightning_grpc.wire.protocol import work_pb


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of output.

    Attributes:
        component: Who printed it, by its full name.
        kind: ``stdout`` or ``stderr``.
        at_s: When, in seconds since 1970.
        text: The line, without its end.
    """

    component: str
    kind: str
    at_s: float
    text: str


def encode_lines(lines: Iterable[LogLine]) -> list[Any]:
    """Return the messages for some lines."""
    return [work_pb.LogLine(component=line.component, kind=line.kind, at_s=line.at_s, text=line.text) for line in lines]


def decode_lines(messages: Iterable[Any]) -> list[LogLine]:
    """Return the lines of some messages."""
    return [LogLine(each.component, each.kind, each.at_s, each.text) for each in messages]

"""Requests that come in: their values, and which of their fields hold what they cannot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lightning_grpc.errors import LightningGrpcError, ProtocolError
from lightning_grpc.state.values import Path, Value, validate
from lightning_grpc.wire.codec import decode_value


class FieldReader:
    """Reads the values of one request's fields, and notes what is wrong instead of stopping at the first fault.

    Args:
        peer: Who was asked, for messages.
        declared: The attributes it has.

    Attributes:
        violations: What is wrong, by field; empty if all is well.
        is_meaningless: Whether one of them is that a value has no meaning in this protocol.
    """

    def __init__(self, peer: str, declared: Iterable[str]) -> None:
        self._peer = peer
        self._declared = frozenset(declared)
        self.violations: dict[str, str] = {}
        self.is_meaningless = False

    def values(self, field: str, messages: Iterable[Any]) -> tuple[Value, ...]:
        """Return the values of a repeated field."""
        return tuple(self._read(f"{field}[{index}]", message) for index, message in enumerate(messages))

    def mapping(self, field: str, messages: Mapping[str, Any]) -> dict[str, Value]:
        """Return the values of a map."""
        return {name: self._read(_entry(field, name), message) for name, message in messages.items()}

    def attributes(self, field: str, messages: Mapping[str, Any]) -> dict[str, Value]:
        """Return the values of a map of attributes, which the peer must have."""
        for name in messages:
            if name not in self._declared:
                self.violations[_entry(field, name)] = f"{self._peer} has no attribute {name}"
        known = {name: message for name, message in messages.items() if name in self._declared}
        return {name: self._read(_entry(field, name), message, (name,)) for name, message in known.items()}

    def _read(self, field: str, message: Any, path: Path = ()) -> Value:
        try:
            value = decode_value(message)
            validate(value, path)
        except LightningGrpcError as error:
            self.violations[field] = str(error)
            self.is_meaningless |= isinstance(error, ProtocolError)
            return None
        return value


def _entry(field: str, name: str) -> str:
    """Name an entry of a map."""
    return f'{field}["{name}"]'

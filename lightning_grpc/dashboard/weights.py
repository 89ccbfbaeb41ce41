"""How much memory a value takes, roughly: so that what is kept of the past is bounded whatever it holds."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from lightning_grpc.state.delta import Change
from lightning_grpc.state.values import Value

_SAMPLE = 16  # items of a container that are looked at; of those in it, half as many
_NUMBER_BYTES, _TEXT_BYTES, _CONTAINER_BYTES = 28, 50, 64


def weight_of(value: Value, sample: int = _SAMPLE) -> int:
    """Return how many bytes a value takes, roughly; of a large container, only the first items are looked at.

    Example:
        >>> weight_of(1) < 100, 900_000 < weight_of("x" * 1_000_000) < 1_100_000
        (True, True)
    """
    if isinstance(value, str):
        return _TEXT_BYTES + len(value)
    if isinstance(value, list | tuple):
        return _weight_of_items(value, len(value), sample)
    if isinstance(value, dict):
        return _weight_of_items(value, len(value), sample) + _weight_of_items(value.values(), len(value), sample)
    return _NUMBER_BYTES + (value.bit_length() // 8 if isinstance(value, int) else 0)


def weight_of_changes(changes: Iterable[Change]) -> int:
    """Return how many bytes some changes hold on to, roughly: what they set, and what was there before."""
    return sum(
        weight_of(value)
        for change in changes
        for value in (getattr(change, "value", 0), getattr(change, "items", 0), change.old)
    )


def _weight_of_items(items: Iterable[Value], count: int, sample: int) -> int:
    looked_at = list(islice(items, sample))
    if not looked_at:
        return _CONTAINER_BYTES * (1 + count)
    weight = sum(weight_of(each, sample // 2) for each in looked_at)
    return _CONTAINER_BYTES + count * weight // len(looked_at)

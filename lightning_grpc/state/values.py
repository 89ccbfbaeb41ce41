"""What state can hold, exactly.

A value is None, a bool, an int of any size, a float (nan, inf and -0.0 too), a str of Unicode scalar
values, or a list, tuple or dict (keys: str or int) of values, nested at most `MAX_DEPTH` deep. Types
are exact: 1, 1.0 and True are three values, and a subclass of int is not an int. The order of a
dict's keys is kept where a value travels whole; it is not part of the value.
"""

from __future__ import annotations

import marshal
import math
from collections.abc import Iterable
from itertools import compress
from operator import is_not
from typing import Any

from lightning_grpc.errors import InvalidValueError

Key = str | int
Path = tuple[Key, ...]
Value = Any  # None | bool | int | float | str | list[Value] | tuple[Value, ...] | dict[Key, Value]
Document = dict[str, dict[Key, Value]]  # one component's state: {"vars": {...}, "calls": {...}}

MAX_DEPTH = 40
"""Containers that may be nested in one another; protobuf's own limit is 100 messages, we use two a level."""

PLAIN = frozenset({int, float, bool, type(None)})
"""Scalar types whose every instance is a value."""
SCALARS = PLAIN | {str}
CONTAINERS = frozenset({list, tuple, dict})


def validate(value: Value, path: Path = (), depth: int = 0) -> None:
    """Check that `value` is one that state can hold.

    Args:
        value: Anything.
        path: Where the value stands; it opens the path in the error.
        depth: Containers already around it.

    Raises:
        InvalidValueError: Names the first offending part by its path and says what it is.
    """
    kind = type(value)
    if kind in PLAIN:
        return
    if kind is str:
        _validate_text(value, path)
    elif kind in CONTAINERS:
        if depth >= MAX_DEPTH:
            raise InvalidValueError(path[:3], f"is nested more than {MAX_DEPTH} containers deep (or contains itself)")
        if kind is dict:
            _validate_keys(value, path)
            items: Iterable[tuple[Key, Value]] = value.items()
            kinds = set(map(type, value.values()))
        else:
            items = enumerate(value)
            kinds = set(map(type, value))
        if kinds <= PLAIN:  # decided in C, however long the container
            return
        for key, item in items:
            if type(item) not in PLAIN:
                validate(item, (*path, key), depth + 1)
    else:
        raise InvalidValueError(path, f"is {_describe(value)}, which is not JSON-like{_advice(value)}")


def same(a: Value, b: Value) -> bool:
    """Tell whether two values are equal in value and in type, all the way down.

    nan is the same as nan, and -0.0 differs from 0.0.

    Example:
        >>> same([1, 2.0], [1, 2.0]), same(1, True), same(0.0, -0.0)
        (True, False, False)
    """
    if a is b:
        return True
    kind = type(a)
    if kind is not type(b):
        return False
    if kind is float:
        return (a == b and (a != 0.0 or math.copysign(1.0, a) == math.copysign(1.0, b))) or (
            math.isnan(a) and math.isnan(b)
        )
    if kind is list or kind is tuple:
        return len(a) == len(b) and all(same(a[i], b[i]) for i in differing(a, b))
    if kind is dict:
        if a.keys() != b.keys():
            return False
        return all(same(item, b[key]) for key, item in a.items())
    return bool(a == b)


def differing(a: list[Value] | tuple[Value, ...], b: list[Value] | tuple[Value, ...]) -> Iterable[int]:
    """Yield the indices at which two sequences hold different objects, up to the shorter one's end."""
    return compress(range(min(len(a), len(b))), map(is_not, a, b))


def copy(value: Value) -> Value:
    """Return a value whose containers are fresh and whose leaves are the same objects."""
    kind = type(value)
    if kind is list:
        return [copy(item) for item in value] if _nests(value) else value.copy()
    if kind is dict:
        return {key: copy(item) for key, item in value.items()} if _nests(value.values()) else value.copy()
    if kind is tuple:
        return tuple([copy(item) for item in value]) if _nests(value) else value
    return value


def size_bytes(value: Value) -> int:
    """Return about how many bytes a value takes when it is written down; found in C, in time linear in it."""
    if type(value) is str:
        return len(value) if value.isascii() else len(value.encode(errors="surrogatepass"))
    if type(value) in CONTAINERS:
        return len(marshal.dumps(value, 2))
    return value.bit_length() // 8 + 1 if type(value) is int else 8


def describe_type(value: Value) -> str:
    """Name a value's type as a person would: ``int``, ``list``, ``None``."""
    return "None" if value is None else type(value).__name__


def _nests(items: Iterable[Value]) -> bool:
    return not CONTAINERS.isdisjoint(map(type, items))


def _validate_text(text: str, path: Path) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidValueError(
            path, f"has the lone surrogate {text[error.start]!r} at index {error.start}, which no encoding can carry"
        ) from None


def _validate_keys(value: dict[Any, Any], path: Path) -> None:
    if set(map(type, value)) <= {str} and all(map(str.isascii, value)):
        return
    for key in value:
        if type(key) is str:
            _validate_text(key, (*path, key))
        elif type(key) is not int:
            raise InvalidValueError(path, f"has the key {_describe(key)}; keys are str or int")


def _describe(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # its own code, of which nothing is known
        text = "an object that cannot be printed"
    if len(text) > 60:
        text = f"{text[:57]}..."
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{text} of type {name}"


def _advice(value: object) -> str:
    if type(value).__module__.split(".")[0] == "numpy":
        return " (use value.item() or value.tolist())"
    for kind in (bool, int, float, str, list, tuple, dict):
        if isinstance(value, kind):
            return f" (a subclass of {kind.__name__}; convert it with {kind.__name__}(value))"
    if isinstance(value, set | frozenset):
        return " (use sorted(value), or a dict with the items as keys)"
    if isinstance(value, bytes | bytearray):
        return " (use value.hex(), or base64)"
    return ""

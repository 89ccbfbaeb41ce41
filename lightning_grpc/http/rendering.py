"""State in JSON, exactly: what JSON cannot say is written as an object with one key that begins with a dollar.

==================  ===============================================================
value               in JSON
==================  ===============================================================
nan, inf, -inf      ``{"$float": "nan"}``, ``{"$float": "inf"}``, ``{"$float": "-inf"}``
int beyond 2**53    ``{"$int": "9007199254740993"}``; in base 16, with ``0x``, from about 900 digits on
tuple               ``{"$tuple": [1, 2]}``
dict                ``{"$dict": [[1, "a"], ["x", "b"]]}`` if a key is an int, or if it would look like one of these
==================  ===============================================================

Everything else is what it looks like; a number with a point or an exponent is a float. `from_json` reads all of it
back, and integers of any size.
"""

from __future__ import annotations

import json
import math
from typing import Any

from lightning_grpc.state.public import PublicDelta
from lightning_grpc.state.values import MAX_DEPTH, Key, Value

_EXACT = 1 << 53  # what JavaScript and most other readers take for exact
_PRINTED = 3000  # bits; Python prints no integer of more than some thousand digits
_TAGS = frozenset({"$float", "$int", "$tuple", "$dict"})
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_NESTED = 2 * MAX_DEPTH + 2


def to_json(value: Value) -> Any:
    """Return what `json.dumps` can write of a value; fresh containers.

    Example:
        >>> to_json({"pair": (1, 2.5), "limit": float("inf")})
        {'pair': {'$tuple': [1, 2.5]}, 'limit': {'$float': 'inf'}}
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is int:
        return value if -_EXACT <= value <= _EXACT else {"$int": _print(value)}
    if kind is float:
        return value if math.isfinite(value) else {"$float": str(value)}
    if kind is list:
        return [to_json(item) for item in value]
    if kind is tuple:
        return {"$tuple": [to_json(item) for item in value]}
    if set(map(type, value)) <= {str} and not (len(value) == 1 and _TAGS & value.keys()):
        return {key: to_json(item) for key, item in value.items()}
    return {"$dict": [[to_json(key), to_json(item)] for key, item in value.items()]}


def from_json(data: Any, depth: int = 0) -> Value:
    """Return the value that `to_json` wrote, after `json.loads`.

    Args:
        data: What was read.
        depth: Containers already around it.

    Raises:
        ValueError: It is nested too deep, or an object with a dollar is not one of ours.
    """
    if depth > _NESTED:
        raise ValueError(f"nested more than {MAX_DEPTH} containers deep")
    if type(data) is list:
        return [from_json(item, depth + 1) for item in data]
    if type(data) is not dict:
        return data
    if len(data) == 1 and _TAGS & data.keys():
        ((tag, content),) = data.items()
        return _read(tag, content, depth)
    return {key: from_json(item, depth + 1) for key, item in data.items()}


def delta_to_json(delta: PublicDelta) -> dict[str, Any]:
    """Return a delta in DeepDiff's form with its values as `to_json` writes them, and types by their names."""
    rendered: dict[str, Any] = {}
    for kind, entries in delta.items():
        if kind == "unrepresentable":
            rendered[kind] = [[to_json(key) for key in keys] for keys in entries]
        elif kind in ("values_changed", "type_changes"):
            rendered[kind] = {path: {name: _part(part) for name, part in at.items()} for path, at in entries.items()}
        else:
            rendered[kind] = {path: to_json(value) for path, value in entries.items()}
    return rendered


def write(data: Any) -> str:
    """Write JSON on one line; `data` is what this module returned."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _part(part: Any) -> Any:
    return part.__name__ if isinstance(part, type) else to_json(part)


def _print(value: int) -> str:
    return str(value) if value.bit_length() <= _PRINTED else hex(value)


def _read(tag: str, content: Any, depth: int) -> Value:
    if tag == "$float" and type(content) is str and content in _FLOATS:
        return _FLOATS[content]
    if tag == "$int" and type(content) is str:
        return int(content, 16 if "0x" in content else 10)
    if tag == "$tuple" and type(content) is list:
        return tuple(from_json(item, depth + 1) for item in content)
    if tag == "$dict" and type(content) is list:
        pairs = [_pair(item, depth) for item in content]
        value = dict(pairs)
        if len(value) == len(pairs):
            return value
        raise ValueError("a $dict has the same key twice")
    raise ValueError(f"{tag} does not hold what it must")


def _pair(item: Any, depth: int) -> tuple[Key, Value]:
    if type(item) is not list or len(item) != 2:
        raise ValueError("a $dict holds lists of a key and a value")
    key = from_json(item[0], depth + 1)
    if type(key) is not str and type(key) is not int:
        raise ValueError("the keys of a $dict are texts or integers")
    return key, from_json(item[1], depth + 1)

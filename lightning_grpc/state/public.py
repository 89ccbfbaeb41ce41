"""The public form of a delta: DeepDiff's, as users print, log and read it.

``{"values_changed": {"root['works']['w']['vars']['counter']": {"new_value": 425}}}``

`deepdiff.Delta` can apply it. It is made from the changes directly, which takes microseconds; nothing
here imports deepdiff, and nothing is ever loaded from this form.

Source: Lightning Apps' documentation of communication between components; DeepDiff's of ``Delta``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from lightning_grpc.state.delta import MISSING, Change, Delete, Set, Splice
from lightning_grpc.state.values import CONTAINERS, Path, Value

PublicDelta = dict[str, Any]


def to_public(changes: Iterable[Change]) -> PublicDelta:
    """Return changes in DeepDiff's form.

    Args:
        changes: The changes of one revision, which carry what they replaced, as `apply` and `diff` return them.
            Changes of several revisions may build on each other, which this form cannot say.

    Returns:
        A fresh dict with the keys ``values_changed``, ``type_changes``, ``dictionary_item_added``,
        ``dictionary_item_removed``, ``iterable_item_added`` and ``iterable_item_removed``, as far as
        there are any. What DeepDiff cannot apply is listed under ``unrepresentable`` instead, as lists of keys: paths
        with keys that it cannot read back (with both kinds of quotes, or like ``__x__``), lists from which a nan was
        removed, and integers removed from a dict together with texts.

    Example:
        >>> to_public([Set(("vars", "n"), 2, 1)])
        {'values_changed': {"root['vars']['n']": {'new_value': 2}}}
        >>> to_public([Splice(("vars", "log"), 1, 0, ["b"], [])])
        {'iterable_item_added': {"root['vars']['log'][1]": 'b'}}
    """
    public: PublicDelta = {}
    changes = list(changes)
    mixed = _mixed_removals(changes)
    for change in changes:
        if type(change) is Splice:
            _add_splice(public, change)
        elif type(change) is Delete and change.path[:-1] in mixed and type(change.path[-1]) is int:
            _refuse(public, change.path)
        elif type(change) is Delete:
            _put(public, "dictionary_item_removed", change.path, change.old)
        elif type(change) is Set:
            _add_set(public, change.path, change.old, change.value)
    return public


def render_path(path: Path) -> str | None:
    """Write a path as DeepDiff does, or return None where DeepDiff could not read it back."""
    parts = ["root"]
    for key in path:
        if type(key) is int:
            try:
                parts.append(f"[{key}]")
            except ValueError:  # Python prints no integer of more than some thousand digits
                return None
        elif str(key).startswith("__") and str(key).endswith("__"):
            return None  # DeepDiff refuses them, as attributes that must not be touched
        elif "'" not in str(key):
            parts.append(f"['{key}']")
        elif '"' not in str(key):
            parts.append(f'["{key}"]')
        else:
            return None
    return "".join(parts)


def _put(public: PublicDelta, kind: str, path: Path, entry: Any) -> None:
    text = render_path(path)
    if text is None:
        _refuse(public, path)
    else:
        public.setdefault(kind, {})[text] = entry


def _refuse(public: PublicDelta, path: Path) -> None:
    public.setdefault("unrepresentable", []).append(list(path))


def _mixed_removals(changes: list[Change]) -> set[Path]:
    """Return the dicts from which keys of both types go: DeepDiff sorts what it removes, and cannot sort those."""
    kinds: dict[Path, set[type]] = {}
    for change in changes:
        if type(change) is Delete:
            kinds.setdefault(change.path[:-1], set()).add(type(change.path[-1]))
    return {path for path, types in kinds.items() if len(types) > 1}


def _has_nan(value: Value) -> bool:
    if type(value) is float:
        return math.isnan(value)
    if type(value) in CONTAINERS:
        return any(map(_has_nan, value.values() if type(value) is dict else value))
    return False


def _add_set(public: PublicDelta, path: Path, old: Any, new: Value) -> None:
    if old is MISSING:
        _put(public, "dictionary_item_added", path, new)
    elif type(old) is type(new):
        _put(public, "values_changed", path, {"new_value": new})
    else:
        _put(public, "type_changes", path, {"old_type": type(old), "new_type": type(new), "new_value": new})


def _add_splice(public: PublicDelta, change: Splice) -> None:
    old = change.old if change.old is not MISSING else []
    both = min(len(old), len(change.items))
    for offset in range(both):
        _add_set(public, (*change.path, change.index + offset), old[offset], change.items[offset])
    for offset in range(both, len(change.items)):
        _put(public, "iterable_item_added", (*change.path, change.index + offset), change.items[offset])
    if any(map(_has_nan, old[both:])):  # DeepDiff looks for what it removes, and finds no nan
        _refuse(public, change.path)
        return
    for offset in range(both, len(old)):
        _put(public, "iterable_item_removed", (*change.path, change.index + offset), old[offset])

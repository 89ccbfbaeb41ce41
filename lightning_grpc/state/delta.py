"""How two values differ, and how a difference is applied and shown.

A delta is the list of changes of one revision. There are three kinds of change:

* ``Set``: the key at `path` has a new value; it is added if it was not there;
* ``Delete``: the key at `path` of a dict is gone;
* ``Splice``: in the list at `path`, from `index` on, `removed` items gave way to `items`.

Tuples are values as a whole: a tuple that differs is set again. The laws, held by tests: applying
``diff(a, b)`` to ``a`` gives ``b``, and ``diff(a, b)`` is empty exactly when ``same(a, b)``.

Changes are values: nobody assigns their fields. They are not declared frozen, because a frozen one takes three
times as long to make, and every change is made several times on its way.

The public form of a delta is DeepDiff's, made by `to_public`; see `lightning_grpc.state.public`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress, repeat
from operator import is_, is_not
from typing import Any, Final

from lightning_grpc.errors import ProtocolError
from lightning_grpc.keys import render_keys
from lightning_grpc.state.values import Path, Value, copy, differing, same


class _Missing:
    """The old value of a key that was not there."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


@dataclass(slots=True)
class Set:
    """A key of a dict, or an index of a list, has a new value; `old` is what it replaced, as far as known."""

    path: Path
    value: Value
    old: Any = field(default=MISSING, compare=False)


@dataclass(slots=True)
class Delete:
    """A key of a dict is gone; `old` is the value it had, as far as known."""

    path: Path
    old: Any = field(default=MISSING, compare=False)


@dataclass(slots=True)
class Splice:
    """Some neighbouring items of a list gave way to others; `old` holds the former ones, as far as known."""

    path: Path
    index: int
    removed: int
    items: list[Value]
    old: Any = field(default=MISSING, compare=False)


Change = Set | Delete | Splice


@dataclass(slots=True)
class Window:
    """A part of two lists: from `start` on, one holds the items `old` where the other holds `new`."""

    start: int
    old: list[Value]
    new: list[Value]


_CHUNK = 4096  # items of a list that are compared at a time


def diff(old: Value, new: Value, path: Path = ()) -> list[Change]:
    """Return the changes that make `old` into `new`.

    Both are valid values; two containers that are the same object count as equal. The changes share
    `new`'s containers: copy what you keep.

    Args:
        old: The value before.
        new: The value now.
        path: Where both stand; it opens the path of every change.

    Returns:
        A fresh list, empty when nothing differs.
    """
    changes: list[Change] = []
    _diff(old, new, path, changes)
    return changes


def window_of(old: list[Value], new: list[Value], *, exact: bool = True) -> Window:
    """Return the part of two lists outside of which they hold the same; fresh.

    Args:
        old: The list before.
        new: The list now.
        exact: If not, ``==`` decides outside of that part, which takes 1 and True for the same, but is fast.
    """
    start = _common_start(old, new, exact)
    end = _common_end(old, new, min(len(old), len(new)) - start, exact)
    return Window(start, old[start : len(old) - end], new[start : len(new) - end])


def diff_window(window: Window, path: Path) -> list[Change]:
    """Return the changes that make the list at `path` into the other one, given the part in which they differ."""
    changes: list[Change] = []
    _diff_window(window, path, changes)
    return changes


def apply(document: Value, changes: Iterable[Change]) -> list[Change]:
    """Apply changes to a value in place, all in order.

    Containers that come in are copied, so that neither side can reach into the other.

    Args:
        document: A dict (or list) that every path leads into.
        changes: What `diff` returned, or what came off the wire.

    Returns:
        The same changes with what they replaced in `old`.

    Raises:
        ProtocolError: A path does not lead to where it must: the document is not the one the changes
            were made for. Changes before that one are applied.
    """
    return [_apply(document, change) for change in changes]


def conflate(deltas: Sequence[Sequence[Change]]) -> list[list[Change]]:
    """Return, delta by delta, the changes that still matter when all are applied.

    A change that sets or deletes a whole entry (a path of two keys) makes all earlier changes of that entry
    void. Others are kept: an index means another item once items before it have come or gone.

    Example:
        >>> conflate([[Set(("vars", "n"), 1), Set(("vars", "m"), 1)], [Set(("vars", "n"), 2)]])
        [[Set(path=('vars', 'm'), value=1, old=MISSING)], [Set(path=('vars', 'n'), value=2, old=MISSING)]]
    """
    decided: dict[Path, type] = {}
    kept: list[list[Change]] = []
    for delta in reversed(deltas):
        kept.append([])
        for change in reversed(delta):
            entry, is_whole = change.path[:2], len(change.path) == 2 and type(change) is not Splice
            by = decided.get(entry)
            # What was set and deleted is set and deleted again, or there might be nothing to delete.
            if by is None or (by is Delete and is_whole and type(change) is Set):
                kept[-1].append(change)
                if is_whole:
                    decided[entry] = type(change)
        kept[-1].reverse()
    kept.reverse()
    return kept


def prefixed(changes: Iterable[Change], prefix: Path) -> list[Change]:
    """Return the changes as seen from a document in which theirs stands at `prefix`."""
    return [moved(change, prefix + change.path) for change in changes]


def moved(change: Change, path: Path) -> Change:
    """Return a change as seen from a document in which what it is about stands at `path`."""
    if type(change) is Set:
        return Set(path, change.value, change.old)
    if type(change) is Splice:
        return Splice(path, change.index, change.removed, change.items, change.old)
    return Delete(path, change.old)


def _diff(old: Value, new: Value, path: Path, changes: list[Change]) -> None:
    if old is new:
        return
    kind = type(new)
    if type(old) is not kind:
        changes.append(Set(path, new, old))
    elif kind is dict:
        _diff_dicts(old, new, path, changes)
    elif kind is list:
        _diff_window(window_of(old, new), path, changes)
    elif not same(old, new):
        changes.append(Set(path, new, old))


def _diff_dicts(old: dict[Any, Value], new: dict[Any, Value], path: Path, changes: list[Change]) -> None:
    if old.keys() != new.keys():
        changes.extend(Delete((*path, key), old[key]) for key in old.keys() - new.keys())
    befores = map(old.get, new, repeat(MISSING))  # compared by identity in C: most entries are the same objects
    for key, value in compress(new.items(), map(is_not, befores, new.values())):
        before = old.get(key, MISSING)
        if before is MISSING:
            changes.append(Set((*path, key), value))
        else:
            _diff(before, value, (*path, key), changes)


def _diff_window(window: Window, path: Path, changes: list[Change]) -> None:
    start, old, new = window.start, window.old, window.new
    changed = [i for i in differing(old, new) if not same(old[i], new[i])]
    if len(changed) > 8 and len(changed) * 2 > changed[-1] - changed[0]:
        # Many neighbours changed: one splice says it in less, and packs well.
        first = changed[0]
        old_stop, new_stop = (len(old), len(new)) if len(old) != len(new) else (changed[-1] + 1,) * 2
        splice = Splice(path, start + first, old_stop - first, new[first:new_stop], old[first:old_stop])
        changes.append(splice)
        return
    for i in changed:
        _diff(old[i], new[i], (*path, start + i), changes)
    if len(old) != len(new):
        both = min(len(old), len(new))
        changes.append(Splice(path, start + both, len(old) - both, new[both:], old[both:]))


def _agree(old: list[Value], new: list[Value], exact: bool) -> bool:
    return all(map(is_, old, new)) if exact else old == new


def _common_start(old: list[Value], new: list[Value], exact: bool) -> int:
    """Return how many items at the start are the same; compared in C, some at a time."""
    shorter = min(len(old), len(new))
    for start in range(0, shorter, _CHUNK):
        ours, theirs = old[start : start + _CHUNK], new[start : start + _CHUNK]
        if not _agree(ours, theirs, exact):
            for i in differing(ours, theirs):
                if not same(ours[i], theirs[i]):
                    return start + i
    return shorter


def _common_end(old: list[Value], new: list[Value], most: int, exact: bool) -> int:
    """Return how many items at the end are the same, at most `most`."""
    for end in range(0, most, _CHUNK):
        count = min(_CHUNK, most - end)
        ours = old[len(old) - end - count : len(old) - end]
        theirs = new[len(new) - end - count : len(new) - end]
        if not _agree(ours, theirs, exact):
            for i in reversed(list(differing(ours, theirs))):
                if not same(ours[i], theirs[i]):
                    return end + count - 1 - i
    return most


def _apply(document: Value, change: Change) -> Change:
    try:
        if type(change) is Splice:
            target = _follow(document, change.path)
            if type(target) is not list or not 0 <= change.index <= len(target) - change.removed:
                raise LookupError
            end = change.index + change.removed
            replaced = target[change.index : end]
            target[change.index : end] = copy(change.items)
            return Splice(change.path, change.index, change.removed, change.items, replaced)
        *parents, key = change.path
        target = _follow(document, tuple(parents))
        if type(target) is dict:
            before = target.pop(key) if type(change) is Delete else target.get(key, MISSING)
        elif type(target) is list and type(key) is int and type(change) is Set and key >= 0:
            before = target[key]
        else:
            raise LookupError
        if type(change) is Set:
            target[key] = copy(change.value)
            return Set(change.path, change.value, before)
        return Delete(change.path, before)
    except (LookupError, TypeError, ValueError):
        what = type(change).__name__
        raise ProtocolError(
            f"{what} at {render_keys(('root', *change.path))} does not fit the document it was applied to"
        ) from None


def _follow(document: Value, path: Path) -> Value:
    for key in path:
        if type(document) is list and (type(key) is not int or key < 0):
            raise LookupError
        document = document[key]
    return document

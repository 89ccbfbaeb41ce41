"""Consistent cuts: one instant of a component's attributes, taken while its thread keeps writing.

The attributes live in the component's own ``__dict__``; the document is what was last published of
them. A cut compares the two and brings the document up to date. It reflects one instant of the
writer's program order: if the writer sets ``a`` and then ``b``, no cut has the new ``b`` with the old
``a``, in-place mutations included, and the writer takes no lock.

How: CPython runs a call of a C function from its first to its last element without letting another
thread in, if nothing it calls is written in Python. One ``tuple(chain(...))`` therefore reads every
scalar and compares every container with its published copy at one instant. If a container differs, a
second such call reads the scalars again together with copies of what differs. What this rests on, and
what holds on free-threaded builds, is ADR 0002.

Cost: a few microseconds for ten scalars; a container costs a comparison per cut, which takes the
identity shortcut for every leaf, and a copy only when it differs. Of that copy only what the published one does
not hold is looked at more closely, unless it holds containers.
"""

from __future__ import annotations

import gc
import marshal
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, compress, repeat
from operator import eq, is_not
from typing import Any

from lightning_grpc.errors import InvalidValueError, InvariantError, StateTooLargeError
from lightning_grpc.state.delta import MISSING, Change, Delete, Set, Window, diff, diff_window, window_of
from lightning_grpc.state.values import CONTAINERS, Document, Value, copy, same, size_bytes, validate

CALLS = "_calls"
"""The attribute that holds a component's calls; in the document it is the section ``calls``."""

ASSIGNED = "_assigned"
"""The attribute that holds the names of attributes to which a container was assigned since the last cut."""

_SHALLOW: dict[type, Callable[[Any], Any]] = {list: list.copy, dict: dict.copy}
_FORMAT = 2  # of marshal: without references, so that no two places share an object when read back
_ATTEMPTS = 1000
_LARGE_BITS = 8192  # of an int whose size counts
_KEYS = frozenset({str, int})
_COLLECTOR_CAN_INTERRUPT = sys.version_info < (3, 12)


class Cutter:
    """Takes cuts of one component and keeps the document they amount to.

    Args:
        live: The component's ``__dict__``. It is only read, but for ``live["_assigned"]``, which is emptied.
        names: The attributes that are state. The calls in ``live["_calls"]`` are state too; they are replaced
            as a whole whenever one changes, never mutated.

        limit_bytes: What all texts and containers may take together, about; 0 for no limit. A value that would go
            beyond is not published and is a problem.

    Attributes:
        document: ``{"vars": {...}, "calls": {...}}`` as of the last cut. Read it, do not keep parts of it.
        problems: Attribute name to error, for values found at the last cut that state cannot hold (put
            there in place, behind the assignment's check). Such an attribute stays as it was published.

    Threads: One at a time; the writer of `live` needs no part in it.
    """

    def __init__(self, live: dict[str, Any], names: Iterable[str], *, limit_bytes: int = 0) -> None:
        self._live = live
        self._get = live.__getitem__
        self._vars: dict[Any, Value] = {}
        self._names: dict[str, None] = {}
        self.document: Document = {"vars": self._vars, "calls": {}}
        self.problems: dict[str, InvalidValueError] = {}
        self._limit_bytes = limit_bytes
        self._sizes: dict[str, int] = {}
        self._nested: set[str] = set()  # containers that were seen to hold containers
        self._scalars: list[str] = [CALLS]  # read by identity; the calls are replaced whole, so they are too
        self._containers: list[str] = []
        for name in names:
            self.declare(name)

    @property
    def has_containers(self) -> bool:
        """Whether any attribute holds a container, which can change without an assignment."""
        return bool(self._containers)

    def declare(self, name: str) -> None:
        """Take one more attribute into the state; the next cut reports it as added."""
        self._names[name] = None
        self._scalars.append(name)

    def forget(self, name: str) -> list[Change]:
        """Drop an attribute from the state; returns the change that says so."""
        before = self._vars.pop(name, MISSING)
        self._names.pop(name, None)
        self._sizes.pop(name, None)
        self._categorize()
        return [] if before is MISSING else [Delete(("vars", name), before)]

    def publish(self, name: str, value: Value) -> None:
        """Make the document hold `value` for an attribute, or the calls; for a mirror, which is told."""
        if name == CALLS:
            self.document["calls"] = value
            return
        is_new = name not in self._names
        was_container = type(self._vars.get(name)) in CONTAINERS
        if type(value) in CONTAINERS:
            self._nested.add(name)  # for all that is known
        self._names[name] = None
        self._vars[name] = value
        if is_new or was_container is not (type(value) in CONTAINERS):
            self._categorize()

    def cut(self, *, exact: bool = False) -> list[Change]:
        """Bring the document up to date and return what changed.

        Args:
            exact: Also see what ``==`` cannot: an item of a container that became an equal one of another
                type (1 and True, 0.0 and -0.0). Copies every container, so it costs several times as much.

        Returns:
            The changes since the last cut, with what they replaced; paths open with ``vars`` or ``calls``.
        """
        self.problems.clear()
        suspects = set(self._containers) if exact else set()  # containers that are read, rather than only compared
        assigned = self._live.get(ASSIGNED)
        if assigned:  # an equal value of other types may have been assigned: look closer
            self._live[ASSIGNED] = set()
            suspects |= assigned & self._names.keys()
        closely = frozenset(suspects)
        for _ in range(_ATTEMPTS):
            instant = self._take(suspects, closely)
            if instant is not None:
                return self._publish_all(*instant)
        raise InvariantError(f"no consistent cut after {_ATTEMPTS} attempts; suspects: {sorted(suspects)}")

    def _take(
        self, suspects: set[str], closely: frozenset[str]
    ) -> tuple[list[str], tuple[Value, ...], dict[str, _Copy]] | None:
        """Read one instant: the scalars, and copies of the suspect containers.

        Args:
            suspects: Containers to read; more may be added.
            closely: Those of them in which ``==`` is not good enough.

        Returns:
            The scalars' names, their values, and the copies; or None when more has become suspect, in
            which case `suspects` has grown and the instant must be read again.
        """
        known = suspects | self.problems.keys()
        scalars = [name for name in self._scalars if name not in known] if known else self._scalars
        others = [name for name in self._containers if name not in known]
        doubtful = list(suspects)
        try:
            instant = _at_once(
                map(self._get, scalars),
                map(eq, map(self._get, others), map(self._vars.__getitem__, others)),
                *map(self._reader, doubtful),
            )
        except Exception:  # a value that cannot be compared or copied: whatever its own code raises
            self._blame(suspects)
            return None
        values, verdicts = instant[: len(scalars)], instant[len(scalars) : len(scalars) + len(others)]
        raw = instant[len(scalars) + len(others) :]
        copies = {name: self._compared(name, each, name in closely) for name, each in zip(doubtful, raw, strict=True)}
        more = {name for name, equal in zip(others, verdicts, strict=True) if equal is not True}
        if not CONTAINERS.isdisjoint(map(type, values[1:])):
            more.update(
                name for name, value in zip(scalars, values, strict=True) if type(value) in CONTAINERS and name != CALLS
            )
        hidden = {name for name, each in copies.items() if each.is_shallow and _holds_containers(each.fresh)}
        if more or hidden:
            suspects |= more
            self._nested |= hidden
            return None
        return scalars, values, copies

    def _reader(self, name: str) -> Iterator[Any]:
        """Return what yields a copy of one container when the instant is read.

        A container of containers is copied by marshal, in one call and to any depth; its leaves are then
        no longer the live ones, which makes comparing slower. So a flat one is copied shallowly.
        """
        live = map(self._get, (name,))
        shallow = _SHALLOW.get(type(self._live[name]))
        if shallow is None or name in self._nested:
            return map(marshal.dumps, live, (_FORMAT,))
        return map(shallow, live)

    def _compared(self, name: str, raw: Value | bytes, exact: bool) -> _Copy:
        """Make of what `_reader` has read the container it was, beside the published one."""
        if type(raw) is bytes:
            value = marshal.loads(raw)  # noqa: S302 - made by this process, just before
            return _Copy(value, value, is_shallow=False)
        before = self._vars.get(name)
        if type(raw) is list and type(before) is list:
            try:
                window = window_of(before, raw, exact=exact)
            except Exception:  # an item that cannot be compared: whatever its own code raises
                return _Copy(raw, raw)
            return _Copy(raw, window.new, window, is_exact=exact)
        if type(raw) is dict and type(before) is dict and set(map(type, raw)) <= _KEYS:
            befores = map(before.get, raw, repeat(MISSING))
            return _Copy(raw, dict(compress(raw.items(), map(is_not, befores, raw.values()))))
        return _Copy(raw, raw)

    def _blame(self, suspects: set[str]) -> None:
        """Find the attributes that made reading an instant fail and set them aside."""
        for name in [*self._containers, *suspects]:
            if name in self.problems:
                continue
            try:
                validate(self._live[name], (name,))
            except InvalidValueError as problem:
                self.problems[name] = problem
                suspects.discard(name)
            except RuntimeError:  # the writer resized it meanwhile
                suspects.add(name)
        self._nested |= suspects  # a type may have changed under a shallow copier

    def _publish_all(self, scalars: list[str], values: tuple[Value, ...], copies: dict[str, _Copy]) -> list[Change]:
        changes: list[Change] = []
        variables = self._vars
        if values[0] is not self.document["calls"]:
            changes += diff(self.document["calls"], values[0], ("calls",))
            self.document["calls"] = values[0]
        scalars, values = scalars[1:], values[1:]
        recategorize = False
        changed = map(is_not, values, map(variables.get, scalars, repeat(MISSING)))
        sized: list[tuple[int, str, Value | _Copy]] = [
            (self._growth(name, taken.fresh, taken.fresh is not taken.value), name, taken)
            for name, taken in copies.items()
        ]
        for name, value in compress(zip(scalars, values, strict=True), changed):
            if self._limit_bytes and (type(value) is str or (type(value) is int and value.bit_length() > _LARGE_BITS)):
                sized.append((self._growth(name, value), name, value))
            else:
                self._sizes.pop(name, None)
                self._publish_scalar(name, value, changes)
        if self._limit_bytes:
            sized.sort(key=lambda each: each[0] > 0)  # what shrinks makes room for what grows
        for growth, name, value in sized:
            if isinstance(value, _Copy):
                recategorize = self._publish_container(name, value, growth, changes) or recategorize
            elif self._fits(name, value, growth):
                self._publish_scalar(name, value, changes)
        if recategorize:
            self._categorize()
        return changes

    def _publish_scalar(self, name: str, value: Value, changes: list[Change]) -> None:
        before = self._vars.get(name, MISSING)
        if before is MISSING or not same(before, value):
            changes.append(Set(("vars", name), value, before))
        self._vars[name] = value

    def _publish_container(self, name: str, taken: _Copy, growth: int, changes: list[Change]) -> bool:
        """Publish the copy of a container; tell whether the attribute's category changed."""
        before, value = self._vars.get(name, MISSING), taken.value
        problem = _problem(taken.fresh, name) and _problem(value, name)  # which knows where it stands
        if problem:
            self.problems[name] = problem
            return False
        if not self._fits(name, value, growth):
            return False
        path, window = ("vars", name), taken.window
        if type(before) is not type(value):
            changes.append(Set(path, copy(value), before))  # a copy, for the published one may be changed in place
            self._vars[name] = value
            return (type(before) in CONTAINERS) is not (type(value) in CONTAINERS)
        found = diff_window(window, path) if window is not None else diff(before, value, path)
        if window is not None and not taken.is_exact:
            if found:  # where they are only equal, the published one keeps its items, which subscribers have
                before[window.start : window.start + len(window.old)] = window.new
                changes += found
                return False
            # They are not equal because of a nan, and the rest is only known to be equal: look at all of it.
            return self._publish_container(name, _Copy(value, value), self._growth(name, value), changes)
        changes += found
        if not found and (name in self._nested or type(value) is tuple):
            value = self._relinked(name, value)
        self._vars[name] = value
        return False

    def _growth(self, name: str, value: Value, adds: bool = False) -> int:
        """Return by how many bytes an attribute grows: to a new value, or by what is added to it, at most."""
        if not self._limit_bytes:
            return 0
        try:
            return size_bytes(value) - (0 if adds else self._sizes.get(name, 0))
        except ValueError:  # state cannot hold it, whatever its size
            return 0

    def _fits(self, name: str, value: Value, growth: int) -> bool:
        """Tell whether the state stays within its limit with a new value; if not, the old one stays.

        Args:
            name: The attribute.
            value: Its value.
            growth: By how many bytes it grows, or more: what has gone from a container does not count.
        """
        if not self._limit_bytes:
            return True
        size = self._sizes.get(name, 0) + growth
        others = sum(self._sizes.values()) - self._sizes.get(name, 0)
        if others + size > self._limit_bytes:
            self._sizes = {each: size_bytes(self._vars[each]) for each in self._sizes}
            size = size_bytes(value)
            others = sum(self._sizes.values()) - self._sizes.get(name, 0)
        if others + size > self._limit_bytes:
            self.problems[name] = too_large(name, size, others + size, self._limit_bytes)
            return False
        self._sizes[name] = size
        return True

    def _relinked(self, name: str, value: Value) -> Value:
        """Return an equal value that shares the live one's leaves, so that nan compares by identity again."""
        try:
            fresh = copy(self._live[name])
        except RuntimeError:  # resized meanwhile
            return value
        return fresh if same(fresh, value) else value

    def _categorize(self) -> None:
        self._containers = [name for name, value in self._vars.items() if type(value) in CONTAINERS]
        containers = set(self._containers)
        self._scalars = [CALLS, *(name for name in self._names if name not in containers)]


def too_large(name: str, size: int, total: int, limit: int) -> StateTooLargeError:
    """Return the error for a value that makes the state too large."""
    reason = (
        f"takes {size / (1 << 20):.1f} MiB and would make the state {total / (1 << 20):.1f} MiB, above its limit of "
        f"{limit / (1 << 20):.1f} MiB (LightningApp(state_limit_bytes=...)); keep large data in files"
    )
    return StateTooLargeError((name,), reason)


@dataclass(slots=True)
class _Copy:
    """A container as it was at one instant.

    Attributes:
        value: The container.
        fresh: What of it the published one does not hold; the container itself, if that is not known.
        window: For two flat lists, where they differ.
        is_exact: Whether outside of the window they are the same, and not only equal.
        is_shallow: Whether containers in it would still be the live ones.
    """

    value: Value
    fresh: Value
    window: Window | None = None
    is_exact: bool = True
    is_shallow: bool = True


def _holds_containers(container: Value) -> bool:
    return not CONTAINERS.isdisjoint(map(type, container.values() if type(container) is dict else container))


def _problem(value: Value, name: str) -> InvalidValueError | None:
    try:
        validate(value, (name,))
    except InvalidValueError as problem:
        return problem
    return None


def _at_once(*parts: Iterable[Any]) -> tuple[Any, ...]:
    """Exhaust iterators that are implemented in C, in one call that no other thread can interrupt."""
    parts_in_turn = chain.from_iterable(parts)
    if not (_COLLECTOR_CAN_INTERRUPT and gc.isenabled()):
        return tuple(parts_in_turn)
    gc.disable()  # before 3.12 an allocation may collect, which may run finalizers written in Python
    try:
        return tuple(parts_in_turn)
    finally:
        gc.enable()

"""The mirror of one Work: its replicated state, and the component that shows it to the Flow.

Three things are kept apart:

* the *replica* is the Work's document, exactly, by revision; its digest proves it;
* the *component* is what the Flow reads; the Flow may write on it, which changes only this view;
* the *published view* (in the cutter) is what the app's log has been told of the component.

While the Flow writes nothing the three agree, and share their containers where they can. What the Flow
writes stays in the view until the Work writes the same attribute; it is handed to the Work with the
next call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from lightning_grpc.components.calls import LATEST, Calls, Entry
from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import ProtocolError
from lightning_grpc.state.cut import CALLS, Cutter
from lightning_grpc.state.delta import MISSING, Change, Set, apply, diff, prefixed
from lightning_grpc.state.digest import Digest
from lightning_grpc.state.values import CONTAINERS, Document, Value, copy, same


class Mirror:
    """Keeps one Work's component in step with what the Work publishes.

    Args:
        work: The component in the Flow's tree.
        held: Attributes of which the view goes on showing what the Flow has written; whoever holds them calls `show`.
        baseline: The attributes as they were before the Flow wrote on them; None if they are what the Work begins with.

    Attributes:
        replica: The Work's document as of the last frame.
    """

    def __init__(
        self,
        work: LightningWork,
        held: Collection[str] = frozenset(),
        baseline: Mapping[str, Value] | None = None,
    ) -> None:
        self._held = held
        self._work = work
        self._live = work.__dict__
        self._cutter = Cutter(self._live, work._declared)
        self._cutter.cut()
        self.replica: Document = copy(self._cutter.document)
        for name, value in self.replica["vars"].items():
            self._cutter.publish(str(name), value)  # one copy serves both
        own = self.replica["vars"]
        self._written = {name for name, value in (baseline or {}).items() if not same(own[name], value)}
        own.update((name, copy(baseline[name])) for name in self._written if baseline)
        self._digest = Digest(self.replica)

    def apply(self, changes: Sequence[Change]) -> tuple[list[Change], list[str]]:
        """Apply one revision.

        Returns:
            The changes of the view, with what they replaced; and the keys of the calls that changed.

        Raises:
            ProtocolError: The changes do not fit the replica.
        """
        for change in changes:
            section, key = (*change.path, None, None)[:2]
            if section not in self.replica or type(key) is not str:
                raise ProtocolError(f"a change at {change.path!r}, where no attribute and no call can be")
        self._digest.touch(change.path for change in changes)
        shown: list[Change] = []
        calls: list[str] = []
        for change in changes:  # one after the other: each is shown on the base that it was made for
            (done,) = apply(self.replica, [change])
            section, key = done.path[0], str(done.path[1])
            if section == "calls":
                calls.append(key)
            elif key not in self._held:
                shown += self._show(key, done)
        return shown, calls

    def apply_summed(self, changes: Sequence[Change]) -> tuple[list[Change], list[str]]:
        """Apply the changes of several revisions that are summed up, which build on one another.

        Returns:
            What `apply` does; the changes of the view lead at once from what it was to what it is.

        Raises:
            ProtocolError: The changes do not fit the replica.
        """
        numbers = Counter(change.path[:2] for change in changes)
        several = {str(path[1]) for path, number in numbers.items() if number > 1 and path[0] == "vars"}
        published = self._cutter.document["vars"]
        before = {name: copy(published[name]) for name in several if name in published}
        shown, calls = self.apply(changes)
        at_once = [change for change in shown if change.path[1] not in several]
        after = {name: copy(published[name]) for name in several if name in published}  # the replica's goes on changing
        return [*at_once, *prefixed(diff(before, after), ("vars",))], calls

    def replace(self, document: Document) -> tuple[list[Change], list[str]]:
        """Take over a snapshot; returns what `apply` does, and raises it."""
        if document.keys() != self.replica.keys() or LATEST not in document["calls"]:
            raise ProtocolError(f"a document with the sections {sorted(document)} that is not a Work's")
        return self.apply(diff(self.replica, document))

    def show(self, name: str) -> list[Change]:
        """Make the view show what the Work has; returns the changes of the view."""
        published = self._cutter.document["vars"].get(name, MISSING)
        if name in self.replica["vars"] and published is self.replica["vars"][name]:
            return []
        return self._show(name, Set(("vars", name), None))

    def verify(self, digest: int) -> bool:
        """Tell whether the replica has a digest."""
        return self._digest.value() == digest

    def cut(self) -> list[Change]:
        """Return what the Flow has written on the component since the last cut, and note it for the next call.

        Raises:
            InvalidValueError: It put something into a container that state cannot hold.
        """
        changes = self._cutter.cut()
        for problem in self._cutter.problems.values():
            raise problem.within((), self._work._title())
        self._written.update(str(change.path[1]) for change in changes if change.path[0] == "vars")
        return changes

    @property
    def published(self) -> Document:
        """The published view; read it, do not keep parts of it."""
        return self._cutter.document

    @property
    def has_containers(self) -> bool:
        """Whether the component has an attribute that the Flow can change without assigning it."""
        return self._cutter.has_containers

    def take_written(self) -> dict[str, Value]:
        """Return, once, the attributes the Flow has written and the Work does not know of."""
        written = {name: copy(self._live[name]) for name in self._written}
        self._written.clear()
        return written

    def entry(self, key: str) -> Entry | None:
        """Return the Work's own entry of a call."""
        entry: Entry | None = self.replica["calls"].get(key)
        return entry

    def set_calls(self, entries: Calls) -> list[Change]:
        """Show some entries; returns the changes of the view."""
        before: Calls = self._live[CALLS]
        after = {**before, **entries}
        self._live[CALLS] = after
        self._cutter.publish(CALLS, after)
        changes: list[Change] = []
        for key, entry in entries.items():
            if key in before:
                changes += diff(before[key], entry, ("calls", key))
            else:
                changes.append(Set(("calls", key), entry))
        return changes

    def _show(self, name: str, change: Change) -> list[Change]:
        """Bring one attribute of the view in step with the replica, after `change` was applied there."""
        self._written.discard(name)
        own = self.replica["vars"]
        if name not in own:
            if name in self._work._internals:  # of this package; a Work in another language has none
                return []
            self._live.pop(name, None)
            self._work._declared.pop(name, None)
            return self._cutter.forget(name)
        value = own[name]
        published = self._cutter.document["vars"].get(name, MISSING)
        if type(value) in CONTAINERS and published is value:
            self._follow(name, change)  # the published view shares the replica's container: it is done
            return [change]
        self._live[name] = copy(value)
        self._work._declared.setdefault(name)
        self._cutter.publish(name, value)
        if len(change.path) == 2 and type(change) is Set and published is change.old:
            return [change]
        if published is not MISSING and same(published, value):
            return []
        return [Set(("vars", name), copy(value), published)]  # the replica's own goes on changing

    def _follow(self, name: str, change: Change) -> None:
        """Make the change of a container in the component too, in place, so that the Flow's references stay good."""
        try:
            apply({"vars": self._live}, [change])
        except ProtocolError:  # the Flow has changed it meanwhile
            self._live[name] = copy(self.replica["vars"][name])

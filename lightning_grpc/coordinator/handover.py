"""What a Flow writes on Works that want to know: on its way to the Work, and whether it was taken.

Until the Work has answered, and its state has come to the revision that it answered with, the Flow goes on seeing
what it has written; then it sees what the Work has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_UNKNOWN = 1
"""The revision at which a process's attributes are what it was started with."""


class Handover:
    """Follows the updates of one Work's process.

    Attributes:
        held: Attributes of which the Flow goes on seeing what it has written.
    """

    def __init__(self) -> None:
        self.held: set[str] = set()
        self._seen_at: dict[str, int] = {}
        self._in_flight: dict[str, int] = {}
        self._awaited: dict[str, int] = {}

    @property
    def in_flight(self) -> int:
        """How many attributes are on their way, each as often as it was sent."""
        return sum(self._in_flight.values())

    def seen(self, names: Iterable[str], revision: int) -> None:
        """Note that attributes have changed in a revision that the Flow is about to see."""
        self._seen_at.update(dict.fromkeys(names, revision))

    def send(self, names: Iterable[str]) -> dict[str, int]:
        """Note that updates are on their way; returns the revision at which the Flow has seen each attribute."""
        bases = {name: self._seen_at.get(name, _UNKNOWN) for name in names}
        for name in bases:
            self.held.add(name)
            self._in_flight[name] = self._in_flight.get(name, 0) + 1
        return bases

    def answered(self, names: Iterable[str], revision: int, conflicts: Mapping[str, int]) -> None:
        """Note that the Work has answered an update.

        Args:
            names: Its attributes.
            revision: The one that shows what was taken; 0 if nothing was.
            conflicts: What was not taken.
        """
        for name in names:
            self._in_flight[name] -= 1
            if name not in conflicts:
                self._awaited[name] = max(revision, self._awaited.get(name, 0))
                self._seen_at[name] = max(revision, self._seen_at.get(name, 0))

    def release(self, revision: int) -> list[str]:
        """Return, once, the attributes of which the Flow is to see what the Work has, now that it is at a revision."""
        free = [name for name in self.held if not self._in_flight[name] and self._awaited.get(name, 0) <= revision]
        for name in free:
            self.held.discard(name)
            del self._in_flight[name]
            self._awaited.pop(name, None)
        return free

    def reset(self) -> list[str]:
        """Forget everything: the process is gone; returns what was held."""
        held = list(self.held)
        self.held.clear()
        for each in (self._seen_at, self._in_flight, self._awaited):
            each.clear()
        return held

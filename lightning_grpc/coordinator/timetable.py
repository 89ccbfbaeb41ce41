"""When the root is to be run by the clock, and what is to be done when a pass of it is completed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from lightning_grpc.components.component import Component

_SET_BACK_S = 1.0  # by so much a clock goes back without having been set

Key = tuple[int, str]


@dataclass
class _Act:
    """What is to be done at the end of the pass, or when this run has come past something that began at a mark."""

    act: Callable[[], None]
    is_past: Callable[[], bool] | None
    mark: int


class Timetable:
    """Keeps the wake-ups that components ask for, the latest word for each of a component's matters.

    A clock that was set back makes all of them due: whoever asked for one looks at the new time and asks again.

    Threads: On the thread that runs the app.
    """

    def __init__(self) -> None:
        self._wake_ups: dict[Key, tuple[Component, str, float]] = {}
        self._acts: dict[Key, _Act] = {}
        self._seen_s = -inf

    @property
    def earliest_s(self) -> float:
        """When the next one is due, in seconds since 1970; infinite if there is none."""
        return min((time_s for _, _, time_s in self._wake_ups.values()), default=inf)

    def wake_at(self, component: Component, what: str, time_s: float) -> None:
        """Keep a wake-up."""
        self._wake_ups[id(component), what] = (component, what, time_s)

    def when_completed(
        self, component: Component, what: str, act: Callable[[], None], is_past: Callable[[], bool] | None, mark: int
    ) -> None:
        """Keep what is to be done when the pass is completed.

        Args:
            component: Whose it is.
            what: In which matter.
            act: What is to be done.
            is_past: Asked when this run makes a blocking call; if it says so, it is done already then.
            mark: How many calls this run has made so far.
        """
        self._acts[id(component), what] = _Act(act, is_past, mark)

    def forget(self, component: Component) -> None:
        """Drop the wake-ups of a component that leaves the app."""
        for key in [key for key in self._wake_ups if key[0] == id(component)]:
            del self._wake_ups[key]

    def take_due(self, now: float) -> list[tuple[Component, str]]:
        """Return, once, whose wake-ups are due and in what matter."""
        if not self._wake_ups:
            self._seen_s = now
            return []
        was_set_back = now < self._seen_s - _SET_BACK_S
        self._seen_s = now
        due = [key for key, (_, _, time_s) in self._wake_ups.items() if was_set_back or time_s <= now]
        return [self._wake_ups.pop(key)[:2] for key in due]

    def blocking(self) -> list[int]:
        """Do what can be done now that the run makes a blocking call; returns the marks that came with it."""
        past = [(key, each) for key, each in self._acts.items() if each.is_past is not None and each.is_past()]
        for key, each in past:
            del self._acts[key]
            each.act()
        return [each.mark for _, each in past]

    def end_run(self, *, completed: bool) -> None:
        """Do what is to be done when a pass is completed, if this run has completed it."""
        acts, self._acts = self._acts, {}
        for key, each in acts.items():
            if completed:
                each.act()
            else:
                self._acts[key] = _Act(each.act, None, 0)

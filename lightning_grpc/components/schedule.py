"""Schedules: what a Flow does by the clock, as its state holds it.

``calls["scheduling"]`` maps a schedule's key to its entry::

    {"cron_pattern": "hourly", "start_time": "2026-07-01T09:00:00+02:00" or None, "running": True,
     "since": 1782889200.0, "next_firing": 1782892800.0}

``running`` holds from when a firing is first seen until it is used up: at the end of the pass, or when the pass is
suspended behind all that depends on it. ``next_firing`` is the first one after ``since``; both are in seconds since
1970. Entries are replaced, never mutated.

However many firings have gone by since an entry was last looked at, they are one. If the clock was set back behind
``since``, the next firing is looked for anew; unless it was by so little that this would only repeat the last one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from lightning_grpc.components.branch import Branch
from lightning_grpc.components.call_site import call_site
from lightning_grpc.components.component import Component
from lightning_grpc.components.cron import Cron
from lightning_grpc.errors import ScheduleError

SCHEDULING = "scheduling"
"""Key of the schedules among a Flow's calls."""

_CORRECTION_S = 60.0  # clocks are set back by so much without having jumped,
_CORRECTION_SHARE = 0.1  # but never by more than this share of the time between two firings

Entry = dict[str, Any]


class Scheduling(Component):
    """The part of `LightningFlow` that does things by the clock."""

    _clock: Callable[[], float] | None = None  # given by the package, see wiring.py

    def schedule(self, cron_pattern: str, start_time: datetime | None = None, user_key: str | None = None) -> bool:
        """Tell whether it is time for something that is to be done again and again.

        True the first time, and then once whenever the pattern fires, for one pass of the root: if a blocking call
        suspends the run, it is True again when the run starts from the top. Unless that run has come past what
        depends on it: then the block of ``if self.schedule(...):`` is not entered again. (That can be told if the
        result is tested where it arises; one that is kept in a variable is True until the pass is completed.)

        Firings that were missed, because the app was busy or not there, are one. The root is run when the next one is
        due. In a Flow that no app runs, each True is a pass.

        Args:
            cron_pattern: Five fields, such as ``30 2 * * *``; six, the last of them seconds; or ``hourly``, ``daily``,
                ``midnight``, ``weekly``, ``monthly``, ``yearly``, ``annually``, each also with an ``@``.
            start_time: The pattern's time zone is that of this time, or UTC if it has none or there is none; and it
                fires after this time, the very first time apart.
            user_key: The schedule's identity in this Flow; by default, the pattern and the place of the call.

        Raises:
            ScheduleError: The pattern has no meaning.

        Example:
            >>> class Flow(Scheduling):
            ...     def run(self):
            ...         if self.schedule("hourly"):
            ...             print("run some code every hour")
        """
        try:
            start_time = _aware(start_time, cron_pattern)
            cron = Cron(cron_pattern, None if start_time is None else start_time.tzinfo)
        except ScheduleError as problem:
            raise problem.within(self._title()) from None
        frame = sys._getframe(1)
        key = user_key or f"{cron_pattern}:{call_site(frame)}"
        backend = self._find_backend()
        now = self._read_clock() if backend is None else backend.now
        before = _entry(self, key)
        entry = _begun(cron_pattern, start_time, cron, now) if before is None else before
        entry = _looked_at(entry, cron_pattern, cron, now)
        due = bool(entry["running"])
        if backend is None:
            entry = {**entry, "running": False}
        elif due:
            backend.when_completed(self, key, partial(_consume, self, key), Branch(frame).is_past)
        else:
            backend.wake_at(self, key, entry["next_firing"])
        if entry != before:
            _put(self, key, entry)
        return due

    def _read_clock(self) -> float:
        if self._clock is None:
            raise RuntimeError(f"{self._title()}: no app runs the Flow, and no clock is there to tell the time")
        return self._clock()


def _aware(start_time: datetime | None, pattern: str) -> datetime | None:
    if start_time is None:
        return None
    if not isinstance(start_time, datetime):
        raise ScheduleError(repr(pattern), f"start_time is a datetime or None, not {start_time!r}")
    return start_time.replace(tzinfo=UTC) if start_time.utcoffset() is None else start_time


def _begun(pattern: str, start_time: datetime | None, cron: Cron, now: float) -> Entry:
    start_s = 0.0 if start_time is None else start_time.timestamp()
    return {
        "cron_pattern": pattern,
        "start_time": None if start_time is None else start_time.isoformat(),
        "running": True,
        "since": now,
        "next_firing": cron.next_after(max(now, start_s)),
    }


def _looked_at(entry: Entry, pattern: str, cron: Cron, now: float) -> Entry:
    """Return the entry as of now: running, if it is due; and with the next firing that the clock of now has."""
    if entry["running"]:
        return entry
    if now >= entry["next_firing"]:
        return {**entry, "cron_pattern": pattern, "running": True, "since": now, "next_firing": cron.next_after(now)}
    correction_s = min(_CORRECTION_S, _CORRECTION_SHARE * (entry["next_firing"] - entry["since"]))
    if pattern != entry["cron_pattern"] or now < entry["since"] - correction_s:
        start = entry["start_time"]
        start_s = 0.0 if start is None else datetime.fromisoformat(start).timestamp()
        firing_s = cron.next_after(max(now, start_s))
        return {**entry, "cron_pattern": pattern, "since": now, "next_firing": firing_s}
    return entry


def _consume(flow: Component, key: str) -> None:
    """Note that the pass is completed which has seen a firing, and that the next one is waited for."""
    entry = _entry(flow, key)
    if entry is None:
        return
    _put(flow, key, {**entry, "running": False})
    backend = flow._find_backend()
    if backend is not None:
        backend.wake_at(flow, key, entry["next_firing"])


def _entry(flow: Component, key: str) -> Entry | None:
    entry: Entry | None = flow._calls.get(SCHEDULING, {}).get(key)
    return entry


def _put(flow: Component, key: str, entry: Entry) -> None:
    flow._set_calls({**flow._calls, SCHEDULING: {**flow._calls.get(SCHEDULING, {}), key: entry}})

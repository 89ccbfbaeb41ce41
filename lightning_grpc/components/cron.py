"""Cron patterns: when one fires next, by the calendar and the clock of a time zone.

Everything here is a function of the time it is given. The pattern itself is read by croniter, on the plain
calendar; what a time zone does to it is decided here, so that it does not depend on croniter's version:

- A time of day that a clock change skips fires when the clock has jumped, unless the pattern fires in every hour
  (its hours begin with ``*``): then the hour that was skipped is left out.
- A time of day that comes twice fires the first time, unless the pattern fires in every hour: then both times.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, tzinfo
from functools import lru_cache

from lightning_grpc.errors import ScheduleError

ALIASES = {
    "hourly": "0 * * * *",
    "daily": "0 0 * * *",
    "midnight": "0 0 * * *",
    "weekly": "0 0 * * 0",
    "monthly": "0 0 1 * *",
    "yearly": "0 0 1 1 *",
    "annually": "0 0 1 1 *",
}
"""Names of patterns; each may begin with ``@``."""

_FIELDS = (5, 6)  # the sixth is that of seconds
_RANDOM = re.compile(r"(^|,)[hr]([(/,]|$)", re.IGNORECASE)  # croniter would choose a time of its own
_DAY_S = 86_400.0


class Cron:
    """One pattern in one time zone.

    Args:
        pattern: Five fields (minute, hour, day of the month, month, day of the week), or six (seconds at the end), or
            one of `ALIASES`.
        zone: The time zone; None is UTC.

    Raises:
        ScheduleError: The pattern has no meaning, or never fires.
    """

    def __init__(self, pattern: str, zone: tzinfo | None = None) -> None:
        if not isinstance(pattern, str):
            raise ScheduleError(repr(pattern), "a pattern is a text")
        self._fields = read(pattern)
        self._zone = zone
        self._fires_every_hour = self._fields.split()[1].startswith("*")

    def next_after(self, now: float) -> float:
        """Return when it fires next, strictly after `now`; both in seconds since 1970."""
        offset_s = self._offset_s(now)
        wall_s = math.floor(now + offset_s)
        while True:
            firing_s = _next(self._fields, wall_s)
            if self._offset_s(firing_s - offset_s) == offset_s:
                return firing_s - offset_s
            change_s = self._next_change(now, offset_s)
            before_s, offset_s = offset_s, self._offset_s(change_s)
            skipped_until_s = change_s + offset_s
            if firing_s < skipped_until_s and not self._fires_every_hour:
                return change_s
            now = change_s
            repeats = self._fires_every_hour or offset_s > before_s
            wall_s = math.floor(skipped_until_s if repeats else change_s + before_s) - 1

    def _offset_s(self, at_s: float) -> float:
        """How far the zone's clock is ahead of UTC at an instant."""
        if self._zone is None:
            return 0.0
        offset = datetime.fromtimestamp(at_s, self._zone).utcoffset()
        return offset.total_seconds() if offset is not None else 0.0

    def _next_change(self, after_s: float, offset_s: float) -> float:
        """Return the instant, to the second, at which the zone's clock is no longer `offset_s` ahead."""
        high_s = math.floor(after_s) + _DAY_S
        while self._offset_s(high_s) == offset_s:
            high_s += _DAY_S
        low_s = high_s - _DAY_S
        while high_s - low_s > 1:
            middle_s = float((low_s + high_s) // 2)
            if self._offset_s(middle_s) == offset_s:
                low_s = middle_s
            else:
                high_s = middle_s
        return high_s


@lru_cache(maxsize=256)
def read(pattern: str) -> str:
    """Return a pattern's fields, if it has a meaning.

    Raises:
        ScheduleError: It has none, or it never fires.
    """
    words = pattern.split()
    if len(words) == 1 and words[0].removeprefix("@") in ALIASES:
        return ALIASES[words[0].removeprefix("@")]
    if len(words) not in _FIELDS:
        raise ScheduleError(repr(pattern), f"it has {len(words)} fields")
    if any(_RANDOM.search(word) for word in words):
        raise ScheduleError(repr(pattern), "a time of croniter's own choosing, H or R, is not one to rely on")
    fields = " ".join(words)
    try:
        _next(fields, 0)
    except Exception as problem:  # croniter's own, and whatever else its parser runs into
        raise ScheduleError(repr(pattern), str(problem)) from None
    return fields


def _next(fields: str, wall_s: int) -> float:
    """Return when a pattern fires next by a clock without changes, which shows `wall_s` seconds since 1970."""
    from croniter import croniter

    return float(croniter(fields, float(wall_s)).get_next(float))

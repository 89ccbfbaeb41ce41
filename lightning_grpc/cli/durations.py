"""Durations, as people write them on the command line."""

from __future__ import annotations

import re
from typing import Any

import rich_click as click

_UNITS_S = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|)")


def parse_duration(text: str) -> float:
    """Return a duration in seconds.

    Args:
        text: A number and its unit: ms, s, m (or min), or h; without one it is seconds.

    Raises:
        ValueError: It is no duration.

    Example:
        >>> parse_duration("10s"), parse_duration("1m"), parse_duration("500ms"), parse_duration("2.5")
        (10.0, 60.0, 0.5, 2.5)
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no duration; give a number and its unit, such as 10s, 500ms or 2m")
    return float(found[1]) * _UNITS_S[found[2]]


class Duration(click.ParamType):  # type: ignore[type-arg]  # not generic in older ones
    """A duration as the value of an option, in seconds."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds; a default that is a number is one already."""
        if isinstance(value, int | float):
            return float(value)
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

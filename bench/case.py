"""What a benchmark case is, and how its measurements become rows of the table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Measurement = Mapping[str, float]
"""Numbers by name, from one run of one side of a case. Times are in seconds, memory is in MiB."""

OURS = "ours"
RAW = "raw"

Compare = Callable[[Measurement, Measurement], float]
"""Computes the number that has a target, from one side's measurement and that of `RAW` in the same round."""


@dataclass(frozen=True)
class Row:
    """One line of the table: a number that is shown, and one that is compared with a target.

    Attributes:
        title: What is measured.
        metric: Which number of a measurement the columns show.
        unit: Its unit: ``s``, ``1/s``, ``MiB``, ``%`` or ``x``.
        compare: Computes what is compared.
        limit: What that may be at most, or must be at least if `at_least`.
        compared_unit: Its unit.
        at_least: Whether more is better.
        target: The target in words, if the limit does not say it all.
        raw_metric: Which number of the raw side is shown, if it has another name there.
    """

    title: str
    metric: str
    unit: str
    compare: Compare
    limit: float
    compared_unit: str = "x"
    at_least: bool = False
    target: str = ""
    raw_metric: str = ""

    def value(self, side: Measurement, raw: Measurement) -> float:
        """Return what is compared, or nan if something it needs was not measured."""
        try:
            return self.compare(side, raw)
        except (KeyError, ZeroDivisionError):
            return math.nan

    def is_met(self, value: float) -> bool:
        """Tell whether a value meets the target; nan, for what could not be measured, does not."""
        if math.isnan(value):
            return False
        return value >= self.limit if self.at_least else value <= self.limit

    def distance(self, value: float) -> float:
        """Return how far a value is from the target, as a factor: at most 1 if it is met."""
        if math.isnan(value) or min(value, self.limit) <= 0:
            return math.nan
        return self.limit / value if self.at_least else value / self.limit


@dataclass(frozen=True)
class Case:
    """One case: what it measures on this package, and what that is compared with.

    Attributes:
        name: The module's name, as the command line takes it.
        rows: Its lines of the table.
        ours: Measures this package; given whether to be quick.
        raw: Measures what is compared with: bare gRPC, or plain Python.
        raw_is: What that is, for the note under the table.
        peers: Which peers can do it too; see `bench.peers`.
        note: Something else the reader of the table should know.
    """

    name: str
    rows: Sequence[Row]
    ours: Callable[[bool], Measurement]
    raw: Callable[[bool], Measurement] | None = None
    raw_is: str = ""
    peers: Sequence[str] = ()
    note: str = ""


def absolute(metric: str) -> Compare:
    """Make a comparison that is just one number of the measurement."""
    return lambda side, _raw: side[metric]


def over_raw(metric: str, raw_metric: str = "") -> Compare:
    """Make a comparison of one number with one of the raw side in the same round."""
    return lambda side, raw: side[metric] / raw[raw_metric or metric]


def median(values: Sequence[float]) -> float:
    """Return the median of the numbers that are there; nan if there are none."""
    present = [value for value in values if not math.isnan(value)]
    return statistics.median(present) if present else math.nan


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies.

    Example:
        >>> percentile([3.0, 1.0, 2.0, 4.0], 0.5)
        3.0
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

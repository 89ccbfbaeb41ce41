"""The table, as data and as Markdown. Pure: what was measured comes in as arguments."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.case import OURS, RAW, Case, Row, median
from bench.measure import Results

_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Attributes:
        case: The case's name.
        row: What it is about.
        shown: Per side, the median of what its column shows; nan for what was not measured.
        values: Per side, the median of what is compared with the target.
        extremes: The least and the most of that in a round of this package.
        has_failed: Whether this package, or what it is compared with, did not come to an end in some round.
    """

    case: str
    row: Row
    shown: Mapping[str, float]
    values: Mapping[str, float]
    extremes: tuple[float, float] = (math.nan, math.nan)
    has_failed: bool = False

    @property
    def value(self) -> float:
        """What this package reaches."""
        return self.values.get(OURS, math.nan)

    @property
    def is_met(self) -> bool:
        """Whether this package meets the target."""
        return self.row.is_met(self.value) and not self.has_failed

    @property
    def verdict(self) -> str:
        """The same in words, with how far off it is."""
        if math.isnan(self.value):
            return "NOT MEASURED"
        if self.has_failed:
            return "FAILED"
        if self.is_met:
            return "met"
        distance = self.row.distance(self.value)
        return "MISSED" if math.isnan(distance) else f"MISSED by {distance:.2f} x"

    @property
    def target(self) -> str:
        """The target in words."""
        sign = ">=" if self.row.at_least else "<="
        return self.row.target or f"{sign} {format_number(self.row.limit, self.row.compared_unit)}"

    def cell(self, side: str) -> str:
        """Return what a side's column shows: the number, and in brackets what is compared if that is another."""
        text = format_number(self.shown.get(side, math.nan), self.row.unit)
        value = self.values.get(side, math.nan)
        if self.row.compared_unit == "x" and side not in (OURS, RAW) and not math.isnan(value):
            text += f" ({format_number(value, 'x')})"
        return text


def lines_of(case: Case, results: Results) -> list[Line]:
    """Return a case's lines. Ratios are formed within each round; what is shown is their median."""
    lines = []
    for row in case.rows:
        shown: dict[str, float] = {}
        values: dict[str, float] = {}
        ours = [row.value(each[OURS], each.get(RAW, {})) for each in results.rounds if OURS in each] or [math.nan]
        for side in results.sides:
            metric = row.raw_metric if side == RAW and row.raw_metric else row.metric
            rounds = [each for each in results.rounds if side in each]
            shown[side] = median([each[side].get(metric, math.nan) for each in rounds])
            values[side] = median([row.value(each[side], each.get(RAW, {})) for each in rounds])
        has_failed = not {OURS, RAW}.isdisjoint(results.failures)
        lines.append(Line(case.name, row, shown, values, (min(ours), max(ours)), has_failed))
    return lines


def format_number(value: float, unit: str) -> str:
    """Write a number with its unit, to three digits.

    Example:
        >>> format_number(0.00068, "s"), format_number(3_995_000, "1/s"), format_number(2.5, "x")
        ('680 µs', '3,995,000/s', '2.5 x')
    """
    if math.isnan(value):
        return "-"
    if unit == "s":
        scale, name = next((each for each in _TIMES if abs(value) >= each[0]), _TIMES[-1])
        return f"{_digits(value / scale)} {name}"
    if unit == "1/s":
        return f"{_digits(value)}/s"
    return f"{_digits(value)} {unit}".rstrip()


def _digits(value: float) -> str:
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def header(peers: Sequence[str]) -> list[str]:
    """Return the titles of the table's columns."""
    return ["case", "ours", "raw", *peers, "compared", "range", "target", "verdict"]


def cells(line: Line, peers: Sequence[str]) -> list[str]:
    """Return one line's cells."""
    unit = line.row.compared_unit
    compared = format_number(line.value, unit)
    extremes = " to ".join(format_number(each, unit) for each in line.extremes)
    return [line.row.title, *map(line.cell, (OURS, RAW, *peers)), compared, extremes, line.target, line.verdict]


def markdown(
    lines: Sequence[Line],
    cases: Sequence[Case],
    results: Mapping[str, Results],
    peers: Mapping[str, str],
    machine: Mapping[str, str],
    kind: str,
) -> str:
    """Return RESULTS.md.

    Args:
        lines: The table's lines.
        cases: The cases they came from.
        results: By case.
        peers: The peers that were asked, with their version, or with why they are missing.
        machine: What it ran on.
        kind: Which kind of run it was, in words.
    """
    columns = list(peers)
    titles = header(columns)
    met = sum(line.is_met for line in lines)
    text = [
        "# Benchmark results",
        "",
        f"{met} of {len(lines)} targets are met. Made by {kind}; what the columns mean is said in",
        "[docs/benchmarks.md](../docs/benchmarks.md).",
        "",
        "![How far each case is from its target](results.svg)",
        "",
        f"| {' | '.join(titles)} |",
        f"|{' --- |' * len(titles)}",
    ]
    for line in lines:
        row = cells(line, columns)
        if not line.is_met:
            row[-1] = f"**{row[-1]}**"
        text.append(f"| {' | '.join(row)} |")
    text += ["", "## What is compared with", ""]
    text += [f"- `{case.name}`: raw is {case.raw_is}." for case in cases if case.raw_is]
    missing = ", ".join(f"`{case.name}`" for case in cases if case.raw is None)
    text += [f"- {missing}: there is no raw side, for bare gRPC has nothing that does the same."] if missing else []
    text += ["- Every number is the median of its rounds; `compared` need not be the ratio of two that are shown."]
    text += [f"- `{case.name}`: {case.note}" for case in cases if case.note]
    text += [f"- {name}: {state}." for name, state in peers.items()]
    failures = [
        f"- `{name}`, {side}: {why}" for name, result in results.items() for side, why in result.failures.items()
    ]
    if failures:
        text += ["", "## What could not be measured", "", *failures]
    rounds = [f"{len(result.rounds)} of `{name}`" for name, result in results.items()]
    text += ["", "## The machine", "", *(f"- {name}: {value}" for name, value in machine.items())]
    text += ["- rounds: " + ", ".join(rounds)]
    return "\n".join(text) + "\n"

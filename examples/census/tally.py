"""What has been counted so far: plain values, so that a tally can be the state of a Work and of a Flow alike."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import chain
from typing import Literal, TypedDict, get_args

from parsing import BUCKETS, Findings, bucket_of

KEPT = 10
"""How many of the largest functions are remembered."""

Large = tuple[int, str, str, int]
"""A large function: its lines, name, file, and first line."""


class Tally(TypedDict):
    """Counters, a histogram and the largest functions.

    Attributes:
        files: How many files were read, valid or not.
        bytes: Their size.
        lines: Lines of the valid ones; functions, classes and nodes of the syntax trees likewise.
        lengths: How many functions there are, by bucket of lines.
        largest: The largest functions, the largest first.
        unparsable: The files that are not valid, and why.
    """

    files: int
    bytes: int
    lines: int
    functions: int
    classes: int
    nodes: int
    lengths: dict[str, int]
    largest: list[Large]
    unparsable: list[tuple[str, str]]


Counter = Literal["files", "bytes", "lines", "functions", "classes", "nodes"]
_COUNTERS: tuple[Counter, ...] = get_args(Counter)


def new_tally() -> Tally:
    """Return the tally of nothing."""
    return Tally(
        files=0,
        bytes=0,
        lines=0,
        functions=0,
        classes=0,
        nodes=0,
        lengths=dict.fromkeys(BUCKETS, 0),
        largest=[],
        unparsable=[],
    )


def add(tally: Tally, path: str, size_bytes: int, findings: Findings) -> None:
    """Add one file that was parsed, in place."""
    tally["files"] += 1
    tally["bytes"] += size_bytes
    tally["lines"] += findings.lines
    tally["functions"] += len(findings.functions)
    tally["classes"] += findings.classes
    tally["nodes"] += findings.nodes
    for function in findings.functions:
        tally["lengths"][bucket_of(function.lines)] += 1
    least = tally["largest"][-1][0] if len(tally["largest"]) == KEPT else 0
    large = [(lines, name, path, first_line) for name, first_line, lines in findings.functions if lines >= least]
    if large:
        tally["largest"] = _largest([*tally["largest"], *large])


def add_unparsable(tally: Tally, path: str, size_bytes: int, reason: str) -> None:
    """Add one file that could not be parsed, in place."""
    tally["files"] += 1
    tally["bytes"] += size_bytes
    tally["unparsable"].append((path, reason))


def merge(tallies: Iterable[Tally]) -> Tally:
    """Return the tally of all files that several tallies tell of; fresh."""
    merged = new_tally()
    tallies = list(tallies)
    for tally in tallies:
        for counter in _COUNTERS:
            merged[counter] += tally[counter]
        for bucket, functions in tally["lengths"].items():
            merged["lengths"][bucket] += functions
    merged["largest"] = _largest(chain.from_iterable(tally["largest"] for tally in tallies))
    merged["unparsable"] = sorted(chain.from_iterable(tally["unparsable"] for tally in tallies))
    return merged


def _largest(functions: Iterable[Large]) -> list[Large]:
    """Return the largest functions; those of the same length in the order of their places."""
    return heapq.nsmallest(KEPT, functions, key=lambda function: (-function[0], *function[2:]))

"""The cases, one small file each, in the order of the table."""

from __future__ import annotations

import importlib

from bench.case import Case

NAMES = (
    "writes",
    "program",
    "latency",
    "appends",
    "blocking",
    "root_runs",
    "ten_works",
    "thousand",
    "fifty_works",
    "first_run",
    "mirror",
    "tick",
)


def load(name: str) -> Case:
    """Return a case by its name."""
    case: Case = importlib.import_module(f"bench.cases.{name}").CASE
    return case

"""The components of an app's document, and what their calls tell of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lightning_grpc.components.calls import LATEST
from lightning_grpc.components.status import UNREACHABLE, WorkStageStatus
from lightning_grpc.components.structures import KINDS
from lightning_grpc.dashboard.model import Component
from lightning_grpc.state.values import Document, Path, Value

_KIND = {"flows": "flow", "works": "work", "structures": "structure"}
APP = "app"
"""What is said to be the component of what belongs to the app itself."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a Work is.

    Attributes:
        stage: The stage of its latest call; ``unreachable`` if it gives no sign of life.
        reason: Why, if a reason is known.
        successes: How many executions have succeeded.
        failures: How many of its calls stand as failed.
        began_s: When the latest execution began to run; None if it did not.
        took_s: How long it took; None while it runs.
    """

    stage: str
    reason: str = ""
    successes: int = 0
    failures: int = 0
    began_s: float | None = None
    took_s: float | None = None


def components_of(document: Document) -> tuple[Component, ...]:
    """Return the tree of an app's document: each component before those below it."""
    return tuple(_below(document, Component("root", "root", "flow", 0, ())))


def _below(document: Mapping[Any, Value], component: Component) -> Iterator[Component]:
    yield component
    for section in KINDS:
        for key, child in document.get(section, {}).items():
            path = (*component.path, section, key)
            name = f"{component.name}.{key}"
            yield from _below(child, Component(name, str(key), _KIND[section], component.depth + 1, path))


def owner_of(path: Path) -> tuple[str, Path]:
    """Return whose a place in an app's document is: the component's name and path; ``app`` for what is the app's own.

    Example:
        >>> owner_of(("works", "w", "vars", "n"))
        ('root.w', ('works', 'w'))
        >>> owner_of(("app_state", "stage"))[0]
        'app'
    """
    depth, name = 0, "root"
    while depth + 1 < len(path) and path[depth] in _KIND:
        name = f"{name}.{path[depth + 1]}"
        depth += 2
    if depth == 0 and path and path[0] == "app_state":
        return APP, ()
    return name, path[:depth]


def is_of_the_tree(path: Path) -> bool:
    """Tell whether a change at a place lets components come or go."""
    _, owner = owner_of(path)
    rest = path[len(owner) :]
    return not rest or rest[0] in _KIND


def find(document: Document | None, path: Path) -> Any:
    """Return what stands at a path; None if nothing does."""
    found: Any = document
    for key in path:
        try:
            found = found[key]
        except (LookupError, TypeError):
            return None
    return found


def progress_of(document: Mapping[str, Any] | None) -> Progress:
    """Return how far a Work is, by its document."""
    calls = (document or {}).get("calls", {})
    entries = [entry for key, entry in calls.items() if key != LATEST and isinstance(entry, dict)]
    successes = sum(entry.get("successes", 0) for entry in entries)
    failures = sum(entry["statuses"][-1]["stage"] == WorkStageStatus.FAILED for entry in entries if entry["statuses"])
    latest = calls.get(calls.get(LATEST))
    if not isinstance(latest, dict) or not latest.get("statuses"):
        return Progress(WorkStageStatus.NOT_STARTED, "", successes, failures)
    began_s, took_s = times_of(latest)
    status = latest["statuses"][-1]
    reason = status.get("reason") or ""
    stage = UNREACHABLE if reason == UNREACHABLE else status["stage"]
    return Progress(stage, reason, successes, failures, began_s, took_s)


def times_of(entry: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return when the execution of a call's entry began to run, and how long it took; None for what did not happen."""
    began_s = took_s = None
    for status in entry["statuses"]:
        if status.get("reason") == UNREACHABLE:
            continue
        if status["stage"] in (WorkStageStatus.RUNNING, WorkStageStatus.STARTED):
            began_s, took_s = status["timestamp"], None
        elif began_s is not None and status["stage"] != WorkStageStatus.PENDING:
            took_s = status["timestamp"] - began_s
    return began_s, took_s


def calls_of(document: Mapping[str, Any] | None) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the calls of a Work with their keys, the newest first."""
    calls = (document or {}).get("calls", {})
    entries = [(str(key), entry) for key, entry in calls.items() if isinstance(entry, dict) and entry.get("statuses")]
    return sorted(entries, key=lambda each: -each[1]["statuses"][-1]["timestamp"])

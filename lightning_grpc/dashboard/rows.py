"""The rows of each list: what the cursor goes over, and what the screen shows of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from lightning_grpc.coordinator.metrics import FlowRun, ScheduleFiring
from lightning_grpc.dashboard.model import Component, Data, DeltaEntry, LineEntry, Model, Ui
from lightning_grpc.dashboard.tree import APP, calls_of, find, owner_of
from lightning_grpc.service.commands import CommandDescription
from lightning_grpc.state.public import to_public
from lightning_grpc.state.values import Path

_MOST_TEXT = 5_000  # of a delta that is shown
_MOST_ITEMS = 500  # of one container that are shown
_texts: WeakKeyDictionary[DeltaEntry, str] = WeakKeyDictionary()  # as long as the deltas themselves are kept


@dataclass(frozen=True, slots=True)
class ValueRow:
    """An attribute of a component, or an item of one that is unfolded.

    Attributes:
        path: Where it stands in the app's document.
        depth: 0 for an attribute.
        key: The last key of the path.
        value: The value; None for the row that says that there are `more`.
        is_open: Whether its items follow.
        more: How many items are left out here.
    """

    path: Path
    depth: int
    key: Any
    value: Any
    is_open: bool = False
    more: int = 0

    @property
    def is_container(self) -> bool:
        """Whether it has items."""
        return isinstance(self.value, dict | list | tuple) and len(self.value) > 0


def tree_rows(model: Model) -> list[Component]:
    """Return the components that are shown: those that are not hidden in a folded one and that fit the filter."""
    wanted = model.ui.filters.get("tree", "").lower()
    rows: list[Component] = []
    below: str | None = None
    for each in model.shown.components:
        if wanted:
            if wanted in each.name.lower():
                rows.append(each)
            continue
        if below is not None and each.name.startswith(below):
            continue
        below = f"{each.name}." if each.name in model.ui.folded else None
        rows.append(each)
    return rows


def value_rows(data: Data, component: Component | None, ui: Ui) -> list[ValueRow]:
    """Return the rows of a component's attributes."""
    if component is None:
        return []
    variables = find(data.document, (*component.path, "vars"))
    if not isinstance(variables, dict):
        return []
    wanted = ui.filters.get("state", "").lower()
    rows: list[ValueRow] = []
    for key, value in variables.items():
        if not str(key).startswith("_") and wanted in str(key).lower():
            _add(rows, (*component.path, "vars", key), 0, value, ui.unfolded)
    return rows


def _add(rows: list[ValueRow], path: Path, depth: int, value: Any, unfolded: frozenset[Path]) -> None:
    is_open = path in unfolded
    row = ValueRow(path, depth, path[-1], value, is_open)
    rows.append(row)
    if not is_open or not row.is_container:
        return
    items = list(value.items() if isinstance(value, dict) else enumerate(value))
    for key, item in items[:_MOST_ITEMS]:
        _add(rows, (*path, key), depth + 1, item, unfolded)
    if len(items) > _MOST_ITEMS:
        rows.append(ValueRow((*path, "..."), depth + 1, "...", None, more=len(items) - _MOST_ITEMS))


def delta_rows(data: Data, component: Component | None, ui: Ui) -> Sequence[DeltaEntry]:
    """Return the deltas of the selected component and those below it; of the root, all."""
    wanted = ui.filters.get("deltas", "").lower()
    name = "root" if component is None else component.name
    is_all = component is None or component.depth == 0
    if is_all and not wanted:
        return data.deltas
    return [
        each
        for each in data.deltas
        if (is_all or each.component == name or each.component.startswith(f"{name}."))
        and (not wanted or wanted in each.component.lower() or wanted in delta_text(each).lower())
    ]


def delta_text(entry: DeltaEntry) -> str:
    """Write a delta in DeepDiff's form, on one line, as one of the component's own document."""
    text = _texts.get(entry)
    if text is None:
        text = _texts[entry] = _written(entry)
    return text


def _written(entry: DeltaEntry) -> str:
    _, owner = owner_of(entry.changes[0].path) if entry.changes else ("", ())
    own = [replace(change, path=change.path[len(owner) :]) for change in entry.changes]
    return ", ".join(f"{kind}: {_shortened(what)}" for kind, what in to_public(own).items())


def _shortened(what: Any) -> str:
    try:
        text = repr(what)
    except ValueError:  # an integer of thousands of digits
        text = f"{len(what)} places"
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}..."


def line_rows(data: Data, component: Component | None, ui: Ui) -> Sequence[LineEntry]:
    """Return the lines of the selected component and those below it; of the root, all."""
    wanted = ui.filters.get("logs", "").lower()
    name = "root" if component is None else component.name
    is_all = component is None or component.depth == 0
    if is_all and not wanted:
        return data.lines
    return [
        each
        for each in data.lines
        if (is_all or each.line.component == name or each.line.component.startswith(f"{name}."))
        and (not wanted or wanted in each.line.text.lower())
    ]


def call_rows(data: Data, component: Component | None, ui: Ui) -> list[tuple[Component, str, Any]]:
    """Return the calls of the selected Work, the newest first; of a Flow or structure, those of all Works below it."""
    if component is None:
        return []
    prefix = f"{component.name}."
    works = [
        each
        for each in data.components
        if each.kind == "work" and (each.name == component.name or each.name.startswith(prefix))
    ]
    found = [(work, key, entry) for work in works for key, entry in calls_of(find(data.document, work.path))]
    wanted = ui.filters.get("calls", "").lower()
    if wanted:
        found = [each for each in found if wanted in f"{each[0].name} {each[1]} {each[2]['statuses'][-1]}".lower()]
    return sorted(found, key=lambda each: -each[2]["statuses"][-1]["timestamp"])


def run_rows(data: Data, ui: Ui) -> list[FlowRun]:
    """Return the newest runs of the root, the newest first."""
    wanted = ui.filters.get("runs", "").lower()
    return [run for run in reversed(data.runs) if wanted in " ".join(map(str, run.causes)).lower()]


def schedule_rows(data: Data, ui: Ui) -> list[ScheduleFiring]:
    """Return the schedules, the next to fire first."""
    wanted = ui.filters.get("schedules", "").lower()
    found = [each for each in data.schedules if wanted in f"{each.flow} {each.key} {each.cron_pattern}".lower()]
    return sorted(found, key=lambda each: each.next_firing_s)


def command_rows(data: Data, ui: Ui) -> list[CommandDescription]:
    """Return the commands, by name."""
    wanted = ui.filters.get("commands", "").lower()
    return [each for each in data.commands or () if wanted in f"{each.name} {each.flow} {each.description}".lower()]


def tab_rows(model: Model) -> Sequence[Any]:
    """Return the rows of the tab that is shown."""
    data, ui, component = model.shown, model.ui, model.component()
    match ui.tab:
        case "state":
            return value_rows(data, component, ui)
        case "deltas":
            return delta_rows(data, component, ui)
        case "logs":
            return line_rows(data, component, ui)
        case "calls":
            return call_rows(data, component, ui)
        case "runs":
            return run_rows(data, ui)
        case "schedules":
            return schedule_rows(data, ui)
        case _:
            return command_rows(data, ui)


def title_of(component: str) -> str:
    """Return how a component is called in a list."""
    return component if component != APP else "(app)"

"""What follows from an event for what is known of the app."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lightning_grpc.coordinator.metrics import WorkMetrics
from lightning_grpc.dashboard.events import (
    CommandsListed,
    ConnectionLost,
    ConnectionMade,
    Described,
    Ended,
    LinesPrinted,
    MetricsSeen,
    Seen,
    StateChanged,
    StateReplaced,
)
from lightning_grpc.dashboard.model import (
    FADE_S,
    MAX_DELTA_BYTES,
    MAX_DELTAS,
    MAX_HISTORIES,
    MAX_LINES,
    MAX_POINTS,
    Component,
    Connection,
    Data,
    DeltaEntry,
    Figures,
    LineEntry,
)
from lightning_grpc.dashboard.tree import APP, components_of, is_of_the_tree, owner_of
from lightning_grpc.dashboard.weights import weight_of_changes
from lightning_grpc.service.descriptions import AppMetrics, ProcessUsage
from lightning_grpc.state.delta import Change, Set
from lightning_grpc.state.values import Document, Path

_MOST_CHANGED = 1000  # places whose last change is remembered; then the oldest are forgotten


def take_in(data: Data, event: Seen) -> Data:
    """Return what is known after an event; the same object if it tells nothing new."""
    match event:
        case Described():
            return replace(data, app=event.app, address=event.address, work=event.work)
        case StateReplaced():
            return replace(
                data,
                revision=event.revision,
                document=event.document,
                components=_components(event.document, data.work),
            )
        case StateChanged():
            return _changed(data, event)
        case MetricsSeen():
            return _measured(data, event.metrics)
        case LinesPrinted():
            first = data.lines[-1].number + 1 if data.lines else 0
            lines = [LineEntry(first + index, line) for index, line in enumerate(event.lines)]
            return replace(data, lines=(*data.lines, *lines)[-MAX_LINES:])
        case CommandsListed():
            return data if data.commands == event.commands else replace(data, commands=event.commands)
        case ConnectionLost():
            state = data.connection.state
            since_s = data.connection.since_s if state == "lost" else event.at_s
            known = data if state in ("lost", "ended") else _silenced(data)
            return known if state == "ended" else replace(known, connection=Connection("lost", since_s, event.reason))
        case ConnectionMade():
            return data if data.connection.state == "live" else replace(data, connection=Connection("live", event.at_s))
        case Ended():
            return _ended(data, event)


def _components(document: Document, work: str) -> tuple[Component, ...]:
    return (Component(work, work, "work", 0, ()),) if work else components_of(document)


def _ended(data: Data, event: Ended) -> Data:
    if event.of_recording:
        return replace(data, connection=Connection("played", event.at_s, event.how))
    return replace(_silenced(data), connection=Connection("ended", event.at_s, event.how))


def _silenced(data: Data) -> Data:
    """Return the same without what only a live app has: its rates."""
    figures = {name: replace(each, rate=None, cpu_share=None) for name, each in data.figures.items()}
    return replace(
        data, figures=figures, total=replace(data.total, rate=None, cpu_share=None), runs_rate=None, changed_at_s={}
    )


# State.


def _changed(data: Data, event: StateChanged) -> Data:
    of_tree = any(is_of_the_tree(change.path) for change in event.changes) and not data.work
    deltas, deltas_bytes = _with_deltas(data, event)
    return replace(
        data,
        revision=event.revision,
        document=event.document,
        components=components_of(event.document) if of_tree else data.components,
        deltas=deltas,
        deltas_bytes=deltas_bytes,
        changed_at_s=_with_changed(data.changed_at_s, event, data.work),
        histories=_with_histories(data.histories, event.changes),
    )


def _with_deltas(data: Data, event: StateChanged) -> tuple[tuple[DeltaEntry, ...], int]:
    """Return the deltas with those of an event, and what they hold; the newest is kept, however large it is."""
    number = data.deltas[-1].number + 1 if data.deltas else 0
    by_owner: dict[str, list[Change]] = {}
    for change in event.changes:
        by_owner.setdefault(data.work or owner_of(change.path)[0], []).append(change)
    entries = [
        DeltaEntry(
            number + index, event.at_s, event.first, event.revision, owner, tuple(changes), weight_of_changes(changes)
        )
        for index, (owner, changes) in enumerate(by_owner.items())
    ]
    kept = (*data.deltas, *entries)
    held = data.deltas_bytes + sum(each.weight for each in entries)
    start = 0
    while len(kept) - start > MAX_DELTAS or (held > MAX_DELTA_BYTES and start < len(kept) - 1):
        held -= kept[start].weight
        start += 1
    return kept[start:], held


def _with_changed(before: Mapping[Path, float], event: StateChanged, work: str) -> dict[Path, float]:
    """Return when each place has changed: those of now, with the attributes that they are in, and those that fade."""
    after = {path: at_s for path, at_s in before.items() if event.at_s - at_s < FADE_S}
    for change in event.changes:
        name, owner = ("", ()) if work else owner_of(change.path)
        if name == APP:
            continue
        after[owner] = event.at_s
        for depth in range(len(owner) + 2, len(change.path) + 1):
            after[change.path[:depth]] = event.at_s
    while len(after) > _MOST_CHANGED:
        del after[next(iter(after))]
    return after


def _with_histories(
    before: Mapping[Path, tuple[float, ...]], changes: Sequence[Change]
) -> Mapping[Path, tuple[float, ...]]:
    after = dict(before)
    for change in changes:
        if type(change) is not Set or type(change.value) not in (int, float):
            continue
        point = _point(change.value)
        if point is None:
            continue
        points = after.get(change.path)
        if points is None:
            if len(after) >= MAX_HISTORIES:
                continue
            old = _point(change.old) if type(change.old) in (int, float) else None
            points = () if old is None else (old,)
        after[change.path] = (*points, point)[-MAX_POINTS:]
    return after


def _point(value: float) -> float | None:
    try:
        point = float(value)
    except OverflowError:
        return None
    return point if math.isfinite(point) else None


# Metrics.


def _measured(data: Data, metrics: AppMetrics) -> Data:
    before = data.metrics
    span_s = metrics.at_s - before.at_s if before is not None else 0.0
    is_lost = data.connection.state == "lost"  # how fast things go on is not known
    if before is None or is_lost or span_s <= 0 or metrics.runs < before.runs or metrics.revision < before.revision:
        before, span_s = None, 0.0
    figures = {
        name: _of_work(
            data.figures.get(name, Figures()),
            work,
            metrics.usages.get(name),
            before.works.get(name) if before is not None else None,
            before.usages.get(name) if before is not None else None,
            span_s,
        )
        for name, work in metrics.works.items()
    }
    rate = (metrics.revision - before.revision) / span_s if before is not None else None
    total = _used(
        Figures(revision=metrics.revision), metrics.usage, before.usage if before is not None else None, span_s
    )
    return replace(
        data,
        metrics=metrics,
        figures=figures,
        total=replace(total, rate=rate, rates=_points(data.total.rates, rate)),
        runs_rate=(metrics.runs - before.runs) / span_s if before is not None else None,
    )


def _of_work(
    known: Figures,
    work: WorkMetrics,
    usage: ProcessUsage | None,
    before: WorkMetrics | None,
    usage_before: ProcessUsage | None,
    span_s: float,
) -> Figures:
    rate = None
    if before is not None and (work.silent_s is not None or work.revision > before.revision):
        rate = max(0, work.revision - before.revision) / span_s
    figures = Figures(
        revision=work.revision,
        rate=rate,
        rates=_points(known.rates, rate),
        lag_s=work.lag_s,
        silent_s=work.silent_s,
        resyncs=work.resyncs,
    )
    return _used(figures, usage, usage_before, span_s)


def _used(figures: Figures, usage: ProcessUsage | None, before: ProcessUsage | None, span_s: float) -> Figures:
    if usage is None:
        return figures
    share = None
    if before is not None and before.pid == usage.pid and span_s > 0:
        share = max(0.0, usage.cpu_s - before.cpu_s) / span_s
    return replace(figures, pid=usage.pid, cpu_share=share, memory_bytes=usage.memory_bytes, threads=usage.threads)


def _points(points: tuple[float, ...], point: float | None) -> tuple[float, ...]:
    return points if point is None else (*points, point)[-MAX_POINTS:]

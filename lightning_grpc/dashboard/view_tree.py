"""The tree of components, with how each Work fares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lightning_grpc.dashboard.cells import Row, Span, clean, pad, spark, width_of
from lightning_grpc.dashboard.figures import count, duration, rate, share, size
from lightning_grpc.dashboard.model import FADE_S, Component, Data, Figures, Model
from lightning_grpc.dashboard.rows import tree_rows
from lightning_grpc.dashboard.theme import stage_glyph
from lightning_grpc.dashboard.tree import Progress, find, progress_of
from lightning_grpc.dashboard.view_frame import boxed, listed

_LATE_S = 4.6  # a Work that was not heard for longer is unreachable
_OVERDUE_S = 2.5  # figures come every second; those that are older age


@dataclass(frozen=True)
class _Seen:
    """What a row of a Work is made of.

    Attributes:
        progress: How far it is.
        figures: What else is known of it.
        known_at_s: As of when.
        overdue_s: How old the figures are, if they are older than they should be.
    """

    progress: Progress
    figures: Figures
    known_at_s: float
    overdue_s: float


@dataclass(frozen=True)
class _Column:
    """A column of the tree.

    Attributes:
        title: Its heading.
        width: In cells.
        draw: Makes its text and style of what is known of a Work.
    """

    title: str
    width: int
    draw: Callable[[_Seen], Span]


def _ran(seen: _Seen) -> float | None:
    progress = seen.progress
    if progress.began_s is None or progress.took_s is not None:
        return progress.took_s
    return max(0.0, seen.known_at_s - progress.began_s)


def _heard(seen: _Seen) -> Span:
    silent_s = seen.figures.silent_s
    if silent_s is not None:
        silent_s += seen.overdue_s
    return duration(silent_s), "bad" if (silent_s or 0.0) > _LATE_S else "dim"


_COLUMNS = (  # those that matter most first: as many as there is room for are shown
    _Column("Δ/s", 6, lambda seen: (rate(seen.figures.rate), "number")),
    _Column("changes", 10, lambda seen: (spark(seen.figures.rates, 9, from_zero=True), "spark")),
    _Column("ran", 7, lambda seen: (duration(_ran(seen)), "")),
    _Column("done", 6, lambda seen: (count(seen.progress.successes), "")),
    _Column("cpu", 6, lambda seen: (share(seen.figures.cpu_share), "")),
    _Column("mem", 6, lambda seen: (size(seen.figures.memory_bytes), "")),
    _Column("rev", 7, lambda seen: (count(seen.figures.revision), "")),
    _Column("lag", 7, lambda seen: (duration(seen.figures.lag_s or None), "dim")),
    _Column("heard", 7, _heard),
    _Column("pid", 8, lambda seen: (str(seen.figures.pid or "-"), "dim")),
    _Column("resync", 7, lambda seen: (count(seen.figures.resyncs), "bad" if seen.figures.resyncs else "dim")),
)
_STAGE_WIDTH = 16
_NAME_WIDTH = (16, 36)
_FRAME_WIDTH = 6  # the border, and the mark of the cursor


def width_of_all(model: Model) -> int:
    """Return how wide a box has to be that shows all columns of the tree, and names that are not overlong."""
    names = 3 + max((2 * each.depth + width_of(clean(each.key)) for each in model.shown.components), default=0)
    name_width = max(_NAME_WIDTH[0], min(_NAME_WIDTH[1], names))
    return _FRAME_WIDTH + name_width + _STAGE_WIDTH + sum(each.width for each in _COLUMNS)


def tree_box(model: Model, width: int, height: int) -> list[Row]:
    """Return the box with the tree."""
    inner = width - _FRAME_WIDTH
    rows = tree_rows(model)
    is_filtered = bool(model.ui.filters.get("tree"))
    widths = (
        width_of(clean(each.name)) if is_filtered else 2 * each.depth + width_of(clean(each.key)) for each in rows
    )
    names = 3 + max(widths, default=0)
    name_width = max(_NAME_WIDTH[0], min(_NAME_WIDTH[1], names, inner - _STAGE_WIDTH))
    columns, left = [], inner - name_width - _STAGE_WIDTH
    for column in _COLUMNS:
        if column.width > left:
            break
        columns.append(column)
        left -= column.width
    heading: Row = [(f"  {pad('component', name_width)}{pad('  status', _STAGE_WIDTH)}", "dim")]
    heading += [(pad(each.title, each.width, right=True), "dim") for each in columns]
    selected = model.component()
    cursor = next((index for index, each in enumerate(rows) if each is selected), 0)
    drawn = listed(
        rows,
        cursor if rows else None,
        height - 3,
        lambda each, _: _row(model, each, name_width, columns),
        width=width - 4,
    )
    works = sum(each.kind == "work" for each in model.shown.components)
    wanted = model.ui.filters.get("tree", "")
    right = f"/{clean(wanted)}" if wanted else f"{works} {'Work' if works == 1 else 'Works'}"
    is_focused = model.ui.focus == "tree" and not model.ui.help
    return boxed("Components", [heading, *drawn], width, height, is_focused=is_focused, right=right)


def _row(model: Model, component: Component, name_width: int, columns: list[_Column]) -> Row:
    data = model.shown
    has_hidden = component.name in model.ui.folded
    glyph = "▸ " if has_hidden else "▾ " if component.kind != "work" else "  "
    indent = "  " * (component.depth if not model.ui.filters.get("tree") else 0)
    name = clean(component.name if model.ui.filters.get("tree") else component.key)
    room = name_width - width_of(indent) - 2
    named: Row = [(indent, ""), (glyph, "dim")]
    fades = model.now_s - data.changed_at_s.get(component.path, 0.0) < FADE_S and component.kind == "work"
    named.append((pad(name, room - 1) + " ", "fade" if fades else "bold" if component.kind == "flow" else ""))
    if component.kind != "work":
        return [*named, *_above(data, component)]
    progress = progress_of(find(data.document, component.path))
    age_s = model.shown_at_s - data.metrics.at_s if data.metrics is not None else 0.0
    overdue_s = age_s if age_s > _OVERDUE_S else 0.0
    seen = _Seen(progress, data.figures.get(component.name, Figures()), model.known_at_s, overdue_s)
    sign, style = stage_glyph(progress.stage)
    row: Row = [*named, (pad(f"{'•' if fades else ' '} {sign} {progress.stage}", _STAGE_WIDTH), style)]
    for column in columns:
        text, kind = column.draw(seen)
        row.append((pad(text, column.width, right=True), kind))
    return row


def _above(data: Data, component: Component) -> Row:
    """Return what is said of a Flow or a structure: how many Works below it are at which stage."""
    prefix = f"{component.name}."
    stages: dict[str, int] = {}
    for each in data.components:
        if each.kind == "work" and each.name.startswith(prefix):
            stage = progress_of(find(data.document, each.path)).stage
            stages[stage] = stages.get(stage, 0) + 1
    row: Row = [("  ", "")]
    for stage, number in stages.items():
        glyph, style = stage_glyph(stage)
        row.append((f"{glyph} {number} {stage}  ", style))
    return row

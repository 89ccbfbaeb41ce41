"""The box with what is known of the selected component: its tabs, and the one that is shown."""

from __future__ import annotations

import contextlib
import math

from lightning_grpc.dashboard.cells import Row, bar, brief, clean, pad, spark, width_of
from lightning_grpc.dashboard.model import FADE_S, FLASH_S, TABS, Model
from lightning_grpc.dashboard.rows import ValueRow, value_rows
from lightning_grpc.dashboard.view_frame import boxed, listed
from lightning_grpc.dashboard.view_lists import calls, commands, deltas, lines, runs, schedules
from lightning_grpc.state.values import Path

_LISTS = {
    "deltas": deltas,
    "logs": lines,
    "calls": calls,
    "runs": runs,
    "schedules": schedules,
    "commands": commands,
}
_SHORT_TABS = {"schedules": "timers", "commands": "cmds"}

_TOTALS = frozenset({"total", "limit", "target", "maximum", "of"})
_PARTS = frozenset(
    {"current", "done", "count", "counter", "progress", "position", "processed", "completed", "finished", "read", "n"}
)


def detail(model: Model, width: int, height: int) -> list[Row]:
    """Return the box with the detail."""
    ui = model.ui
    room = height - 2
    rows = state(model, width - 4, room) if ui.tab == "state" else _LISTS[ui.tab](model, width - 4, room)
    wanted = ui.filters.get(ui.tab, "")
    component = model.component()
    right = clean(component.name) if component is not None else ""
    if wanted:
        right = f"/{clean(wanted)} {right}"
    is_focused = (ui.focus == "detail" or ui.zoomed) and not ui.help
    return boxed(_tabs(model, width - 8), rows, width, height, is_focused=is_focused, right=right)


def _tabs(model: Model, room: int) -> Row:
    """Return the names of the tabs; if there is no room for them all, shorter ones, and then the one that is shown."""
    for short, gap in ((False, "  "), (True, " ")):
        names = [_SHORT_TABS.get(tab, tab) if short else tab for tab in TABS]
        texts = [f"{number} {name}" for number, name in enumerate(names, 1)]
        if sum(map(len, texts)) + (len(gap) + 2) * len(texts) <= room:
            break
    else:
        return [(f" {TABS.index(model.ui.tab) + 1} {model.ui.tab} ", "tab-on"), ("  1-7 others", "tab")]
    row: Row = []
    for tab, text in zip(TABS, texts, strict=True):
        row += [(f" {text} ", "tab-on") if tab == model.ui.tab else (f" {text} ", "tab"), (gap, "")]
    return row[:-1]


def state(model: Model, width: int, height: int) -> list[Row]:
    """Return the rows of the component's attributes."""
    data, ui = model.shown, model.ui
    rows = value_rows(data, model.component(), ui)
    if not rows:
        words = "nothing fits the filter" if ui.filters.get("state") else "it has no attributes of its own"
        return [[("  " + (words if data.document is not None else "no state yet"), "dim")]]
    key_width = min(max(2 * row.depth + width_of(clean(str(row.key))[:60]) + 4 for row in rows), max(12, width // 3))
    totals = {str(row.key): row.value for row in rows if row.depth == 0}
    cursor = ui.cursors.get("state", 0) if ui.focus == "detail" or ui.zoomed else None
    return listed(
        rows, cursor, height, lambda row, _: _value_row(model, row, totals, key_width, width - 2), width=width
    )


def _value_row(model: Model, row: ValueRow, totals: dict[str, object], key_width: int, width: int) -> Row:
    if row.more:
        return [("  " * row.depth, ""), (f"  … {row.more:,} more", "dim")]
    age_s = model.now_s - model.shown.changed_at_s.get(row.path, 0.0)
    fresh = "flash" if age_s < FLASH_S else "fade" if age_s < FADE_S else ""
    sign = ("▾ " if row.is_open else "▸ ") if row.is_container else "  "
    key = clean(row.key) if isinstance(row.key, str) else f"{row.key}"[:60]
    indent = "  " * row.depth
    room = key_width - len(indent) - 4
    out: Row = [
        (indent, ""),
        (sign, "dim"),
        (pad(key, room), "fade" if fresh else "bold"),
        (" •" if fresh else "  ", fresh and "fade"),
    ]
    out.append((f" {_type_of(row.value):<11} ", "type"))
    left = width - key_width - 13
    extra = _extra(model.shown.histories.get(row.path), row, totals, left)
    text = brief(row.value, max(4, left - (width_of(extra[0]) + 2 if extra else 0)))
    out.append((text, fresh or _style_of(row.value)))
    if extra:
        out += [(" " * max(1, left - width_of(text) - width_of(extra[0])), ""), extra]
    return out


def _extra(
    history: tuple[float, ...] | None, row: ValueRow, totals: dict[str, object], left: int
) -> tuple[str, str] | None:
    """Return what is drawn behind a number: how far it is, or how it was."""
    share = share_of(row.path, row.value, totals) if row.depth == 0 else None
    if share is not None and left >= 34:
        width = min(24, left - 18)
        return f"{bar(share, width)} {share * 100:5.1f} %", "bar"
    if history is not None and len(history) > 1 and left >= 24 and type(row.value) in (int, float):
        width = min(30, left - 14)
        return spark(history, min(width, len(history))), "spark"
    return None


def share_of(path: Path, value: object, totals: dict[str, object]) -> float | None:
    """Return how much is done of what an attribute counts, if one beside it says of how much; from 0 to 1.

    ``done`` and ``total``, ``step`` and ``steps``, ``epoch`` and ``n_epochs``, ``rows_read`` and ``rows_total``.

    Example:
        >>> share_of(("vars", "step"), 5, {"step": 5, "steps": 20})
        0.25
    """
    if type(value) not in (int, float) or not path:
        return None
    name = str(path[-1])
    if name == "progress" and type(value) is float and 0 <= value <= 1:
        return value
    stem, _, last = name.rpartition("_")
    names = [
        f"{name}s",
        f"{name}_total",
        f"total_{name}",
        f"total_{name}s",
        f"n_{name}s",
        f"num_{name}s",
        f"max_{name}",
    ]
    if name in _PARTS:
        names += sorted(_TOTALS)
    elif last in _PARTS and stem:
        names += [f"{stem}_{total}" for total in sorted(_TOTALS)] + [f"total_{stem}", stem]
    elif name.startswith(("current_", "done_")):
        rest = name.partition("_")[2]
        names += [f"total_{rest}", f"{rest}_total", f"total_{rest}s", f"{rest}s", f"n_{rest}s"]
    for each in names:
        total = totals.get(each)
        if type(total) in (int, float) and each != name and 0 <= value <= total and total > 0:  # type: ignore[operator]
            with contextlib.suppress(OverflowError):  # of an integer that no float holds
                share = float(value / total)  # type: ignore[operator]
                return None if math.isnan(share) else share  # of infinities there are no parts
    return None


def _type_of(value: object) -> str:
    name = type(value).__name__
    return f"{name}[{len(value)}]"[:11] if isinstance(value, str | list | tuple | dict) else name


def _style_of(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "constant"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else ""

"""Boxes with a title, and lists that are longer than their box."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from lightning_grpc.dashboard.cells import Row, Span, cut, fitted, row_width, width_of

T = TypeVar("T")
_LEAST_RIGHT = 10  # what is shorter than that for being cut says nothing

_LIGHT = ("╭", "─", "╮", "│", "╰", "╯")
_HEAVY = ("┏", "━", "┓", "┃", "┗", "┛")


def boxed(
    title: str | Row, rows: Sequence[Row], width: int, height: int, *, is_focused: bool = False, right: str = ""
) -> list[Row]:
    """Return rows in a box of a size; those that do not fit are left out.

    Args:
        title: What stands in its upper border.
        rows: What stands inside.
        width: Of the box, border included.
        height: The same.
        is_focused: Whether keys go there; such a box has heavy lines.
        right: What stands at the right of the upper border.
    """
    style = "border-focus" if is_focused else "border"
    top_left, across, top_right, down, low_left, low_right = _HEAVY if is_focused else _LIGHT
    spans: Row = [(title, "title")] if isinstance(title, str) else title
    room = width - 6
    left = max(0, room - row_width(spans) - 3)
    right = cut(right, left) if left >= min(_LEAST_RIGHT, width_of(right)) else ""
    spans = fitted([*spans], min(room, row_width(spans)))
    rest = width - 5 - row_width(spans) - (width_of(right) + 3 if right else 0)
    tail: Row = [(f" {right} ", "dim"), (across, style)] if right else []
    top: Row = [(f"{top_left}{across} ", style), *spans, (" ", style), (across * max(0, rest), style), *tail]
    top.append((top_right, style))
    inner = width - 4
    body: list[Row] = []
    for index in range(height - 2):
        row = rows[index] if index < len(rows) else []
        body.append([(f"{down} ", style), *fitted(row, inner), (f" {down}", style)])
    bottom: Row = [(low_left + across * (width - 2) + low_right, style)]
    return [fitted(top, width), *body, bottom]


def window(count: int, cursor: int, height: int) -> tuple[int, int]:
    """Return which of `count` rows a list shows: from the first number up to the second, the cursor among them."""
    first = max(0, min(cursor - height // 2, count - height))
    return first, min(count, first + height)


def listed(
    items: Sequence[T], cursor: int | None, height: int, draw: Callable[[T, bool], Row], *, width: int
) -> list[Row]:
    """Return the rows of a list that are shown, the one under the cursor marked.

    Args:
        items: What is listed.
        cursor: Which is selected; None for none.
        height: How many rows there is room for.
        draw: Makes the row of an item; told whether it is selected.
        width: How wide a row is.
    """
    at = max(0, min(cursor or 0, len(items) - 1))
    first, end = window(len(items), at, height)
    rows: list[Row] = []
    for index in range(first, end):
        is_selected = cursor is not None and index == at
        row = draw(items[index], is_selected)
        rows.append(marked(row, width) if is_selected else [("  ", ""), *row])
    return rows


def marked(row: Row, width: int) -> Row:
    """Return a row as the one under the cursor: with a mark, and its colours inverted."""
    plain: list[Span] = [("▌ ", "select"), *((text, "select") for text, _ in row)]
    return fitted(plain, width, "select")

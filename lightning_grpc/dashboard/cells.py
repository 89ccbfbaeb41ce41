"""Text that fits: cells of a terminal, cut with an ellipsis, with nothing in it that could move the cursor.

A row is a list of spans, each a text and the name of a style. `fitted` makes any row exactly as wide as wanted.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size

ELLIPSIS = "…"
Span = tuple[str, str]
Row = list[Span]

_SELECTORS = dict.fromkeys(range(0xFE00, 0xFE10))  # they change how wide a terminal shows what stands before
_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_SPARKS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_PRINTED_BITS = 14_000  # Python prints no integer of more than 4,300 digits


def clean(text: str) -> str:
    r"""Return a text as it can be shown: what is not printable is escaped, as Python escapes it.

    Example:
        >>> clean("a\x1b[2Jb")
        'a\\x1b[2Jb'
    """
    if text.isascii() and text.isprintable():
        return text
    text = text.translate(_SELECTORS)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return "  " if char == "\t" else repr(char)[1:-1]


def clean_output(text: str) -> str:
    """Return a line that a program has printed as it can be shown: without its colours and cursor movements."""
    if "\x1b" in text:
        text = _SEQUENCES.sub("", text)
    if "\r" in text:
        text = text.rstrip("\r").rpartition("\r")[2]  # what a terminal would have left of it
    return clean(text)


def width_of(text: str) -> int:
    """Return how many cells a clean text takes."""
    return len(text) if text.isascii() else cell_len(text)


def cut(text: str, width: int) -> str:
    """Return a clean text that takes at most `width` cells; one that was longer ends with an ellipsis."""
    if width <= 0:
        return ""
    if len(text) > 4 * width + 8:
        text = text[: 4 * width + 8]  # no more than that is looked at, however long it is
    if width_of(text) <= width:
        return text
    return set_cell_size(text, width - 1) + ELLIPSIS


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Return a clean text that takes exactly `width` cells."""
    text = cut(text, width)
    blank = " " * (width - width_of(text))
    return blank + text if right else text + blank


def row_width(row: Iterable[Span]) -> int:
    """Return how many cells a row takes."""
    return sum(width_of(text) for text, _ in row)


def fitted(row: Sequence[Span], width: int, style: str = "") -> Row:
    """Return a row that takes exactly `width` cells: cut with an ellipsis, or filled with blanks of a style."""
    after: Row = []
    left = width
    for text, kind in row:
        taken = width_of(text)
        if taken > left:
            after.append((cut(text, left), kind))
            left -= width_of(after[-1][0])
            break
        if taken:
            after.append((text, kind))
            left -= taken
    if left > 0:
        after.append((" " * left, style))
    return after


def brief(value: Any, room: int) -> str:
    """Write a value on one line, as Python does; no more of it than fits `room` cells is looked at.

    Example:
        >>> brief({"a": [1, 2, 3]}, 80), brief(list(range(10**6)), 12)
        ("{'a': [1, 2, 3]}", '[0, 1, 2, 3…')
    """
    parts: list[str] = []
    _write(parts, value, room + 1)
    return cut("".join(parts), room)


def _write(parts: list[str], value: Any, room: int) -> int:
    """Add a value's text to parts; returns how much room is left, which may be less than none."""
    kind = type(value)
    if kind is str:
        text = clean(repr(value[: room + 1]))
    elif kind is int and value.bit_length() > _PRINTED_BITS:
        text = f"an integer of {value.bit_length():,} bits"
    elif kind in (list, tuple, dict):
        return _write_items(parts, value, room)
    else:
        text = repr(value)
    parts.append(text)
    return room - len(text)


def _write_items(parts: list[str], value: Any, room: int) -> int:
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]") if isinstance(value, list) else ("(", ")")
    parts.append(opening)
    room -= 2
    for index, item in enumerate(value.items() if isinstance(value, dict) else value):
        if room < 0:
            break
        if index:
            parts.append(", ")
            room -= 2
        if isinstance(value, dict):
            room = _write(parts, item[0], room)
            parts.append(": ")
            room = _write(parts, item[1], room - 2)
        else:
            room = _write(parts, item, room)
    if isinstance(value, tuple) and len(value) == 1:
        parts.append(",")
    parts.append(closing)
    return room


def spark(points: Sequence[float], width: int, *, from_zero: bool = False) -> str:
    """Draw the newest points as a line of `width` cells, the newest at its right.

    Args:
        points: The points, oldest first; finite.
        width: In cells.
        from_zero: Whether the lowest line means 0, as it should for amounts; else it means the least of the points.

    Example:
        >>> spark([0, 1, 2, 3], 6), spark([20, 20, 15], 6, from_zero=True)
        ('  ▁▃▆█', '   ██▆')
    """
    shown = points[-width:] if width > 0 else ()
    if not shown:
        return " " * max(0, width)
    low, high = 0.0 if from_zero else min(shown), max(shown)
    span = high / 2 - low / 2  # halved, for two of the largest floats are further apart than any float
    if span < sys.float_info.min:  # and what is below can be divided by nothing
        return ((_SPARKS[3] if high else _SPARKS[0]) * len(shown)).rjust(width)
    last = len(_SPARKS) - 1
    return "".join(_SPARKS[round((point / 2 - low / 2) / span * last)] for point in shown).rjust(width)


def bar(share: float, width: int) -> str:
    """Draw how much of something is done, in `width` cells.

    Example:
        >>> bar(0.5, 5)
        '██▌  '
    """
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, part = divmod(eighths, 8)
    return (_EIGHTHS[8] * full + (_EIGHTHS[part] if part else "")).ljust(width)

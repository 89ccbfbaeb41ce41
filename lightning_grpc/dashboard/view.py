"""How a model looks: exactly as many lines as the screen has, each exactly as wide."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment

from lightning_grpc.dashboard.cells import Row, fitted
from lightning_grpc.dashboard.model import Model
from lightning_grpc.dashboard.theme import STYLES
from lightning_grpc.dashboard.view_detail import detail
from lightning_grpc.dashboard.view_frame import boxed
from lightning_grpc.dashboard.view_head import footer, header, help_rows
from lightning_grpc.dashboard.view_tree import tree_box, width_of_all

LEAST_WIDTH, LEAST_HEIGHT = 50, 14
"""A smaller screen is told to be too small."""
_LEAST_BESIDE = 64  # what the tree has to leave the detail, for that to stand beside it
_HEAD_LINES = 2


class Screen:
    """What a model looks like, to be printed by Rich: on a terminal, as SVG, as text.

    Args:
        model: The model; its `width` and `height` are those of the screen.
    """

    def __init__(self, model: Model) -> None:
        self.lines = lines_of(model)
        self._width = model.width

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines."""
        for line in self.lines:
            for text, style in line:
                yield Segment(text, STYLES[style])
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Say how wide it is: as wide as the model's screen."""
        return Measurement(self._width, self._width)


def lines_of(model: Model) -> list[Row]:
    """Return the lines of the screen: `model.height` of them, `model.width` cells each."""
    width, height = model.width, model.height
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return _too_small(width, height)
    body_height = height - _HEAD_LINES - 1
    if model.ui.help:
        body = boxed("Keys", help_rows(), width, body_height, is_focused=True)
    else:
        body = _body(model, width, body_height)
    rows = [*header(model), *body, footer(model)]
    return [fitted(row, width) for row in rows]


def _body(model: Model, width: int, height: int) -> list[Row]:
    if model.ui.zoomed:
        return detail(model, width, height)
    left = width_of_all(model)
    if width - left >= _LEAST_BESIDE:
        beside = zip(tree_box(model, left, height), detail(model, width - left, height), strict=True)
        return [[*first, *second] for first, second in beside]
    rows = len(model.shown.components) + 3  # with its border and headings
    upper = max(6, min(rows, height * 9 // 20))
    return [*tree_box(model, width, upper), *detail(model, width, height - upper)]


def _too_small(width: int, height: int) -> list[Row]:
    words = f"too small: {width}x{height}, {LEAST_WIDTH}x{LEAST_HEIGHT} is needed"
    rows: list[Row] = [[] for _ in range(height)]
    if rows:
        rows[height // 2] = [(words, "bold")]
    return [fitted(row, width) for row in rows]

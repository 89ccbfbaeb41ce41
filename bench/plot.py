"""The plot: how far each case is from its target, on a log scale, as an SVG that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from bench.case import OURS, RAW
from bench.report import Line, format_number

_WIDTH, _LEFT, _RIGHT, _TOP, _STEP = 1180, 520, 90, 76, 26
_COLOURS = {OURS: "#2f81f7", RAW: "#8b949e"}
_PEER_COLOURS = ("#db6d28", "#a371f7", "#bf8700")
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #6e7781; }
  .title { font-size: 16px; font-weight: 600; }
  .small { font-size: 11px; }
  .line { stroke: #8b949e; stroke-opacity: .3; }
  .goal { stroke: #2da44e; stroke-width: 2; }
  .missed { fill: #e5534b; font-weight: 600; }
"""


def svg(lines: Sequence[Line], peers: Sequence[str]) -> str:
    """Return the plot.

    Each row is one line of the table; a dot's place is what that side reaches, divided by the target (or the
    other way round, where more is better): 1 is the target itself, and what is to the left of it is better. The
    colours are legible on light and on dark ground.
    """
    sides = [OURS, RAW, *peers]
    colours = {**_COLOURS, **dict(zip(peers, _PEER_COLOURS, strict=False))}
    places = [{side: _distance(line, side) for side in sides} for line in lines]
    known = [place for each in places for place in each.values() if not math.isnan(place)] or [1.0]
    low, high = math.floor(math.log10(min(*known, 0.1))), math.ceil(math.log10(max(*known, 10.0)))
    height = _TOP + _STEP * len(lines) + 44

    def x(place: float) -> float:
        return _LEFT + (math.log10(place) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    bottom = _TOP + _STEP * len(lines)
    parts = [_text(16, 26, "How far each case is from its target (log scale; left of the line is better)", "title")]
    for index, side in enumerate(sides):
        parts.append(f'<circle cx="{24 + index * 130}" cy="48" r="5" fill="{colours[side]}"/>')
        parts.append(_text(36 + index * 130, 52, side))
    for power in range(low, high + 1):
        kind = "goal" if power == 0 else "line"
        at = x(10.0**power)
        parts.append(f'<line class="{kind}" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP - 8}" y2="{bottom}"/>')
        label = "target" if power == 0 else f"{10.0**power:,g} x"
        parts.append(_text(at, bottom + 18, label, "small", "middle"))
    for index, (line, place) in enumerate(zip(lines, places, strict=True)):
        y = _TOP + _STEP * index + _STEP / 2
        parts.append(f'<line class="line" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(_text(_LEFT - 12, y + 4, _short(line.row.title), "" if line.is_met else "missed", "end"))
        for side in reversed(sides):  # ours last, on top
            if not math.isnan(place[side]):
                said = f"{side}: {format_number(line.values[side], line.row.compared_unit)}"
                parts += [_dot(x(place[side]), y, colours[side], said)]
        value = format_number(line.value, line.row.compared_unit)
        parts.append(_text(_WIDTH - _RIGHT + 10, y + 4, value, "small" if line.is_met else "small missed"))
    body = "\n  ".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
        f' role="img" aria-label="Benchmark results against their targets">\n  <style>{_STYLE}  </style>\n  {body}\n'
        "</svg>\n"
    )


def _distance(line: Line, side: str) -> float:
    return line.row.distance(line.values.get(side, math.nan))


def _short(title: str, length: int = 74) -> str:
    title = title.replace("`", "")
    return title if len(title) <= length else title[: length - 1] + "…"


def _dot(x: float, y: float, colour: str, said: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y}" r="5" fill="{colour}"><title>{escape(said)}</title></circle>'


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'

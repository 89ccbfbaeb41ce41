"""The lists of the detail: deltas, logs, calls with their tracebacks, runs and their causes, schedules, commands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

from rich.cells import chop_cells

from lightning_grpc.coordinator.metrics import FlowRun, ScheduleFiring
from lightning_grpc.dashboard.cells import Row, clean, clean_output, cut, pad, width_of
from lightning_grpc.dashboard.figures import clock, duration
from lightning_grpc.dashboard.model import Component, DeltaEntry, LineEntry, Model, Outcome
from lightning_grpc.dashboard.rows import (
    call_rows,
    command_rows,
    delta_rows,
    delta_text,
    line_rows,
    run_rows,
    schedule_rows,
    title_of,
)
from lightning_grpc.dashboard.theme import stage_glyph
from lightning_grpc.dashboard.tree import times_of
from lightning_grpc.dashboard.view_frame import listed
from lightning_grpc.service.commands import CommandDescription

T = TypeVar("T")
_NAME_WIDTH = 20
_SPARE_LINES = 8  # a list with something below it has a heading, and a line between them, if it has so many lines


def deltas(model: Model, width: int, height: int) -> list[Row]:
    """Return the newest deltas, the newest at the bottom; zoomed, the lowest one is there as a whole, too."""
    rows = delta_rows(model.shown, model.component(), model.ui)
    shown = _tail(model, "deltas", rows, height)
    whole = _whole(model, width, height, [clean(delta_text(each)) for each in shown[-1:]])
    shown = shown[-max(1, height - len(whole)) :]
    names = _names_width([title_of(each.component) for each in shown])
    drawn = [_delta_row(model, each, names) for each in shown]
    return [*drawn, *whole] or _nothing(model, "deltas", "no delta yet")


def _delta_row(model: Model, entry: DeltaEntry, names: int) -> Row:
    revisions = str(entry.revision) if entry.first == entry.revision else f"{entry.first}..{entry.revision}"
    return [
        (clock(entry.at_s, model.utc_offset_s, with_tenths=True), "dim"),
        (f" {revisions:>8}  ", "number"),
        (pad(clean(title_of(entry.component)), names), "name"),
        ("  ", ""),
        (clean(delta_text(entry)), ""),
    ]


def lines(model: Model, width: int, height: int) -> list[Row]:
    """Return the newest lines of output, the newest at the bottom; zoomed, the lowest one is there as a whole, too."""
    rows = line_rows(model.shown, model.component(), model.ui)
    shown = _tail(model, "logs", rows, height)
    whole = _whole(model, width, height, [clean_output(each.line.text) for each in shown[-1:]])
    shown = shown[-max(1, height - len(whole)) :]
    names = _names_width([each.line.component for each in shown])
    drawn = [_line_row(model, each, names) for each in shown]
    return [*drawn, *whole] or _nothing(model, "logs", "nothing was printed yet")


def _line_row(model: Model, entry: LineEntry, names: int) -> Row:
    line = entry.line
    sign, style = {"stderr": ("!", "wait"), "dropped": ("…", "bad")}.get(line.kind, (" ", ""))
    at = clock(line.at_s, model.utc_offset_s) if line.at_s else " " * 8
    return [
        (at, "dim"),
        (f" {sign} ", style),
        (pad(clean(line.component), names), "name"),
        ("  ", ""),
        (clean_output(line.text), style),
    ]


def calls(model: Model, width: int, height: int) -> list[Row]:
    """Return the calls, and under them what is known of the one under the cursor: its statuses, its traceback."""
    rows = call_rows(model.shown, model.component(), model.ui)
    if not rows:
        return _nothing(model, "calls", "no call yet")
    cursor = max(0, min(model.ui.cursors.get("calls", 0), len(rows) - 1))
    upper = max(2, min(len(rows), height // 3))
    heading: Row = [(f"  {pad('status', 14)}{pad('Work', _NAME_WIDTH)}{pad('call', 22)}{'began':>9}{'took':>8}", "dim")]
    drawn = listed(rows, cursor, upper, lambda each, _: _call_row(model, each), width=width)
    return [heading, *drawn, [], *_call_detail(model, rows[cursor], width, height - upper - 2)]


def _call_row(model: Model, call: tuple[Component, str, Any]) -> Row:
    work, key, entry = call
    glyph, style = stage_glyph(entry["statuses"][-1]["stage"])
    began_s, took_s = times_of(entry)
    if began_s is not None and took_s is None:
        took_s = max(0.0, model.known_at_s - began_s)
    caller = entry.get("caller")
    return [
        (pad(f"{glyph} {entry['statuses'][-1]['stage']}", 14), style),
        (pad(clean(work.name), _NAME_WIDTH - 1) + " ", "name"),
        (pad(clean(key), 22), ""),
        (pad(clock(began_s, model.utc_offset_s) if began_s is not None else "-", 9, right=True), "dim"),
        (pad(duration(took_s), 8, right=True), ""),
        (f"  {entry.get('successes', 0)} done", "dim"),
        (f"  by {clean(str(caller))}" if caller else "", "dim"),
    ]


def _call_detail(model: Model, call: tuple[Component, str, Any], width: int, height: int) -> list[Row]:
    _, _, entry = call
    steps: Row = []
    for status in entry["statuses"]:
        glyph, style = stage_glyph(status["stage"])
        reason = f" ({clean(str(status['reason']))})" if status.get("reason") else ""
        at = clock(status["timestamp"], model.utc_offset_s, with_tenths=True)
        steps += [("→ " if steps else "  ", "dim"), (f"{glyph} {status['stage']}{reason}", style), (f" {at} ", "dim")]
    message = str(entry["statuses"][-1].get("message") or "")
    return [steps, *_message_rows(message, width, height - 1)]


def _message_rows(message: str, width: int, height: int, *, from_end: bool = True) -> list[Row]:
    """Return the lines of a traceback, or of any message; if there is no room, its end, or its begin."""
    text, room = traceback_rows(message, width - 2), max(0, height)
    if len(text) > room:
        rest: list[Row] = [[(f"… {len(text) - room + 1} lines more{' above' if from_end else ''}", "dim")]]
        rest = rest if room > 1 else []
        kept = room - len(rest)
        text = [*rest, *text[len(text) - kept :]] if from_end else [*text[:kept], *rest]
    return [[("  ", ""), *row] for row in text]


@lru_cache(maxsize=16)
def traceback_rows(message: str, width: int) -> list[Row]:
    """Return the lines of a traceback, or of any message, in colour as Rich shows code."""
    from rich.console import Console
    from rich.syntax import Syntax

    text = "\n".join(clean_output(line) for line in message.rstrip().splitlines())
    if not text:
        return []
    if "Traceback" not in text:
        return [[(part, "")] for line in text.splitlines() for part in chop_cells(line, max(1, width)) or [""]]
    syntax = Syntax(text, "pytb", theme="ansi_dark", background_color="default", word_wrap=True)
    console = Console(width=max(10, width), color_system="standard", force_terminal=True, legacy_windows=False)
    return [
        [(segment.text, _code_style(segment.style)) for segment in segments if segment.text]
        for segments in console.render_lines(syntax, console.options, pad=False)
    ]


def _code_style(style: Any) -> str:
    name = style.color.name if style is not None and style.color is not None else ""
    if "red" in name:
        return "code-error"
    if "cyan" in name or "blue" in name or "magenta" in name:
        return "code-place"
    return "bold" if style is not None and style.bold else ""


def runs(model: Model, width: int, height: int) -> list[Row]:
    """Return the newest runs of the root Flow, the newest at the top, with what caused each."""
    rows = run_rows(model.shown, model.ui)
    if not rows:
        return _nothing(model, "runs", "the Flow has not run yet")
    heading: Row = [(f"  {'run':>8}  {pad('began', 10)}{'took':>8}{'deltas':>8}  because", "dim")]
    return [heading, *_list(model, "runs", rows, height - 1, width, _run_row)]


def _run_row(model: Model, run: FlowRun) -> Row:
    causes = "; ".join(clean(str(cause)) for cause in run.causes)
    return [
        (f"{run.number:>8}  ", "number"),
        (clock(run.began_s, model.utc_offset_s, with_tenths=True), "dim"),
        (pad(duration(run.took_s), 8, right=True), ""),
        (f"{run.deltas:>8}  ", ""),
        ("suspended " if run.suspended else "", "wait"),
        (causes, ""),
    ]


def schedules(model: Model, width: int, height: int) -> list[Row]:
    """Return the schedules, the next to fire at the top."""
    rows = schedule_rows(model.shown, model.ui)
    if not rows:
        return _nothing(model, "schedules", "no Flow does anything by the clock")
    heading: Row = [(f"  {pad('next firing', 24)}{pad('Flow', _NAME_WIDTH)}{pad('pattern', 18)}schedule", "dim")]
    return [heading, *_list(model, "schedules", rows, height - 1, width, _schedule_row)]


def _schedule_row(model: Model, each: ScheduleFiring) -> Row:
    due = duration(max(0.0, each.next_firing_s - model.shown_at_s))
    when = f"in {due}, {clock(each.next_firing_s, model.utc_offset_s)}"
    return [
        (pad("► fires now" if each.running else f"◔ {when}", 24), "busy" if each.running else "wait"),
        (pad(clean(each.flow), _NAME_WIDTH - 1) + " ", "name"),
        (pad(clean(each.cron_pattern), 17) + " ", ""),
        (clean(each.key), "dim"),
    ]


def commands(model: Model, width: int, height: int) -> list[Row]:
    """Return the commands, and under them how the latest one went: what it returned, or its traceback."""
    rows, outcome = command_rows(model.shown, model.ui), model.ui.outcome
    heading: Row = [(f"  {pad('command', 24)}{pad('Flow', _NAME_WIDTH)}takes", "dim")]
    is_tight = outcome is not None and height < _SPARE_LINES
    above: list[Row] = [] if is_tight else [heading]
    between: list[Row] = [] if is_tight else [[]]
    upper, lower = height - len(above), 0
    if outcome is not None:
        needed = len(between) + 1 + len(traceback_rows(outcome.text, width - 2))
        upper = min(len(rows), max(1, height // 3, upper - needed))
        lower = height - len(above) - max(1, upper) - len(between)
    if rows:
        drawn = [*above, *_list(model, "commands", rows, upper, width, _command_row)]
    else:
        drawn = _nothing(model, "commands", "no Flow offers a command")
    return drawn if outcome is None else [*drawn, *between, *_outcome(model, outcome, width, lower)]


def _outcome(model: Model, outcome: Outcome, width: int, height: int) -> list[Row]:
    glyph, style = ("✗", "bad") if outcome.is_error else ("✓", "good")
    asked: Row = [
        (clock(outcome.at_s, model.utc_offset_s), "dim"),
        (f" {glyph} ", style),
        (clean(outcome.command), "bold"),
    ]
    return [asked, *_message_rows(outcome.text, width, height - 1, from_end=outcome.is_error)]


def _command_row(_: Model, each: CommandDescription) -> Row:
    takes = ", ".join(
        f"{parameter.name}: {parameter.annotation or parameter.type}" + ("" if parameter.required else " = ...")
        for parameter in each.parameters
    )
    description = clean(each.description.partition("\n")[0])
    return [
        (pad(clean(each.name), 23) + " ", "name"),
        (pad(clean(each.flow), _NAME_WIDTH - 1) + " ", ""),
        (clean(takes) or "nothing", ""),
        (f"  {description}", "dim"),
    ]


# What they share.


def _list(model: Model, tab: str, rows: Sequence[T], height: int, width: int, draw: Any) -> list[Row]:
    ui = model.ui
    cursor = ui.cursors.get(tab, 0) if ui.focus == "detail" or ui.zoomed else None
    return listed(rows, cursor, height, lambda each, _: draw(model, each), width=width)


def _tail(model: Model, tab: str, rows: Sequence[Any], height: int) -> Sequence[Any]:
    """Return the rows up to the anchor, or up to the end if it is followed."""
    anchor = model.ui.anchors.get(tab)
    if anchor is None:
        return rows[max(0, len(rows) - height) :]
    end = max((index + 1 for index, each in enumerate(rows) if each.number <= anchor), default=min(height, len(rows)))
    return rows[max(0, end - height) : end]


def _whole(model: Model, width: int, height: int, texts: Sequence[str]) -> list[Row]:
    """Return the lines of a text as a whole, in a zoomed list; none for one that fits its row."""
    if not model.ui.zoomed or not texts or width_of(texts[0]) <= width // 2:
        return []
    wrapped = chop_cells(texts[0], width - 2)
    most = max(1, height // 3)
    if len(wrapped) > most:
        wrapped = [*wrapped[: most - 1], f"… {len(wrapped) - most + 1} lines more"]
    return [[("─" * width, "border")], *([("  ", ""), (line, "")] for line in wrapped)]


def _names_width(names: list[str]) -> int:
    return min(28, max((len(name) for name in names), default=0))


def _nothing(model: Model, tab: str, words: str) -> list[Row]:
    return [[(cut(f"  {'nothing fits the filter' if model.ui.filters.get(tab) else words}", 60), "dim")]]

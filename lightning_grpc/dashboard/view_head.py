"""The lines around the boxes: who the app is and how it fares, what the keys do, what is being typed."""

from __future__ import annotations

from lightning_grpc.dashboard.cells import Row, clean, cut, row_width, width_of
from lightning_grpc.dashboard.controls import candidates
from lightning_grpc.dashboard.document import stage_of
from lightning_grpc.dashboard.figures import count, duration, rate, share, size
from lightning_grpc.dashboard.model import Data, Model, Note
from lightning_grpc.dashboard.theme import stage_glyph

_STUCK_S = 1.0  # a run of the Flow that takes longer is told of
_TOLD_S = 1.0  # of what lasts longer, it is told how long

KEYS = (
    ("↑ ↓  k j", "move; PgUp PgDn, g G for the first and the last"),
    ("← →  h", "fold and unfold a component or a value; leave and enter the detail"),
    ("enter", "go into the selected component; zoom a list; fill in a command"),
    ("tab", "between the tree and the detail"),
    ("z", "zoom the detail, and back"),
    ("v d l c", "state (values), deltas, logs, calls of what is selected"),
    ("w t m", "runs of the Flow and why, schedules (timers), commands; 1 to 7 are the same"),
    ("/", "filter the tree, or the list that is in focus; esc clears it"),
    (":", "jump to a component; tab completes"),
    ("p", "pause: the screen stays as it is, and what comes is kept"),
    ("s", "stop the selected Work; asks first"),
    ("r", "run a command: NAME ARGUMENT=VALUE ...; tab completes"),
    ("esc", "back: out of a prompt, a filter, the zoom"),
    ("?", "this help"),
    ("q", "leave; the app goes on, unless `run app --dashboard` has started it"),
)
"""What the keys do, for the help and for the documentation."""

_HINTS = (
    ("?", "help"),
    ("q", "quit"),
    ("tab", "focus"),
    ("/", "filter"),
    (":", "jump"),
    ("p", "pause"),
    ("s", "stop Work"),
    ("r", "run command"),
    ("z", "zoom"),
)
"""Those that matter most first: as many as there is room for are shown."""


def header(model: Model) -> list[Row]:
    """Return the two lines at the top."""
    data, width = model.shown, model.width
    if data.app is None:
        return [[(" lightning-grpc dashboard", "name")], _connection(model)]
    stage = stage_of(data)
    if data.connection.state != "live":
        stage = {"lost": "unreachable", "ended": "stopped"}.get(data.connection.state, stage)
    if data.connection.state == "ended" and stage_of(data) == "failed":
        stage = "failed"
    glyph, style = stage_glyph(stage)
    name = clean(data.work or data.app.name).rpartition("/")[2] or "app"
    first: Row = [
        (" ", ""),
        (cut(name, max(10, width // 4)), "name"),
        ("  ", ""),
        (f"{glyph} {stage}", style),
        ("  up ", "dim"),
        (duration(max(0.0, model.shown_at_s - data.app.started_at_s)), ""),
        ("  rev ", "dim"),
        (count(data.revision), "number"),
    ]
    first += _rates(data)
    address = clean(data.address)
    room = width - row_width(first) - 2
    if room >= 12:
        address = cut(address, room)
        first.append((" " * (room - width_of(address) + 1) + address, "dim"))
    return [first, _connection(model) if data.connection.state != "live" or model.held else _last_run(model)]


def _rates(data: Data) -> Row:
    total = data.total
    row: Row = [("  ", ""), (rate(total.rate), "number"), (" Δ/s", "dim")]
    if not data.work:
        row += [("  ", ""), (rate(data.runs_rate), "number"), (" runs/s", "dim")]
    return [
        *row,
        ("  cpu ", "dim"),
        (share(total.cpu_share), "number"),
        ("  mem ", "dim"),
        (size(total.memory_bytes), "number"),
    ]


def _connection(model: Model) -> Row:
    connection = model.data.connection
    since = duration(max(0.0, model.now_s - connection.since_s))
    if connection.state == "ended":
        return [(f" ■ ended: {clean(connection.reason)}. This is its last state; q leaves. ", "notice")]
    if connection.state == "played":
        return [(f" ■ {clean(connection.reason)}; q leaves. ", "notice")]
    if connection.state == "lost":
        words = f" ? connection lost {since} ago, trying again: {clean(connection.reason)} "
        return [(words, "alarm")]
    if model.held is not None:
        behind = model.data.revision - model.held.revision
        return [(f" ‖ paused at revision {model.held.revision}; {behind} have come since. p goes on. ", "notice")]
    return [(" ○ connecting ...", "dim")]


def _last_run(model: Model) -> Row:
    data = model.shown
    metrics = data.metrics
    if data.work:
        return [(" a Work by itself", "dim")]
    if metrics is not None and metrics.under_way_s is not None and metrics.under_way_s > _STUCK_S:
        words = f" the Flow's run is under way since {duration(metrics.under_way_s)}; nothing else is coordinated "
        return [(words, "alarm")]
    if not data.runs:
        return [(" the Flow has not run yet", "dim")]
    run = data.runs[-1]
    causes = "; ".join(clean(str(cause)) for cause in run.causes)
    return [
        (" run ", "dim"),
        (f"{run.number:,}", "number"),
        (" took ", "dim"),
        (duration(run.took_s), "number"),
        (", suspended by a blocking call" if run.suspended else "", "wait"),
        ("  because ", "dim"),
        (causes, ""),
    ]


def footer(model: Model) -> Row:
    """Return the line at the bottom: a question, what is typed, a note, or what the keys do."""
    ui, width = model.ui, model.width
    if ui.confirm:
        return [
            (f" Stop {clean(ui.confirm)}? Its process ends, for good. ", "alarm"),
            ("  y ", "key"),
            ("stops it, any other key does not", ""),
        ]
    if ui.prompt is not None:
        sign = {"filter": "/", "jump": ":", "command": "run> "}[ui.prompt.kind]
        typed = clean(ui.prompt.text)
        if width_of(typed) > width // 2:
            typed = "…" + typed[-(width // 2) :]
        row: Row = [(f" {sign}", "key"), (typed, "bold"), (" ", "select")]
        found = candidates(model, ui.prompt)
        if found:
            row.append((f"  {'  '.join(map(clean, found[:8]))}{'  …' if len(found) > 8 else ''}", "dim"))
        return row
    if ui.note is not None:
        return _note(ui.note, model.now_s)
    hints: Row = []
    for key, what in _HINTS:
        hint: Row = [(f" {key}", "key"), (f" {what} ", "dim")]
        if row_width([*hints, *hint]) <= width:
            hints += hint
    return hints


def _note(note: Note, now_s: float) -> Row:
    if note.is_under_way:
        lasts_s = now_s - note.at_s
        glyph, style, tail = "◔", "wait", f" {duration(lasts_s)}" if lasts_s >= _TOLD_S else ""
    else:
        glyph, style = ("✗", "bad") if note.is_error else ("✓", "good")
        tail = ""
    return [(f" {glyph} ", style), (clean(note.text.replace("\n", "  ")), style), (tail, "dim")]


def help_rows() -> list[Row]:
    """Return the lines of the help."""
    return [[(f"{keys:<11}", "key"), (what, "")] for keys, what in KEYS]

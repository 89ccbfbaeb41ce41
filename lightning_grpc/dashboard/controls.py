"""What keys do: the whole of the dashboard's behaviour, one function of a model and an event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lightning_grpc.dashboard.events import Event, KeyPressed, Noted, Quit, Resized, RunCommand, StopWork, Ticked, Wish
from lightning_grpc.dashboard.model import MAX_OUTCOME, NOTE_S, TABS, TAILS, Model, Note, Outcome, Prompt, Ui
from lightning_grpc.dashboard.reduce import take_in
from lightning_grpc.dashboard.rows import ValueRow, tab_rows, tree_rows

Step = tuple[Model, tuple[Wish, ...]]

_NOTHING: tuple[Wish, ...] = ()
_WHERE = " (m shows where)"
_TAB_KEYS = {
    "v": "state",
    "d": "deltas",
    "l": "logs",
    "c": "calls",
    "w": "runs",
    "t": "schedules",
    "m": "commands",
    **{str(number): tab for number, tab in enumerate(TABS, 1)},
}
_STEPS = {"up": -1, "k": -1, "down": 1, "j": 1}
_PAGES = {"pageup": -1, "pagedown": 1}
_FIRST, _LAST = frozenset({"home", "g"}), frozenset({"end", "G"})
_MOVES = frozenset({*_STEPS, *_PAGES, *_FIRST, *_LAST})
_LONGEST_PROMPT = 500
_RECORDED = "this is a recording: it cannot be changed"


def step(model: Model, event: Event) -> Step:
    """Return the model after an event, and what is wanted of the world; the same model if nothing has changed.

    Args:
        model: The model before.
        event: What has happened.
    """
    match event:
        case KeyPressed():
            after, wishes = _key(replace(model, now_s=max(model.now_s, event.at_s)), event.key)
            return after, wishes
        case Ticked():
            return replace(model, now_s=event.at_s, ui=_without_old_note(model.ui, event.at_s)), _NOTHING
        case Resized():
            return replace(model, width=event.width, height=event.height), _NOTHING
        case Noted():
            return _told(model, event), _NOTHING
        case _:
            data = take_in(model.data, event)
            if data is model.data:
                return model, _NOTHING
            return replace(model, data=data, now_s=max(model.now_s, event.at_s)), _NOTHING


def _told(model: Model, event: Noted) -> Model:
    text = event.text
    if event.command:
        model = _with(model, outcome=Outcome(event.command, event.at_s, _bounded(text), event.is_error))
        text, _, more = text.partition("\n")  # the rest is below the commands
        if more:
            room = max(20, model.width - len(_WHERE) - 4)
            text = (text if len(text) <= room else f"{text[: room - 1]}…") + _WHERE
    return _with(model, note=Note(text, event.at_s, event.is_error, event.is_under_way))


def _bounded(text: str) -> str:
    """Return the begin of a text, and how much more there was."""
    left_out = len(text) - MAX_OUTCOME
    return text if left_out <= 0 else f"{text[:MAX_OUTCOME]} … {left_out:,} characters more"


def _without_old_note(ui: Ui, now_s: float) -> Ui:
    if ui.note is not None and not ui.note.is_under_way and now_s - ui.note.at_s > NOTE_S:
        return replace(ui, note=None)
    return ui


def _noted(model: Model, text: str, at_s: float, *, is_error: bool = False) -> Model:
    return _with(model, note=Note(text, at_s, is_error))


def _with(model: Model, **changes: object) -> Model:
    return replace(model, ui=replace(model.ui, **changes))  # type: ignore[arg-type]


def _key(model: Model, key: str) -> Step:
    ui = model.ui
    if key == "ctrl-c":
        return model, (Quit(is_interrupt=True),)
    if ui.prompt is not None:
        return _typed(model, ui.prompt, key)
    if ui.confirm:
        wishes: tuple[Wish, ...] = (StopWork(ui.confirm),) if key in ("y", "Y") else ()
        after = _with(model, confirm="")
        return (after if wishes else _noted(after, f"{ui.confirm} goes on", model.now_s)), wishes
    if ui.help:
        return _with(model, help=False), _NOTHING
    if key == "q" or (key == "esc" and model.data.connection.is_over and not _is_narrowed(ui)):
        return model, (Quit(),)
    return _command_key(model, key), _NOTHING


def _command_key(model: Model, key: str) -> Model:
    act = _ACTS.get(key)
    if act is not None:
        return act(model)
    if key in _MOVES:
        return _moved(model, key)
    if key in ("left", "h", "right", "l", "enter", "space"):
        folded = _folded_in_tree(model, key) if model.ui.focus == "tree" else _folded_in_detail(model, key)
        if folded is not None:
            return folded
    if key in _TAB_KEYS:
        return _with(model, tab=_TAB_KEYS[key])
    return model


def _refocused(model: Model) -> Model:
    return _with(model, focus="tree" if model.ui.focus == "detail" else "detail")


def _zoomed(model: Model) -> Model:
    return _with(model, zoomed=not model.ui.zoomed, focus="tree" if model.ui.zoomed else "detail")


def _paused(model: Model) -> Model:
    if model.held is not None:
        return replace(model, held=None)
    return replace(model, held=model.data, held_at_s=model.now_s)


def _asking_for_a_filter(model: Model) -> Model:
    return _with(model, prompt=Prompt("filter", model.ui.filters.get(_filtered(model.ui), "")))


def _escaped(model: Model) -> Model:
    """Return the model without the newest thing that narrows the view."""
    ui = model.ui
    if ui.zoomed:
        return _with(model, zoomed=False, focus="tree")
    if ui.filters.get(_filtered(ui)):
        return _with(model, filters={**ui.filters, _filtered(ui): ""})
    return _with(model, focus="tree", note=None)


def _is_narrowed(ui: Ui) -> bool:
    """Tell whether there is something to go back from."""
    return ui.zoomed or ui.focus == "detail" or bool(ui.filters.get(_filtered(ui)))


def _filtered(ui: Ui) -> str:
    return "tree" if ui.focus == "tree" else ui.tab


# Moving about.


def _move(key: str, at: int, last: int, page: int) -> int:
    if key in _FIRST:
        return 0
    if key in _LAST:
        return last
    return at + _STEPS.get(key, 0) + page * _PAGES.get(key, 0)


def _page(model: Model) -> int:
    return max(1, model.height // 2 - 4)


def _moved(model: Model, key: str) -> Model:
    ui = model.ui
    if ui.focus == "tree":
        rows = tree_rows(model)
        if not rows:
            return model
        names = [each.name for each in rows]
        at = names.index(ui.selected) if ui.selected in names else 0
        at = max(0, min(len(rows) - 1, _move(key, at, len(rows) - 1, _page(model))))
        return _selected(model, names[at])
    found = tab_rows(model)
    last = len(found) - 1
    if ui.tab in TAILS:
        numbers = [each.number for each in found]
        anchor = ui.anchors.get(ui.tab)
        at = last if anchor is None else max((index for index, each in enumerate(numbers) if each <= anchor), default=0)
        least = 0 if key in _STEPS else min(_page(model), last)  # a page is not left for less than one
        at = max(least, min(last, _move(key, at, last, _page(model))))
        return _with(model, anchors={**ui.anchors, ui.tab: None if at >= last else numbers[at]})
    at = max(0, min(last, _move(key, min(ui.cursors.get(ui.tab, 0), last), last, _page(model))))
    return _with(model, cursors={**ui.cursors, ui.tab: at})


def _selected(model: Model, name: str) -> Model:
    if name == model.ui.selected:
        return model
    cursors = {tab: at for tab, at in model.ui.cursors.items() if tab not in ("state", "calls")}
    return _with(model, selected=name, cursors=cursors, anchors={})


def _folded_in_tree(model: Model, key: str) -> Model | None:
    """Fold, unfold or enter the selected component; None if there is nothing of the kind."""
    ui = model.ui
    if key in ("right", "l", "space") and ui.selected in ui.folded:
        return _with(model, folded=ui.folded - {ui.selected})
    if key in ("left", "h", "space"):
        return _fold_component(model)
    return _with(model, focus="detail") if key in ("right", "enter") else None


def _folded_in_detail(model: Model, key: str) -> Model | None:
    """Fold, unfold or enter the row under the cursor; None if there is nothing of the kind."""
    ui = model.ui
    if ui.tab == "commands" and key == "enter":
        return _fill_in_a_command(model)
    if ui.tab == "state":
        return _folded_value(model, key)
    if key in ("left", "h"):
        return _with(model, focus="tree", zoomed=False)
    return _with(model, zoomed=not ui.zoomed) if key == "enter" else None


def _folded_value(model: Model, key: str) -> Model | None:
    ui, rows = model.ui, tab_rows(model)
    row: ValueRow | None = rows[max(0, min(len(rows) - 1, ui.cursors.get("state", 0)))] if rows else None
    if row is not None and row.is_container:
        if not row.is_open and key not in ("left", "h"):
            return _with(model, unfolded=ui.unfolded | {row.path})
        if row.is_open and key not in ("right", "l"):
            return _with(model, unfolded=ui.unfolded - {row.path})
    if key not in ("left", "h"):
        return None
    if row is not None and row.depth:
        above = next(index for index, each in enumerate(rows) if each.path == row.path[:-1])
        return _with(model, cursors={**ui.cursors, "state": above})
    return _with(model, focus="tree", zoomed=False)


def _fold_component(model: Model) -> Model:
    component = model.component()
    if component is None:
        return model
    has_children = any(each.name.startswith(f"{component.name}.") for each in model.shown.components)
    if has_children and component.name not in model.ui.folded and component.depth:
        return _with(model, folded=model.ui.folded | {component.name})
    above = component.name.rpartition(".")[0]
    return _selected(model, above) if above and component.depth else model


# Asking.


def _ask_to_stop(model: Model) -> Model:
    if model.is_replay:
        return _noted(model, _RECORDED, model.now_s, is_error=True)
    component = model.component()
    if component is None or component.kind != "work":
        return _noted(model, "s stops a Work: select one first", model.now_s, is_error=True)
    if model.data.connection.state != "live":
        return _noted(model, "the app is not connected", model.now_s, is_error=True)
    return _with(model, confirm=component.name)


def _ask_for_a_command(model: Model) -> Model:
    if model.is_replay:
        return _noted(model, _RECORDED, model.now_s, is_error=True)
    if not model.data.commands:
        return _noted(model, "the app offers no commands", model.now_s, is_error=True)
    return _with(model, prompt=Prompt("command"))


def _fill_in_a_command(model: Model) -> Model:
    """Ask for the command under the cursor, with the first thing that it needs."""
    asking, rows = _ask_for_a_command(model), tab_rows(model)
    if asking.ui.prompt is None or not rows:
        return asking
    chosen = rows[max(0, min(len(rows) - 1, model.ui.cursors.get("commands", 0)))]
    text = " ".join([chosen.name, *(f"{each.name}=" for each in chosen.parameters if each.required)][:2])
    return _with(model, prompt=Prompt("command", text))


def _typed(model: Model, prompt: Prompt, key: str) -> Step:
    ui = model.ui
    if key == "enter":
        return _entered(model, prompt)
    if key == "esc":
        filters = {**ui.filters, _filtered(ui): ""} if prompt.kind == "filter" else ui.filters
        return _with(model, prompt=None, filters=filters), _NOTHING
    if key == "tab" and prompt.kind != "filter":
        text = _completed(model, prompt)
    elif key == "backspace":
        text = prompt.text[:-1]
    elif key == "ctrl-u":
        text = ""
    elif key == "ctrl-w":
        text = prompt.text.rstrip().rpartition(" ")[0]
    else:
        typed = " " if key == "space" else key
        text = prompt.text + typed if len(typed) == 1 and typed.isprintable() else prompt.text
    text = text[:_LONGEST_PROMPT]
    after = _with(model, prompt=Prompt(prompt.kind, text))
    if prompt.kind == "filter":
        after = _with(after, filters={**ui.filters, _filtered(ui): text})
    return after, _NOTHING


def candidates(model: Model, prompt: Prompt) -> list[str]:
    """Return what a prompt's text may become."""
    text = prompt.text.lower()
    if prompt.kind == "jump":
        names = [each.name for each in model.shown.components]
        return [name for name in names if is_meant(text, name.lower())]
    if prompt.kind == "command":
        return [each.name for each in model.data.commands or () if each.name.lower().startswith(text)]
    return []


def is_meant(text: str, name: str) -> bool:
    """Tell whether a name has the parts of a text, in their order.

    Example:
        >>> is_meant("team.0", "root.team.trainers.0"), is_meant("0.team", "root.team.trainers.0")
        (True, False)
    """
    at = 0
    for part in text.split("."):
        at = name.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True


def _completed(model: Model, prompt: Prompt) -> str:
    found = candidates(model, prompt)
    if not found:
        return prompt.text
    if len(found) == 1:
        return found[0] + (" " if prompt.kind == "command" else "")
    length = min(map(len, found))
    same = next((at for at in range(length) if len({name[at] for name in found}) > 1), length)
    return max(prompt.text, found[0][:same], key=len)


def _entered(model: Model, prompt: Prompt) -> Step:
    closed = _with(model, prompt=None)
    if prompt.kind == "jump":
        found = candidates(model, prompt)
        if not found:
            return _noted(closed, f"there is no component like {prompt.text!r}", model.now_s, is_error=True), _NOTHING
        last = prompt.text.rpartition(".")[2]
        exact = [name for name in found if name == prompt.text or name.endswith(f".{last}")]
        name = (exact or found)[0]
        shown = frozenset(each for each in model.ui.folded if not name.startswith(f"{each}."))
        jumped = _with(closed, folded=shown, focus="tree", filters={**model.ui.filters, "tree": ""})
        return _selected(jumped, name), _NOTHING
    if prompt.kind == "command" and prompt.text.strip():
        return closed, (RunCommand(prompt.text.strip()),)
    return closed, _NOTHING


_ACTS: dict[str, Callable[[Model], Model]] = {
    "?": lambda model: _with(model, help=True),
    "esc": _escaped,
    "tab": _refocused,
    "shift-tab": _refocused,
    "z": _zoomed,
    "p": _paused,
    "/": _asking_for_a_filter,
    ":": lambda model: _with(model, prompt=Prompt("jump")),
    "r": _ask_for_a_command,
    "s": _ask_to_stop,
}

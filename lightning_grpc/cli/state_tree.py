"""A state as a tree of lines on the terminal."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.text import Text
from rich.tree import Tree

from lightning_grpc.cli.output import data_console, key_text
from lightning_grpc.dashboard.cells import clean

_LONGEST = 100  # characters of a value on its line


def print_tree(title: str, value: Any) -> None:
    """Print a value, such as a part of an app's document, below a title; each item on one line.

    On a terminal, a line that is too long for it ends with an ellipsis. Keys may be any text: what is not printable in
    them is escaped, so that they move nothing on the screen.
    """
    tree = Tree(_label(f"[bold]{_plain(title)}[/bold]"))
    _grow(tree, value)
    data_console().print(tree, highlight=False)


def _grow(tree: Tree, value: Any) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            named = f"[cyan]{_plain(key_text(key))}[/cyan]"
            if isinstance(item, dict) and item:
                _grow(tree.add(_label(named)), item)
            elif item != {} or key not in ("vars", "calls", "flows", "works", "structures", "changes"):
                tree.add(_label(f"{named}: {escape(_line(item))}"))
    elif value is not None or not tree.children:
        tree.add(_label(escape(_line(value))))


def _label(markup: str) -> Text:
    label = Text.from_markup(markup, overflow="ellipsis", emoji=False)
    label.no_wrap = True
    return label


def _plain(text: str) -> str:
    return escape(clean(text))


def _line(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python prints no integer of more than some thousand digits
        text = "an integer of very many digits"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."

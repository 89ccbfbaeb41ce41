"""A state as a tree of lines on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

_LONGEST = 100  # characters of a value on its line


def print_tree(title: str, value: Any) -> None:
    """Print a value, such as a part of an app's document, below a title."""
    tree = Tree(f"[bold]{escape(title)}[/bold]")
    _grow(tree, value)
    Console(highlight=False).print(tree, soft_wrap=True)


def _grow(tree: Tree, value: Any) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, dict) and item:
                _grow(tree.add(f"[cyan]{escape(str(key))}[/cyan]"), item)
            elif item != {} or key not in ("vars", "calls", "flows", "works", "structures", "changes"):
                tree.add(f"[cyan]{escape(str(key))}[/cyan]: {escape(_line(item))}")
    elif value is not None or not tree.children:
        tree.add(escape(_line(value)))


def _line(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python prints no integer of more than some thousand digits
        text = "an integer of very many digits"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."

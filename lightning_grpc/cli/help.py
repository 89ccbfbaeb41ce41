"""How ``--help`` looks: the commands in panels, and below the options of each, examples that can be copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rich_click as click

from lightning_grpc.cli.output import PROGRAM

click.rich_click.TEXT_MARKUP = "markdown"
click.rich_click.COMMAND_GROUPS = {
    PROGRAM: [
        {"name": "Run", "commands": ["init", "run", "stop"]},
        {"name": "Look", "commands": ["ps", "dashboard", "state", "works", "logs", "why", "commands", "open"]},
        {"name": "Set up and check", "commands": ["doctor", "check", "tls", "completion"]},
    ]
}

EXIT_CODES = """Exit codes: 0 it was done, or the app was stopped by its Flow; 1 it failed, or the app did; 2 the
command line is wrong, or means what is not there; 130 Ctrl-C ended it; 141 nobody read what it printed; 143 SIGTERM
ended it."""

Example = tuple[str, str]
"""What follows ``lightning-grpc`` on a line, and what that does."""


class Command(click.RichCommand):
    """A command whose help ends with examples.

    Args:
        examples: What follows the program's name on a line, and what that does.
    """

    def __init__(self, *args: Any, examples: Sequence[Example] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, and then what the base class does."""
        formatter.write(_panel(self.examples))
        super().format_epilog(ctx, formatter)


class Group(click.RichGroup):
    """A group of commands whose help ends with examples; see `Command`."""

    def __init__(self, *args: Any, examples: Sequence[Example] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, and then what the base class does."""
        formatter.write(_panel(self.examples))
        super().format_epilog(ctx, formatter)


def _panel(examples: Sequence[Example]) -> Any:
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column(overflow="fold", style="dim")
    for line, words in examples:
        table.add_row(Text(f"{PROGRAM} {line}", style="cyan"), Text(words))
    return Panel(table, title="Examples", title_align="left", border_style="dim")

"""``lightning-grpc works``: how the Works of the running app fare."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import rich_click as click

from lightning_grpc.cli.amounts import mebibytes, milliseconds
from lightning_grpc.cli.connection import app_option, connect, find_app, json_option, telling_errors
from lightning_grpc.cli.help import Command
from lightning_grpc.cli.output import can_show, is_movable, print_json, print_table, say, schema
from lightning_grpc.cli.progress import waiting_for
from lightning_grpc.dashboard.cells import clean

if TYPE_CHECKING:
    from lightning_grpc.service.app_client import AppClient
    from lightning_grpc.service.descriptions import WorkDescription
    from lightning_grpc.service.finding import Target

_LOOK_S = 0.5
_SHOW_CURSOR = "\x1b[?25h"
_GLYPHS = {
    "not_started": ("○", "o", "dim"),
    "started": ("◌", ".", "cyan"),
    "pending": ("◌", ".", "cyan"),
    "running": ("●", "*", "green"),
    "succeeded": ("✓", "+", "green"),
    "failed": ("✗", "x", "red"),
    "stopped": ("■", "#", "yellow"),
    "unreachable": ("?", "?", "red"),
}
"""Of each stage: its sign, the same for a terminal that has no such letters, and its colour."""


@dataclass(frozen=True)
class Look:
    """The Works of an app as of one look at them.

    Attributes:
        revision: The newest revision of the app's state.
        works: How each fares.
        memory_bytes: What the process of each takes, as far as the app knows it.
    """

    revision: int
    works: tuple[WorkDescription, ...]
    memory_bytes: tuple[int | None, ...]


@click.command(
    cls=Command,
    examples=[
        ("works", "how they fare"),
        ("works --watch", "the same, again and again"),
        ("works --json", "for programs"),
    ],
)
@click.option("--watch", is_flag=True, help="Look twice a second, until the app ends.")
@json_option
@app_option
def works(watch: bool, as_json: bool, app: str | None) -> None:
    """List the Works of the running app, with how they fare.

    Of each: its status, how many runs have succeeded, the newest revision of its state and how old that was when the
    app saw it, its process with the memory it takes, and its address.
    """
    with telling_errors():
        target = find_app(app)
        with connect(target) as client:
            with waiting_for(f"{target.name} to answer"):
                found = look(client)
            if watch:
                _watch(client, target, found, as_json)
            elif as_json:
                print_json(_as_json(target, found), indented=True)
            elif not found.works:
                say(f"{target.name} has no Works.")
            else:
                print_table(table(found.works, found.memory_bytes))


def look(client: AppClient) -> Look:
    """Return how the Works of an app fare now."""
    works, metrics = tuple(client.works()), client.metrics(runs=0)
    usages = [metrics.usages.get(work.name) for work in works]
    return Look(metrics.revision, works, tuple(usage.memory_bytes if usage else None for usage in usages))


def _watch(client: AppClient, target: Target, found: Look, as_json: bool) -> None:
    """Show them until the app ends: on a terminal in place, else whenever something has changed."""
    from lightning_grpc.errors import AppEndedError

    try:
        if as_json or not is_movable():
            _watch_lines(client, target, found, as_json)
        else:
            _watch_screen(client, found)
    except AppEndedError:
        say(f"{target.name} has ended.")


def _watch_lines(client: AppClient, target: Target, found: Look, as_json: bool) -> None:
    shown: tuple[WorkDescription, ...] | None = None
    while True:
        if found.works != shown:
            shown = found.works
            if as_json:
                print_json(_as_json(target, found), indented=False)
            else:
                print_table(table(found.works, found.memory_bytes))
        time.sleep(_LOOK_S)
        found = look(client)


def _watch_screen(client: AppClient, found: Look) -> None:
    from rich.live import Live

    stdout = sys.stdout  # for which Rich puts something else meanwhile
    try:
        with Live(table(found.works, found.memory_bytes), auto_refresh=False) as live:
            while True:
                live.update(table(found.works, found.memory_bytes), refresh=True)
                time.sleep(_LOOK_S)
                found = look(client)
    finally:  # a signal while Rich writes has it forget to
        stdout.write(_SHOW_CURSOR)
        stdout.flush()


def _as_json(target: Target, found: Look) -> dict[str, Any]:
    works = [
        {**asdict(work), "memory_bytes": memory} for work, memory in zip(found.works, found.memory_bytes, strict=True)
    ]
    return schema("works", app=target.name, revision=found.revision, works=works)


def table(works: Sequence[WorkDescription], memory: Sequence[int | None], *, in_ascii: bool | None = None) -> Any:
    """Return what is shown of some Works, as Rich renders it.

    Args:
        works: How they fare.
        memory: The memory of each, in bytes; None where it is not known.
        in_ascii: Whether the signs are to be ASCII; None for what the terminal can show.
    """
    from rich.table import Table
    from rich.text import Text

    ascii_only = not can_show("●✓✗■○◌") if in_ascii is None else in_ascii
    shown = Table(box=None, pad_edge=False)
    for heading in ("name", "status", "runs", "revision", "lag", "pid", "memory", "address"):
        is_number = heading in ("runs", "revision", "lag", "pid", "memory")
        shown.add_column(heading, justify="right" if is_number else "left", overflow="fold", no_wrap=is_number)
    for work, taken in zip(works, memory, strict=True):
        key = "unreachable" if work.reason == "unreachable" else work.stage
        sign, plain, colour = _GLYPHS.get(key, ("?", "?", "dim"))
        reason = f" ({clean(work.reason)})" if work.reason else ""
        shown.add_row(
            Text(clean(work.name)),
            Text(f"{plain if ascii_only else sign} {work.stage}{reason}", style=colour),
            str(work.successes),
            str(work.revision or "-"),
            milliseconds(work.lag_s) if work.revision else "-",
            str(work.pid or "-"),
            "-" if taken is None else mebibytes(taken),
            Text(work.address or "-"),
        )
    return shown

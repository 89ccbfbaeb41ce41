"""``lightning-grpc doctor``: looks at what apps need on this machine, and says what would go wrong."""

from __future__ import annotations

from dataclasses import asdict

import rich_click as click

from lightning_grpc import __version__
from lightning_grpc.cli.connection import json_option
from lightning_grpc.cli.help import Command
from lightning_grpc.cli.observations import OK, PROBLEM, WARNING, Observation, worst
from lightning_grpc.cli.output import FAILED, can_show, print_json, print_table, say, schema

_SIGNS = {OK: ("✓", "+", "green"), WARNING: ("!", "!", "yellow"), PROBLEM: ("✗", "x", "red")}


@click.command(
    cls=Command,
    examples=[("doctor", "what would go wrong here"), ("doctor --json", "the same, for programs")],
)
@json_option
def doctor(as_json: bool) -> None:
    """Look at what apps need on this machine: versions, ports, proxies, permissions, limits.

    Ends with 1 if something would go wrong. Nothing is changed.
    """
    from lightning_grpc.cli.examination import examine

    found = list(examine())
    verdict = worst(found)
    if as_json:
        data = schema("doctor", version=__version__, verdict=verdict, observations=[asdict(each) for each in found])
        print_json(data, indented=True)
    else:
        _print(found)
        say({OK: "All is well.", WARNING: "Apps run here.", PROBLEM: "Something would go wrong."}[verdict])
    if verdict == PROBLEM:
        raise SystemExit(FAILED)


def _print(observations: list[Observation]) -> None:
    from rich.table import Table
    from rich.text import Text

    column = 0 if can_show("".join(signs[0] for signs in _SIGNS.values())) else 1
    table = Table.grid(padding=(0, 2))
    for each in observations:
        sign, style = _SIGNS[each.verdict][column], _SIGNS[each.verdict][2]
        words = Text(each.found)
        if each.advice:
            words.append(f"\n{each.advice}", style="bold")
        table.add_row(Text(f"{sign} {each.verdict}", style=style), Text(each.name), words)
    print_table(table)

"""The commands of a running app: listed, found by name, called, and their results printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

import rich_click as click

from lightning_grpc.cli.command_options import make_command
from lightning_grpc.cli.connection import connect, find_app, telling_errors
from lightning_grpc.cli.output import print_json, print_table, say, schema
from lightning_grpc.cli.progress import waiting_for
from lightning_grpc.errors import ConfigurationError
from lightning_grpc.service.app_client import AppClient
from lightning_grpc.service.commands import CommandDescription, canonical, usage
from lightning_grpc.service.finding import Target
from lightning_grpc.state.values import Value

DEADLINE_S = 60.0
"""How long the app may take to get to a command, and to execute it."""


def list_commands(app: str | None, *, as_json: bool) -> None:
    """Print the commands of a running app.

    Args:
        app: Its name or address; None for the only one that runs.
        as_json: Whether to print JSON instead of a table.
    """
    with telling_errors(), connect(find_app(app), DEADLINE_S) as client, waiting_for(f"{client.address} to answer"):
        commands = client.commands()
    if as_json:
        print_json([_as_json(each) for each in commands], indented=True)
    elif not commands:
        say("The app offers no commands. How a Flow offers some: configure_commands, in docs/commands.md")
    else:
        _print_table(commands)


def resolve(ctx: click.Context, args: Sequence[str], built_in: Sequence[str]) -> tuple[click.Command, list[str]]:
    """Find the command of the running app that a command line begins with.

    Args:
        ctx: What the connection to the app lives as long as.
        args: The command line; the command's name may be several words of it.
        built_in: The names of the commands of the command line itself.

    Returns:
        The command, and what follows its name.

    Raises:
        UsageError: There is no such command, or no app that could have it.
    """
    app, line = _take_app(list(args))
    try:
        target = find_app(app)
    except ConfigurationError as error:
        raise click.UsageError(
            f"No such command '{args[0]}': lightning-grpc itself has {', '.join(built_in)}, and no app could be asked "
            f"for it: {error}"
        ) from None
    with telling_errors():
        client = ctx.with_resource(connect(target, DEADLINE_S))
        commands = {canonical(each.name): each for each in client.commands()}
    words = next((index for index, word in enumerate(line) if word.startswith("-")), len(line))
    for count in range(words, 0, -1):
        found = commands.get(canonical(" ".join(line[:count])))
        if found is not None:
            return _command(found, client, target), line[count:]
    raise click.UsageError(_unknown(line[0], built_in, [each.name for each in commands.values()]))


def print_result(value: Value, *, as_json: bool) -> None:
    """Print what a command has returned: a text as it is, None not at all."""
    if as_json:
        print_json(value)
    elif isinstance(value, str):
        print(value)
    elif value is not None:
        if sys.stdout.isatty():
            import rich

            rich.print(value)
        else:
            print(value)


def _command(description: CommandDescription, client: AppClient, target: Target) -> click.Command:
    def call(arguments: dict[str, Value], as_json: bool) -> None:
        with telling_errors(), waiting_for(description.name):
            result = client.run_command(description.name, **arguments)
        print_result(result, as_json=as_json)

    if not description.client_source:
        return make_command(description, call)
    from lightning_grpc.cli.client_part import make_client_command

    if target.entry is None or not target.address.startswith("unix:"):
        raise click.UsageError(
            f"The command '{description.name}' has a part that is executed here, whose source would come from "
            f"{target.address}. That is done only for an app of your own that is found in the registry: give its name, "
            f"or no --app. The part in the app can be called from Python: AppClient({target.address!r}, token=...)"
            f".run_command({description.name!r}, ...)"
        )

    def show(work: Callable[[], Any], as_json: bool) -> None:
        with telling_errors():
            result = work()
        print_result(result, as_json=as_json)

    return make_client_command(description, lambda given: client.run_command(description.name, **given), show)


def _take_app(args: list[str]) -> tuple[str | None, list[str]]:
    """Return the value of ``--app`` on a command line, and the line without it."""
    app, rest = _take_first_app(args)
    if app is not None and _take_first_app(rest)[0] is not None:
        raise click.UsageError("--app is given twice; one command goes to one app")
    return app, rest


def _take_first_app(args: list[str]) -> tuple[str | None, list[str]]:
    for index, word in enumerate(args):
        if word == "--":
            break
        if word.startswith("--app="):
            return word.removeprefix("--app="), args[:index] + args[index + 1 :]
        if word == "--app":
            if index + 1 == len(args):
                raise click.UsageError("--app takes the name or the address of an app")
            return args[index + 1], args[:index] + args[index + 2 :]
    return None, args


def _unknown(name: str, built_in: Sequence[str], offered: Sequence[str]) -> str:
    there = f"the running app offers {', '.join(offered)}" if offered else "the running app offers none"
    similar = get_close_matches(name, [*built_in, *offered], n=1)
    advice = f" Did you mean {similar[0]}?" if similar else ""
    return f"No such command '{name}': lightning-grpc itself has {', '.join(built_in)}, and {there}.{advice}"


def _line(command: CommandDescription) -> str:
    """Return how a command is written; what a client's part takes is known when it is executed only."""
    return f"{command.name} ... (see --help)" if command.client_source else usage(command)


def _as_json(command: CommandDescription) -> dict[str, Any]:
    return schema(
        "command",
        name=command.name,
        description=command.description,
        flow=command.flow,
        usage=_line(command),
        has_client_part=bool(command.client_source),
        parameters=[
            {
                "name": each.name,
                "type": each.type,
                "required": each.required,
                "default": each.default,
                "annotation": each.annotation,
                "item_type": each.item_type,
                "json_schema": json.loads(each.json_schema) if each.json_schema else None,
            }
            for each in command.parameters
        ],
    )


def _print_table(commands: Sequence[CommandDescription]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table("command", "what it does", "Flow", box=box.SIMPLE_HEAD)
    for each in commands:
        table.add_row(Text(_line(each)), Text(each.description.partition("\n")[0]), Text(each.flow))
    print_table(table)

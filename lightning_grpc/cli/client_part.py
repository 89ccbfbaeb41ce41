"""The part of an app's command that is executed on the caller's side.

Its source comes from the app. It is executed only for an app of the same user that was found in the registry, which
nobody else can write to: whoever runs that app could have executed the same code anyway.
"""

from __future__ import annotations

import inspect
import linecache
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import rich_click as click

from lightning_grpc.cli.command_options import make_command
from lightning_grpc.errors import LightningGrpcError
from lightning_grpc.service.client_command import BOUND_AS, ClientCommand, Invoke
from lightning_grpc.service.commands import CommandDescription, canonical
from lightning_grpc.service.parameters import read
from lightning_grpc.state.values import Value

Show = Callable[[Callable[[], Any], bool], None]
"""Does the work, and prints its result, as JSON if so told."""

FAILED = 1


def make_client_command(description: CommandDescription, invoke: Invoke, show: Show) -> click.Command:
    """Return the command that executes a client's part.

    Args:
        description: The app's command.
        invoke: Has the app execute its part.
        show: Prints what the client's part returns.
    """
    command = _load(description)
    command._connect(description.name, tuple(each.name for each in description.parameters), invoke)
    signature = inspect.signature(command.run).parameters.values()
    named = [each for each in signature if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]
    if not signature:
        return _with_a_line_of_its_own(description, command, show)
    if not named:
        return make_command(description, lambda given, as_json: show(lambda: _run(command, given), as_json))
    try:
        parameters = {each.name: read(each, command.run) for each in named}
    except ValueError as error:
        raise click.UsageError(f"The client's part of '{description.name}' {error}") from None

    def call(given: dict[str, Value], as_json: bool) -> None:
        try:
            arguments = {name: parameters[name].convert(value) for name, value in given.items()}
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        arguments |= {name: None for name, each in parameters.items() if each.fills_in_none and name not in given}
        show(lambda: _run(command, arguments), as_json)

    about = replace(description, description=inspect.cleandoc(command.run.__doc__ or "") or description.description)
    return make_command(about, call, [each.description for each in parameters.values()])


def _load(description: CommandDescription) -> ClientCommand:
    """Execute the source of a client's part, and return an instance of its class."""
    module = ModuleType(f"lightning_grpc_client_part_{canonical(description.name)}")
    file = f"<client's part of {description.name}>"
    source = description.client_source
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    sys.modules[module.__name__] = module  # where annotations that are strings are looked up
    try:
        code = compile(source, file, "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - see above
        kind = module.__dict__[BOUND_AS]
        command: ClientCommand = kind()
    except Exception as error:
        raise _failure(description, error) from None
    return command


def _run(command: ClientCommand, arguments: dict[str, Any]) -> Any:
    try:
        return command.run(**arguments)
    except LightningGrpcError:
        raise
    except Exception as error:
        traceback.print_exception(type(error), error, error.__traceback__ and error.__traceback__.tb_next)
        print("ERROR: the client's part of the command raised this exception", file=sys.stderr)
        raise SystemExit(FAILED) from None


def _with_a_line_of_its_own(description: CommandDescription, command: ClientCommand, show: Show) -> click.Command:
    """Return a command whose ``run`` reads ``sys.argv`` by itself, ``--help`` included."""

    def run(words: tuple[str, ...]) -> None:
        sys.argv = [f"lightning-grpc {description.name}", *words]
        show(lambda: _run(command, {}), False)

    return click.RichCommand(
        name=description.name,
        callback=run,
        params=[click.Argument(["words"], nargs=-1, type=click.UNPROCESSED)],
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    )


def _failure(description: CommandDescription, error: Exception) -> SystemExit:
    traceback.print_exception(type(error), error, error.__traceback__ and error.__traceback__.tb_next)
    print(f"ERROR: the client's part of {description.name} raised this exception while it was loaded", file=sys.stderr)
    return SystemExit(FAILED)

"""A command as it is typed into the dashboard: its name, then ``argument=value``, quoted as in a shell."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from lightning_grpc.errors import CommandArgumentError, UnknownCommandError
from lightning_grpc.service.commands import CommandDescription
from lightning_grpc.service.parameters import from_text
from lightning_grpc.state.values import Value


def parse(line: str, commands: Sequence[CommandDescription]) -> tuple[str, dict[str, Value]]:
    """Return the name and the arguments of a command.

    Args:
        line: What was typed, such as ``greet name=World times=3``. Names of several words come first.
        commands: Those that there are.

    Raises:
        UnknownCommandError: There is no such command.
        CommandArgumentError: An argument is unknown, missing, or not of the form ``name=value``.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise CommandArgumentError(line.split(maxsplit=1)[0], "", f"cannot be read: {error}", "") from None
    known = {each.name: each for each in commands}
    for length in range(len(words), 0, -1):
        name = " ".join(words[:length])
        if name in known:
            return name, _arguments(known[name], words[length:])
    raise UnknownCommandError(words[0] if words else "", sorted(known))


def _arguments(command: CommandDescription, words: Sequence[str]) -> dict[str, Value]:
    known = {each.name: each for each in command.parameters}
    takes = " ".join(f"{each.name}=" for each in command.parameters)
    usage = f"{command.name} {takes}".rstrip()
    given: dict[str, Value] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or name not in known:
            raise CommandArgumentError(command.name, name, "is none that it takes, in the form name=value", usage)
        try:
            value = from_text(known[name], text)
        except ValueError as error:
            raise CommandArgumentError(command.name, name, str(error), usage) from None
        if known[name].type == "list":
            before = given.get(name)
            given[name] = [*(before if isinstance(before, list) else []), value]
        else:
            given[name] = value
    for each in command.parameters:
        if each.required and each.name not in given:
            raise CommandArgumentError(command.name, each.name, "is missing", usage)
    return given

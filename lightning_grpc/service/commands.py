"""The commands that an app's Flows offer: collected from the tree, described, and executed."""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import (
    CommandArgumentError,
    CommandDefinitionError,
    CommandFailedError,
    InvalidValueError,
    LightningGrpcError,
    UnknownCommandError,
)
from lightning_grpc.service.client_command import ClientCommand, source_of
from lightning_grpc.service.parameters import Parameter, ParameterDescription, as_json_like, read_all
from lightning_grpc.signals import FlowSignal
from lightning_grpc.state.values import Value, copy, validate

__all__ = ["BUILT_IN_NAMES", "CommandDescription", "Commands", "ParameterDescription", "canonical", "usage"]

BUILT_IN_NAMES = frozenset(
    {
        "check",
        "commands",
        "completion",
        "dashboard",
        "doctor",
        "init",
        "logs",
        "open",
        "ps",
        "run",
        "state",
        "stop",
        "tls",
        "why",
        "works",
    }
)
"""The commands of ``lightning-grpc`` itself, which an app's commands cannot be called by."""

_Known = dict[Any, tuple[Parameter, ...]]

_NAME = re.compile(r"\w[\w.:-]*(?: \w[\w.:-]*)*")


@dataclass(frozen=True)
class CommandDescription:
    """What is told of a command.

    Attributes:
        name: Its name.
        description: What it does, for people.
        flow: The Flow that offers it, by its full name.
        parameters: What it takes.
        client_source: The source of its client's part; empty if it has none.
    """

    name: str
    description: str
    flow: str
    parameters: tuple[ParameterDescription, ...] = ()
    client_source: str = ""


class Commands:
    """The commands of an app.

    They are collected anew each time, so that those of Flows that come and go do too.

    Args:
        root: The app's root Flow.

    Threads: That which runs the Flow, between two runs of the root.
    """

    def __init__(self, root: LightningFlow) -> None:
        self._root = root
        self._read: _Known = {}  # reading what pydantic checks takes a while

    def describe(self) -> list[CommandDescription]:
        """Return what every command is and takes, by name.

        Raises:
            CommandDefinitionError: A Flow's ``configure_commands`` cannot be used as it is.
        """
        return [command.describe() for _, command in sorted(self._collect().items())]

    def run(self, name: str, arguments: dict[str, Value]) -> Value:
        """Execute a command and return its result; fresh.

        Args:
            name: Its name.
            arguments: Its arguments, by name.

        Raises:
            UnknownCommandError: There is no such command.
            CommandArgumentError: An argument is missing, unknown, or does not fit; nothing was executed.
            CommandFailedError: It raised an exception, or returned what is no value.
            CommandDefinitionError: A Flow's ``configure_commands`` cannot be used as it is.
        """
        commands = self._collect()
        command = commands.get(canonical(name))
        if command is None:
            raise UnknownCommandError(name, sorted(each.name for each in commands.values()))
        return command.execute(command.convert(arguments))

    def _collect(self) -> dict[str, _Command]:
        """Return the commands of the whole tree by their canonical names."""
        found: dict[str, _Command] = {}
        before, self._read = self._read, {}
        for flow in (self._root, *self._root.flows.values()):
            for name, offered in _offers(flow):
                command = _read(flow, name, offered, before, self._read)
                other = found.setdefault(canonical(name), command)
                if other.method != command.method or type(other.client) is not type(command.client):
                    raise CommandDefinitionError(
                        name,
                        flow.name,
                        f"is the name of two commands: {other.origin} offered by {other.offered_by}, and "
                        f"{command.origin} offered by {command.offered_by}. Rename one of them.",
                    )
        return found


def canonical(name: str) -> str:
    """Return the form of a command's name in which two that are the same to a person are equal."""
    return name.replace(" ", "_")


def usage(description: CommandDescription) -> str:
    """Return how a command is written, such as ``greet --name STR [--times INT]``."""
    words = [description.name]
    for each in description.parameters:
        option = f"--{each.name.replace('_', '-')}"
        if each.type == "bool":
            word = f"{option}/--no-{option[2:]}"
        elif each.type == "list":
            word = f"{option} {(each.item_type or 'str').upper()} ..."
        else:
            word = f"{option} {'JSON' if each.type == 'dict' else each.type.upper()}"
        words.append(word if each.required else f"[{word}]")
    return " ".join(words)


@dataclass(frozen=True)
class _Command:
    """A command as it was found.

    Attributes:
        name: Its name.
        method: What is executed.
        flow: The full name of the Flow whose method that is.
        offered_by: The full name of the Flow that listed it.
        parameters: What the method takes.
        client: Its client's part, if it has one.
    """

    name: str
    method: Callable[..., Any]
    flow: str
    offered_by: str
    parameters: tuple[Parameter, ...]
    client: ClientCommand | None

    @property
    def origin(self) -> str:
        """The method, as people know it."""
        return f"{self.flow}.{getattr(self.method, '__name__', repr(self.method))}"

    def describe(self) -> CommandDescription:
        """Return what is told of the command."""
        source = ""
        if self.client is not None:
            try:
                source = source_of(self.client)
            except ValueError as error:
                raise CommandDefinitionError(self.name, self.offered_by, str(error)) from None
        text = (self.client.description if self.client is not None else "") or self.method.__doc__ or ""
        parameters = tuple(parameter.description for parameter in self.parameters)
        return CommandDescription(self.name, inspect.cleandoc(text), self.flow, parameters, source)

    def convert(self, arguments: dict[str, Value]) -> dict[str, Any]:
        """Return the arguments as the method takes them."""
        known = {parameter.description.name: parameter for parameter in self.parameters}
        for name in arguments:
            if name not in known:
                raise self._refuse(name, "is unknown")
        converted: dict[str, Any] = {}
        for name, parameter in known.items():
            if name in arguments:
                try:
                    converted[name] = parameter.convert(arguments[name])
                except ValueError as error:
                    raise self._refuse(name, str(error)) from None
            elif parameter.description.required:
                raise self._refuse(name, "is missing")
            elif parameter.fills_in_none:
                converted[name] = None
        return converted

    def execute(self, arguments: dict[str, Any]) -> Value:
        """Call the method and return its result; fresh."""
        try:
            result = self.method(**arguments)
        except (FlowSignal, KeyboardInterrupt, SystemExit):
            raise  # these end the app, or suspend what cannot be suspended
        except BaseException as error:
            lines = traceback.format_exception(type(error), error, _users_part(error))
            raise CommandFailedError(self.name, type(error).__qualname__, _text(error), "".join(lines)) from error
        try:
            result = as_json_like(result)
            validate(result)
        except (InvalidValueError, ValueError) as error:
            reason = f"{self.origin} returned what cannot be sent: {error}"
            raise CommandFailedError(self.name, type(error).__qualname__, reason, "") from None
        return copy(result)

    def _refuse(self, argument: str, reason: str) -> CommandArgumentError:
        description = CommandDescription(self.name, "", self.flow, tuple(each.description for each in self.parameters))
        return CommandArgumentError(self.name, argument, reason, usage(description))


def _offers(flow: LightningFlow) -> Iterator[tuple[str, Any]]:
    """Yield the names a Flow lists in ``configure_commands``, with what it lists under them."""
    try:
        listed = flow.configure_commands()
    except LightningGrpcError:
        raise
    except Exception as error:
        raise CommandDefinitionError("", flow.name, f"raised {type(error).__name__}: {_text(error)}") from error
    for each in listed if isinstance(listed, list | tuple) else [listed or {}]:
        if not isinstance(each, dict):
            raise CommandDefinitionError(
                "", flow.name, f"returned {each!r}; it returns a list of dicts, or one dict: name -> method"
            )
        yield from each.items()


def _read(flow: LightningFlow, name: Any, offered: Any, known: _Known, seen: _Known) -> _Command:
    """Read one command that a Flow lists.

    Args:
        flow: The Flow.
        name: The command's name.
        offered: What is listed under it.
        known: What methods take, as far as that was read before.
        seen: The same of this method is put here.
    """

    def wrong(reason: str) -> CommandDefinitionError:
        return CommandDefinitionError(name if isinstance(name, str) else repr(name), flow.name, reason)

    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise wrong("is no name for a command: use letters, digits, '_', '-', '.' or ':', and single spaces")
    if name.split(" ")[0] in BUILT_IN_NAMES:
        raise wrong(f"is hidden by a command of lightning-grpc itself ({', '.join(sorted(BUILT_IN_NAMES))}); rename it")
    client = offered if isinstance(offered, ClientCommand) else None
    method = client.method if client is not None else offered
    if not callable(method) or isinstance(method, type) or method.__hash__ is None:
        raise wrong(f"is {method!r}; a command is a method of a Flow, or a ClientCommand made with one")
    owner = getattr(method, "__self__", None)
    if isinstance(owner, LightningWork):
        raise wrong(f"is a method of the Work {owner.name}, which lives in another process; use a method of a Flow")
    if inspect.iscoroutinefunction(method):
        raise wrong("is a coroutine function; commands are executed between two runs of the root and cannot wait")
    key = (getattr(method, "__func__", method), owner is None)
    try:
        parameters = seen[key] = known.get(key) or read_all(method)
    except ValueError as error:
        raise wrong(str(error)) from None
    home = owner.name if isinstance(owner, LightningFlow) else flow.name
    return _Command(name, method, home, flow.name, parameters, client)


def _users_part(error: BaseException) -> Any:
    """Return the traceback without the frame that called the method."""
    return error.__traceback__.tb_next if error.__traceback__ is not None else None


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "an exception that cannot be printed"

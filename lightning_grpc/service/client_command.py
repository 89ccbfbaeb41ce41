"""`ClientCommand`: a command of an app that has a part on the caller's side."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from lightning_grpc.service.parameters import as_json_like
from lightning_grpc.state.values import Value

BOUND_AS = "__client_command__"
"""The name that the source sent to a client binds to the class."""

Invoke = Callable[[dict[str, Value]], Value]
"""Calls the app's method with arguments, and returns its result."""


class ClientCommand:
    """A command with a part of its own on the side of whoever calls it.

    Derive from it in a file that needs nothing else of the app: that file's source is what a client on the same
    machine gets and executes. Its `run` is called there, and calls the method by `invoke_handler`.

    Args:
        method: What the app executes: a method of a Flow. None on the client's side.

    Example:
        >>> class Greet(ClientCommand):
        ...     def run(self, name: str = "you"):
        ...         print(self.invoke_handler(name=name.title()))

    Source: the API of Lightning Apps 2.3.
    """

    description: str = ""
    """What it does, for people; by default, what the method's docstring says."""

    def __init__(self, method: Callable[..., Any] | None = None) -> None:
        self.method = method
        self.command_name = ""
        self._invoke: Invoke | None = None
        self._parameters: tuple[str, ...] = ()

    def run(self, **arguments: Any) -> Any:
        """Do the client's part; override it.

        If it names parameters, they become the options of the command line. If it takes ``**arguments``, they are
        those of the app's method. If it takes nothing, the command line is left to it, in ``sys.argv``.

        Returns:
            What is to be printed, as of any command; None for nothing.
        """
        return self.invoke_handler(**arguments)

    def invoke_handler(self, config: Any = None, **arguments: Any) -> Value:
        """Have the app execute the method, and return its result.

        Args:
            config: The argument of a method that takes one, whatever its name; may be a pydantic model.
            arguments: Its arguments by name.

        Raises:
            RuntimeError: It is called in the app.
            CommandArgumentError: An argument does not fit.
            CommandFailedError: The method raised an exception.
        """
        if self._invoke is None:
            raise RuntimeError("invoke_handler is for the client's side, where the app's client calls run()")
        if config is not None:
            alone = len(self._parameters) == 1 and not arguments
            arguments[self._parameters[0] if alone else "config"] = config
        return self._invoke({name: as_json_like(value) for name, value in arguments.items()})

    def __call__(self, **arguments: Any) -> Any:
        """Execute the method; in the app."""
        if self.method is None:
            raise RuntimeError("the method of a command is executed in the app; use invoke_handler")
        return self.method(**arguments)

    def _connect(self, command_name: str, parameters: tuple[str, ...], invoke: Invoke) -> None:
        """Prepare it for `run`, on the client's side."""
        self.command_name = command_name
        self._parameters = parameters
        self._invoke = invoke


def source_of(command: ClientCommand) -> str:
    """Return the source of the module that defines a command's class, which binds the class to `BOUND_AS`.

    Raises:
        ValueError: There is no such source, or the class is not at the top level of its module.
    """
    kind = type(command)
    if "." in kind.__qualname__:
        raise ValueError(f"is a {kind.__qualname__}, which has to stand at the top level of its file")
    try:
        with open(inspect.getfile(kind), encoding="utf-8") as file:
            source = file.read()
    except (OSError, TypeError) as error:
        raise ValueError(f"is a {kind.__qualname__}, whose source cannot be found: {error}") from None
    return f"{source.rstrip()}\n\n{BOUND_AS} = {kind.__qualname__}\n"

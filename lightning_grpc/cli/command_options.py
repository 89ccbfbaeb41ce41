"""A command of an app as a command of ``click``: its parameters become options."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import rich_click as click

from lightning_grpc.service.commands import CommandDescription, ParameterDescription
from lightning_grpc.service.parameters import from_text
from lightning_grpc.state.values import Value

Call = Callable[[dict[str, Value], bool], None]
"""Calls the command with arguments; the second one tells whether the result is to be printed as JSON."""

_METAVARS = {"int": "INT", "float": "FLOAT", "bool": "BOOL", "str": "TEXT", "dict": "JSON", "json": "JSON", "": "TEXT"}


def make_command(
    description: CommandDescription, call: Call, parameters: Sequence[ParameterDescription] | None = None
) -> click.RichCommand:
    """Return a command that parses arguments, and calls the app's command with those that were given.

    Whatever is wrong with the command line is a usage error before anything is called. A parameter whose option is one
    of the command line's own, such as ``--json``, is given by ``--args json=...`` alone.

    Args:
        description: The app's command.
        call: Called with the arguments.
        parameters: What it takes, if that is not what the app's method takes.
    """
    known = {each.name: each for each in (description.parameters if parameters is None else parameters)}
    options = _options(known.values())

    def run(**given: Any) -> None:
        as_json, words = given.pop("as_json"), given.pop("words")
        given.pop("app")
        arguments = {
            name: list(value) if known[name].type == "list" else value
            for key, value in given.items()
            if (name := key.removeprefix("given_")) and _is_given(value)
        }
        _add_words(arguments, known, words)
        for each in known.values():
            if each.required and each.name not in arguments:
                raise click.UsageError(_missing(each, options))
        call(arguments, as_json)

    return click.RichCommand(
        name=description.name,
        callback=run,
        params=[*options.values(), *own_options()],
        help=description.description or f"Call `{description.name}` of {description.flow}.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def own_options() -> list[click.Option]:
    """Return the options that every command of an app has."""
    return [
        click.Option(
            ["--args", "words"], multiple=True, metavar="NAME=VALUE", help="An argument in its other form; repeatable."
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON."),
        click.Option(["--app"], metavar="NAME|ADDRESS", help="The app, if several are running."),
    ]


class _Word(click.ParamType):  # type: ignore[type-arg]  # not generic in older ones
    """One word of the command line, as a parameter takes it."""

    def __init__(self, description: ParameterDescription) -> None:
        self._description = description
        self.name = _METAVARS[description.item_type if description.type == "list" else description.type]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return from_text(self._description, value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _options(parameters: Any) -> dict[str, click.Option]:
    """Return the options by their parameters' names; without those whose names are taken."""
    taken = {"--help", *(name for option in own_options() for name in option.opts)}
    options: dict[str, click.Option] = {}
    for each in parameters:
        names = [name for name in dict.fromkeys((each.name.replace("_", "-"), each.name)) if f"--{name}" not in taken]
        if not names:
            continue
        taken |= {f"--{name}" for name in names}
        name, help_ = f"given_{each.name}", _help(each)
        if each.type == "bool":
            pairs = [f"--{word}" if f"--no-{word}" in taken else f"--{word}/--no-{word}" for word in names]
            taken |= {f"--no-{word}" for word in names}
            options[each.name] = click.Option([*pairs, name], is_flag=True, default=None, help=help_)
        else:
            declared = [*(f"--{word}" for word in names), name]
            word = _Word(each)
            options[each.name] = click.Option(
                declared, type=word, metavar=word.name, multiple=each.type == "list", default=None, help=help_
            )
    return options


def _is_given(value: Any) -> bool:
    return value is not None and value != ()


def _add_words(arguments: dict[str, Value], known: Mapping[str, ParameterDescription], words: Sequence[str]) -> None:
    """Add the arguments that were given in the form NAME=VALUE."""
    fresh: set[str] = set()
    for word in words:
        name, equals, text = word.partition("=")
        name = name if name in known else name.replace("-", "_")
        if not equals or not name:
            raise click.UsageError(f"--args takes NAME=VALUE, not {word!r}")
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise click.UsageError(f"There is no argument {name!r}; {takes}.")
        if name in arguments and not (known[name].type == "list" and name in fresh):
            raise click.UsageError(f"The argument {name!r} is given twice.")
        try:
            value = from_text(known[name], text)
        except ValueError as error:
            raise click.UsageError(f"Invalid value for {name!r}: it {error}") from None
        if known[name].type == "list":
            fresh.add(name)
            arguments[name] = [*arguments.get(name, []), value]
        else:
            arguments[name] = value


def _missing(parameter: ParameterDescription, options: Mapping[str, click.Option]) -> str:
    option = options.get(parameter.name)
    form = option.opts[0] if option is not None else f"--args {parameter.name}=..."
    return f"Missing argument {parameter.name!r}: give it by {form}."


def _help(parameter: ParameterDescription) -> str:
    """Return what people are told of a parameter: its annotation, its fields, its default."""
    words = f"`{parameter.annotation}`"
    fields = _fields(parameter.json_schema)
    if fields:
        words += f" with {', '.join(fields)}"
    if parameter.type == "list":
        words += "; repeatable"
    if parameter.required:
        return f"{words}; required."
    return f"{words}; default `{json.dumps(parameter.default, ensure_ascii=False)}`."


def _fields(schema: str) -> list[str]:
    """Return the fields of an object, or the values of an enumeration, that a JSON schema tells of."""
    known = json.loads(schema or "{}")
    if "enum" in known:
        return [f"`{json.dumps(each, ensure_ascii=False)}`" for each in known["enum"]]
    required = known.get("required", ())
    return [
        f"`{name}: {field.get('type', 'any')}`{'' if name in required else ' (optional)'}"
        for name, field in known.get("properties", {}).items()
    ]

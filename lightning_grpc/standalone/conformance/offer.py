"""What the Work under test offers, and how long it is waited for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lightning_grpc.errors import ConfigurationError, InvalidValueError
from lightning_grpc.state.values import Value, validate


@dataclass(frozen=True, slots=True)
class Arguments:
    """Arguments of a Work's ``run``.

    Attributes:
        args: By position.
        kwargs: By name.
    """

    args: tuple[Value, ...] = ()
    kwargs: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Offer:
    """What of a Work can be checked.

    Attributes:
        run_args: Arguments with which its run succeeds, within the time that `Patience.run_s` says; None to try none,
            and to skip what needs a success if that fails.
        fail_args: Arguments with which its run fails; None to skip what needs a failure.
        attribute: Name of an attribute that may hold any value, and that run leaves alone; empty to skip the exactness
            of values.
        may_stop: Whether the Work may be ended, which is checked last.
    """

    run_args: Arguments | None = None
    fail_args: Arguments | None = None
    attribute: str = ""
    may_stop: bool = False


@dataclass(frozen=True, slots=True)
class Patience:
    """How long, in seconds, something is waited for before it counts as missing.

    Attributes:
        answer_s: An answer, or the first frame of a stream.
        run_s: The end of an execution.
        bookmark_s: A sign of life: the protocol's three seconds, and what a subscriber allows for the way.
        digest_s: A digest: the protocol's twenty seconds, and the same.
    """

    answer_s: float = 10.0
    run_s: float = 30.0
    bookmark_s: float = 4.6
    digest_s: float = 24.6


def read_arguments(text: str) -> Arguments:
    """Return the arguments that a JSON text gives: a list of those by position, or an object of those by name.

    Raises:
        ConfigurationError: It is neither.

    Example:
        >>> read_arguments('[3, "x"]').args, read_arguments('{"n": 3}').kwargs
        ((3, 'x'), {'n': 3})
    """
    try:
        given: Any = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"{text!r} is no JSON: {error}") from None
    try:
        validate(given)
    except InvalidValueError as error:
        raise ConfigurationError(f"{text!r} cannot be sent: {error}") from None
    if isinstance(given, Sequence) and not isinstance(given, str):
        return Arguments(tuple(given))
    if isinstance(given, dict):
        return Arguments((), given)
    raise ConfigurationError(f"{text!r} gives no arguments: write a list of those by position, or an object by name")

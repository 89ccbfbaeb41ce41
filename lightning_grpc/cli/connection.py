"""The running app that a command line means, and what its errors become there."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from lightning_grpc.cli.candidates import APP
from lightning_grpc.cli.output import MISUSED, fail, trace
from lightning_grpc.errors import (
    CommandArgumentError,
    CommandFailedError,
    ConfigurationError,
    InvalidValueError,
    LightningGrpcError,
    UnknownCommandError,
    UnknownWorkError,
)

if TYPE_CHECKING:
    from lightning_grpc.service.app_client import AppClient
    from lightning_grpc.service.finding import Target

_Command = TypeVar("_Command", bound=Callable[..., Any])

DEADLINE_S = 10.0
"""How long an app may take to answer what it is asked."""


def app_option(command: _Command) -> _Command:
    """Give a command the option that says which app is meant."""
    return click.option("--app", type=APP, metavar="NAME|ADDRESS", help="The app, if several are running.")(command)


def json_option(command: _Command) -> _Command:
    """Give a command the option that has it print JSON."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def find_app(app: str | None) -> Target:
    """Return the app that is meant by its name, by its address, or by being the only one.

    Raises:
        ConfigurationError: There is no such app, or there are several.
    """
    from lightning_grpc.service.finding import find
    from lightning_grpc.service.registry import running_apps

    if app is None or any(app in (each.name, os.path.basename(each.name)) for each in running_apps()):
        return find(None, app, None)
    is_address = app.startswith(("unix:", "/")) or app.rpartition(":")[2].isdigit()
    return find(app, None, None) if is_address else find(None, app, None)


def connect(target: Target, timeout_s: float | None = None) -> AppClient:
    """Return a client of an app, whose answers may take so long; it connects when it is first used."""
    from lightning_grpc.service.app_client import AppClient

    return AppClient(target.address, token=target.token, timeout_s=timeout_s or DEADLINE_S)


@contextmanager
def telling_errors() -> Iterator[None]:
    """Turn what an app answers into what is said on the command line, and its exit code."""
    try:
        yield
    except (CommandArgumentError, UnknownCommandError) as error:
        trace(error)
        raise click.UsageError(str(error)) from None
    except (ConfigurationError, InvalidValueError, UnknownWorkError) as error:
        trace(error)
        raise fail(str(error), MISUSED) from None
    except CommandFailedError as error:
        if error.remote_traceback:
            print(error.remote_traceback.rstrip(), file=sys.stderr)
        trace(error)
        raise fail(error.summary) from None
    except LightningGrpcError as error:
        trace(error)
        raise fail(str(error)) from None

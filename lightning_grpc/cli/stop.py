"""``lightning-grpc stop``: ends a running app, a Work of it, or a Work that is served by itself; in order."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import rich_click as click

from lightning_grpc.cli.candidates import APP_OR_SERVER, WORK
from lightning_grpc.cli.connection import connect, find_app, json_option, telling_errors
from lightning_grpc.cli.help import Command
from lightning_grpc.cli.output import MISUSED, fail, print_json, say, schema
from lightning_grpc.cli.progress import waiting_for
from lightning_grpc.cli.question import is_wanted

if TYPE_CHECKING:
    from lightning_grpc.service.app_client import AppClient
    from lightning_grpc.service.finding import Target
    from lightning_grpc.service.registry import WorksEntry

_END_S = 60.0
_LOOK_S = 0.05


@click.command(
    cls=Command,
    examples=[
        ("stop", "end the only app that runs; asks first"),
        ("stop app.py --yes", "end one of several without asking"),
        ("stop --work root.trainer", "end one Work of it, for good"),
    ],
)
@click.argument("app", type=APP_OR_SERVER, required=False)
@click.option("--work", type=WORK, metavar="NAME", help="End this Work of the app, not the app.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--reason", default="", metavar="TEXT", help="What the app says when it ends.")
@json_option
def stop(app: str | None, work: str | None, yes: bool, reason: str, as_json: bool) -> None:
    """End the running app APP, as its Flow's `stop()` would, and wait until it has ended.

    Its Works' `on_exit` is called, their last changes arrive, and nothing is left behind. With `--work`, one Work of it
    ends so, and does not start again. APP may also be a Work that is served by itself, which ends as on SIGTERM.
    Without a terminal to ask at, `--yes` is needed.
    """
    with telling_errors():
        served = _served(app)
        if served is not None and work is None:
            _end_server(served, is_sure=yes, as_json=as_json)
            return
        target = find_app(app)
        if work is not None:
            _stop_work(target, work, is_sure=yes, as_json=as_json)
            return
        if not yes:
            _ask(_name(target))
        with connect(target) as client, waiting_for(f"{target.name} to end"):
            client.stop(reason)
            has_ended = _wait(lambda: _is_over(client, target))
    if not has_ended:
        raise fail(f"{target.name} is told to end, and has not for {_END_S:.0f} s: look at `lightning-grpc logs`")
    if as_json:
        print_json(schema("stop", app=target.name, has_ended=True))
    else:
        say(f"{target.name} has ended.")


def _stop_work(target: Target, word: str, *, is_sure: bool, as_json: bool) -> None:
    with connect(target) as client:
        with waiting_for(f"{target.name} to answer"):
            works = {each.name: each for each in client.works()}
        name = next((each for each in (word, f"root.{word}") if each in works), word)
        if name in works and not is_sure:
            _ask(f"{name} of {_name(target)}")
        with waiting_for(f"{name} to end"):
            client.stop_work(name)
            has_ended = _wait(lambda: not any(each.name == name and each.pid for each in client.works()))
    if not has_ended:
        raise fail(f"{name} is told to end, and has not for {_END_S:.0f} s: look at `lightning-grpc logs {name}`")
    if as_json:
        print_json(schema("stop", app=target.name, work=name, has_ended=True))
    else:
        say(f"{name} has ended.")


def _served(name: str | None) -> WorksEntry | None:
    """Return the server of Works that is meant by the name of one of them; None if an app is meant."""
    from lightning_grpc.errors import ConfigurationError
    from lightning_grpc.service.registry import running_apps, running_works

    if name is None or any(name in (each.name, os.path.basename(each.name)) for each in running_apps()):
        return None
    meant = [each for each in running_works() if name in (*each.names, each.address)]
    if len(meant) > 1:
        found = ", ".join(f"{each.address} (pid {each.pid})" for each in meant)
        raise ConfigurationError(f"{len(meant)} servers have a Work called {name!r}; give the address of one: {found}")
    return meant[0] if meant else None


def _end_server(served: WorksEntry, *, is_sure: bool, as_json: bool) -> None:
    """End a server of Works as SIGTERM does: the run under way may finish first."""
    names = ", ".join(served.names)
    if not is_sure:
        _ask(f"{names}, process {served.pid}")
    with contextlib.suppress(ProcessLookupError):
        os.kill(served.pid, signal.SIGTERM)
    with waiting_for(f"{names} to end"):
        has_ended = _wait(lambda: not served.is_live)
    if not has_ended:
        raise fail(
            f"{names} is told to end, and has not for {_END_S:.0f} s; to interrupt its run: lightning-grpc stop again"
        )
    if as_json:
        print_json(schema("stop", works=served.names, address=served.address, has_ended=True))
    else:
        say(f"{names} has ended.")


def _name(target: Target) -> str:
    return f"{target.name}, process {target.entry.pid}" if target.entry is not None else target.name


def _ask(what: str) -> None:
    if not sys.stdin.isatty():
        raise fail(f"{what}, would end, and nobody can be asked here: give --yes", MISUSED)
    if not is_wanted(f"End {what}?"):
        raise fail("nothing was ended")


def _is_over(client: AppClient, target: Target) -> bool:
    from lightning_grpc.errors import LightningGrpcError

    if target.entry is not None:
        return not target.entry.is_live
    try:
        client.describe()
    except LightningGrpcError:
        return True
    return False


def _wait(condition: Callable[[], bool]) -> bool:
    """Wait until a condition holds; return False if it does not come to that."""
    deadline_s = time.monotonic() + _END_S
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(_LOOK_S)
    return True

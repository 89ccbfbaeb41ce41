"""``lightning-grpc dashboard``: what a running app does, live, once, or as it was recorded."""

from __future__ import annotations

import contextlib
import shutil
import sys
from typing import TYPE_CHECKING, Any

import rich_click as click

from lightning_grpc.cli.candidates import APP
from lightning_grpc.cli.connection import find_app, json_option, telling_errors
from lightning_grpc.cli.credentials_options import client_credentials, client_credentials_options
from lightning_grpc.cli.help import Command
from lightning_grpc.cli.output import print_json, say
from lightning_grpc.errors import ConfigurationError

if TYPE_CHECKING:
    from lightning_grpc.dashboard.model import Model
    from lightning_grpc.dashboard.recording import Recorder
    from lightning_grpc.dashboard.source import Source

_WIDTH, _HEIGHT = 120, 40  # of a frame that is printed where there is no terminal
_LOOK_S = 15.0


@click.command(
    cls=Command,
    examples=[
        ("dashboard", "the only app that runs"),
        ("dashboard app.py --record run.jsonl", "one of several; what is seen is kept, too"),
        ("dashboard --replay run.jsonl --speed 4", "see it again, four times as fast"),
        ("dashboard --work 127.0.0.1:50051", "a Work that is served by itself"),
        ("dashboard --once --json", "how everything is, for programs"),
    ],
)
@click.argument("app", type=APP, required=False)
@click.option("--work", "work", metavar="ADDRESS", help="Watch a Work that is served by itself: HOST:PORT[#NAME].")
@click.option("--once", is_flag=True, help="Print one frame, and end.")
@json_option
@click.option("--record", metavar="FILE", help="Write what is seen to a new file, too.")
@click.option("--replay", metavar="FILE", help="Show what was recorded.")
@click.option("--speed", type=float, default=1.0, show_default=True, help="How fast it is shown.")
@client_credentials_options
def dashboard(
    app: str | None,
    work: str | None,
    once: bool,
    as_json: bool,
    record: str | None,
    replay: str | None,
    speed: float,
    **credentials: Any,
) -> None:
    """Watch the running app APP: its components, their state, deltas, logs and calls, as they change.

    APP is its name or its address; it may be left out if only one runs. Nothing is changed unless you press a key that
    acts, which asks first; `?` lists the keys. Without a terminal for it, one frame is printed. With `--json`,
    what a dashboard knows is printed once, as docs/dashboard.md describes it.
    """
    import asyncio  # 30 ms that no other command needs to start with

    if sum(each is not None for each in (app, work, replay)) > 1:
        raise click.UsageError("APP, --work and --replay are three things to watch: give one of them")
    if replay is not None and record is not None:
        raise click.UsageError("--record and --replay do not go together: there is a recording already")
    with telling_errors():
        from lightning_grpc.dashboard.terminal import is_usable

        if once or as_json or not is_usable():
            model = asyncio.run(_look(app, work, replay, speed, record, credentials))
            _print(model, as_json=as_json)
            return
        raise SystemExit(asyncio.run(_show(app, work, replay, speed, record, credentials)))


def _source(app: str | None, work: str | None, replay: str | None, speed: float, credentials: dict[str, Any]) -> Source:
    """Return where the events come from; on the loop."""
    if replay is not None:
        from lightning_grpc.dashboard import recording
        from lightning_grpc.dashboard.replaying import ReplaySource

        return ReplaySource(recording.replay(replay), speed)
    given = client_credentials(**credentials)
    if work is not None:
        from lightning_grpc.dashboard.work_source import WorkSource
        from lightning_grpc.standalone.async_work_client import AsyncWorkClient

        return WorkSource(AsyncWorkClient(work, token=given.token, tls=given.tls, timeout_s=3.0))
    if given.tls is not None:
        raise ConfigurationError("the --tls options are for --work: an app is served on this machine alone")
    from lightning_grpc.dashboard.source import AppSource
    from lightning_grpc.service.async_client import AsyncAppClient

    target = find_app(app)
    return AppSource(AsyncAppClient(target.address, token=given.token or target.token, timeout_s=5.0))


def _recorder(file: str | None) -> Recorder | None:
    if file is None:
        return None
    from lightning_grpc.dashboard.recording import Recorder

    return Recorder(file)


async def _look(
    app: str | None, work: str | None, replay: str | None, speed: float, record: str | None, credentials: dict[str, Any]
) -> Model:
    """Return the model after one look."""
    import asyncio

    from lightning_grpc.dashboard.looking import look

    source = _source(app, work, replay, speed, credentials)
    recorder = _recorder(record)
    size = shutil.get_terminal_size((_WIDTH, _HEIGHT))
    try:
        async with asyncio.timeout(_LOOK_S):
            return await look(source, size.columns, size.lines - (1 if sys.stdout.isatty() else 0), recorder)
    except TimeoutError:
        raise ConfigurationError(f"it did not tell how it is within {_LOOK_S:.0f} s") from None
    finally:
        if recorder is not None:
            recorder.close()
        await source.close()


def _print(model: Model, *, as_json: bool) -> None:
    if as_json:
        from lightning_grpc.dashboard.document import document_of

        print_json(document_of(model))
        return
    from rich.console import Console

    from lightning_grpc.dashboard.view import Screen

    console = Console(width=model.width, height=model.height, highlight=False, markup=False, emoji=False)
    console.print(Screen(model), end="")  # told its height too, for of a dumb terminal Rich believes both or none


async def _show(
    app: str | None, work: str | None, replay: str | None, speed: float, record: str | None, credentials: dict[str, Any]
) -> int:
    """Show it until the person leaves; returns the exit code."""
    import gc
    import time

    from lightning_grpc.dashboard.live import Live, show
    from lightning_grpc.dashboard.replaying import ReplaySource
    from lightning_grpc.dashboard.terminal import Terminal

    gc.freeze()  # what is there by now stays; looking for garbage among it costs more than all that is drawn
    gc.set_threshold(20_000, 20, 20)
    source = _source(app, work, replay, speed, credentials)
    recorder = _recorder(record)
    terminal = Terminal()
    replayed = source if isinstance(source, ReplaySource) else None
    clock = replayed.clock if replayed is not None else time.time
    live = Live(source, terminal, recorder=recorder, clock=clock, is_replay=replayed is not None)
    try:
        return await show(live, terminal)
    finally:
        if recorder is not None:
            recorder.close()
            say(recorder.problem or f"recorded: {record}")
        with contextlib.suppress(Exception):
            await source.close()

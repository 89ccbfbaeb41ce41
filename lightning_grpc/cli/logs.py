"""``lightning-grpc logs``: what the running app and its Works print."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import rich_click as click

from lightning_grpc.cli.candidates import SOURCE
from lightning_grpc.cli.connection import app_option, connect, find_app, json_option, telling_errors
from lightning_grpc.cli.help import Command
from lightning_grpc.cli.output import is_colourful, print_json, say, schema
from lightning_grpc.errors import ConfigurationError, NoAnswerError

if TYPE_CHECKING:
    from lightning_grpc.service.app_client import AppClient
    from lightning_grpc.wire.logs import LogLine

_ROOT = "root"
_DROPPED = "dropped"
_COLOURS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)


@click.command(
    cls=Command,
    examples=[
        ("logs", "the newest lines of all"),
        ("logs root.trainer -f", "those of one Work, and what comes"),
        ("logs -f --tail 0 --json", "what comes, one line of JSON each"),
    ],
)
@click.argument("work", type=SOURCE, required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until the app ends.")
@click.option(
    "--tail", type=click.IntRange(0, 2000), default=100, show_default=True, help="Lines of each to begin with."
)
@json_option
@app_option
def logs(work: str | None, follow: bool, tail: int, as_json: bool, app: str | None) -> None:
    """Print what the app and its Works print; of WORK alone, if it is given.

    WORK is the name of a Work, such as `root.trainer`, or `root` for the Flow's process. Each process keeps its newest
    2,000 lines as long as it lives.
    """
    with telling_errors():
        target = find_app(app)
        with connect(target) as client:
            names = [] if work is None else [_name(client, work)]
            for line in client.logs(*names, tail=tail, follow=follow):
                if as_json:
                    data = schema("log-line", component=line.component, kind=line.kind, at_s=line.at_s, text=line.text)
                    print_json(data, indented=False)
                elif line.kind == _DROPPED:
                    say(f"{line.component}: {line.text}" if line.component else line.text)
                else:
                    print(line.text if names else _with_origin(line), flush=True)
    if follow:
        say(f"{target.name} has ended.")


def _name(client: AppClient, word: str) -> str:
    """Return the full name of the Work that is meant, if it can be known."""
    try:
        known = [_ROOT, *(each.name for each in client.works())]
    except NoAnswerError:  # its Flow is busy; what its processes print can be read all the same
        return word
    return full_name(word, known)


def full_name(word: str, known: Sequence[str]) -> str:
    """Return the one of the known names that a word means: it, or what follows ``root.`` of it.

    Raises:
        ConfigurationError: There is no such name.
    """
    for name in (word, f"{_ROOT}.{word}"):
        if name in known:
            return name
    raise ConfigurationError(f"Nothing in the app is called {word!r} and prints; these are: {', '.join(known)}")


def _with_origin(line: LogLine) -> str:
    if not is_colourful():
        return f"{line.component} | {line.text}"
    colour = _COLOURS[sum(line.component.encode(errors="replace")) % len(_COLOURS)]
    return f"\x1b[{colour}m{time.strftime('%H:%M:%S', time.localtime(line.at_s))} {line.component}\x1b[0m {line.text}"

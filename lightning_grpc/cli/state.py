"""``lightning-grpc state``: shows the state of an app, as it is or as it was."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import rich_click as click

from lightning_grpc.cli.candidates import PLACE
from lightning_grpc.cli.connection import app_option, json_option, telling_errors
from lightning_grpc.cli.help import Command, Group
from lightning_grpc.cli.output import fail, print_json, trace
from lightning_grpc.cli.state_paths import find

if TYPE_CHECKING:
    from lightning_grpc.checkpoint.file import CheckpointFile

_DIRECTORY = click.Path(file_okay=False)


class StateGroup(Group):
    """Takes what names no subcommand for the options and argument of ``show``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, as the base class does, a command line in which ``show`` may be left out."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=StateGroup,
    options_metavar="[--checkpoint DIR [--at REVISION] | --watch] [--json] [PATH]",
    subcommand_metavar="",
    examples=[
        ("state", "the state of the running app"),
        ("state root.trainer.loss --json", "one attribute, for programs"),
        ("state --watch", "every change as it comes"),
        ("state --checkpoint kept --at 12", "as it was, on disk"),
        ("state diff kept 12 20", "in what two revisions differ"),
    ],
)
def state() -> None:
    """Show the state of the running app, or as it was at a revision of its checkpoint.

    PATH is the name of a component or of an attribute, such as `root.trainer` or `root.trainer.loss`, or what a delta
    calls it, such as `root['works']['trainer']['vars']['loss']`; without it, all is shown.
    """


@state.command(
    cls=Command,
    examples=[
        ("state root.trainer", "a component of the running app"),
        ("state root.trainer.loss --watch", "its changes as they come, in DeepDiff's form"),
        ("state --watch --json", "all changes, one line of JSON each"),
        ("state --checkpoint kept --at 12", "as it was, on disk"),
    ],
)
@click.option("--watch", is_flag=True, help="Print each change as it comes, on a line, until the app ends.")
@click.option("--checkpoint", "directory", type=_DIRECTORY, help="Read the checkpoint in this directory instead.")
@click.option("--at", "revision", type=click.IntRange(min=1), help="Which revision of it; by default, the newest.")
@json_option
@app_option
@click.argument("path", type=PLACE, default="")
def show(watch: bool, directory: str | None, revision: int | None, as_json: bool, app: str | None, path: str) -> None:
    """Print the state; the word *show* may be left out."""
    if directory is None:
        if revision is not None:
            raise click.UsageError("--at is a revision of a checkpoint: give --checkpoint too")
        from lightning_grpc.cli.live_state import print_state, watch_state

        (watch_state if watch else print_state)(app, path, as_json=as_json)
        return
    if watch or app is not None:
        raise click.UsageError("--checkpoint shows what is on disk: it goes with neither --watch nor --app")
    with _reading(directory) as file:
        revisions = file.revisions()
        number = revision if revision is not None else revisions[-1]
        document = file.document_at(number)
        with telling_errors():
            found = find(document, path)
        title = f"{path or file.name or 'root'} at revision {number} of {revisions[0]} to {revisions[-1]}"
    if as_json:
        print_json(found.value, indented=True)
        return
    from lightning_grpc.cli.state_tree import print_tree

    print_tree(title, found.value)


@state.command(
    cls=Command, examples=[("state diff kept 12 20", "what became of revision 12"), ("state diff kept 1 2 --json", "")]
)
@click.argument("directory", metavar="DIR", type=_DIRECTORY)
@click.argument("first", metavar="R1", type=click.IntRange(min=1))
@click.argument("second", metavar="R2", type=click.IntRange(min=1))
@json_option
def diff(directory: str, first: int, second: int, as_json: bool) -> None:
    """Print in what two revisions of the checkpoint in DIR differ, as DeepDiff says it."""
    with _reading(directory) as file:
        before, after = file.document_at(first), file.document_at(second)
    from deepdiff import DeepDiff

    found = DeepDiff(before, after, threshold_to_diff_deeper=0)
    if as_json:
        print_json(json.loads(found.to_json()), indented=False)
    else:
        from pprint import pprint

        pprint(dict(found), width=120)


@contextlib.contextmanager
def _reading(directory: str) -> Iterator[CheckpointFile]:
    """Open a checkpoint; say what is wrong with it, or with what is asked of it, and end with 1."""
    from lightning_grpc.checkpoint.file import CheckpointFile
    from lightning_grpc.errors import CheckpointError

    try:
        with contextlib.closing(CheckpointFile.open_to_read(directory)) as file:
            yield file
    except CheckpointError as error:
        trace(error)
        raise fail(str(error)) from None

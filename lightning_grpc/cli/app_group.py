"""The group of all commands: those of the command line itself, and behind them those of the running app."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import rich_click as click
from click.exceptions import Abort, Exit
from click.shell_completion import CompletionItem

from lightning_grpc.cli.candidates import COMPLETE_VARIABLE, complete_command, find_command
from lightning_grpc.cli.help import Group
from lightning_grpc.cli.output import (
    CLOSED,
    FAILED,
    INTERRUPTED,
    PROGRAM,
    flush,
    is_debug,
    open_what_is_closed,
    say,
    trace,
    unwritten,
)


class AppGroup(Group):
    """Looks for a command that it does not have among those of the running app, which is asked only then.

    However a command ends, it ends in order: Ctrl-C and a closed stdout quietly, an error of ours with a sentence.

    Attributes:
        was_stdout_closed: Whether stdout was closed from the beginning.
    """

    was_stdout_closed = False

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Execute a command line, or complete one if the shell asks for that, and end the program."""
        self.was_stdout_closed = open_what_is_closed()
        is_completing = (complete_var or COMPLETE_VARIABLE) in os.environ
        if not standalone_mode:
            return super().main(args, prog_name or PROGRAM, complete_var, standalone_mode=False, **extra)
        try:
            super().main(args, prog_name or PROGRAM, complete_var or COMPLETE_VARIABLE, **extra)
        except SystemExit as ending:
            code = flush()
            if is_completing:  # whoever presses a key does not wait for connections to be closed
                os._exit(0 if ending.code is None else int(ending.code))
            if code and not ending.code:
                raise SystemExit(code) from None
            raise
        except OSError as error:  # such as of a help that cannot be written
            code = unwritten(error)
            if not code:
                raise
            raise SystemExit(code) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Execute the command, and see to how it ends."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, Exit):
            raise
        except Abort:  # Ctrl-C, or the end of the input, at a question
            say("")
            raise SystemExit(INTERRUPTED) from None
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
        except Exception as error:
            code = unwritten(error) if isinstance(error, OSError) else 0
            if not code:
                code = FAILED
                how = "" if is_debug() else f" Where it came from is told by: {PROGRAM} --debug ..."
                say(f"ERROR: {PROGRAM} itself failed with {type(error).__name__}: {error}.{how}")
            if code != CLOSED:
                trace(error)
            raise SystemExit(code) from None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Return the name of the command that a line begins with, the command, and the rest of the line."""
        name = args[0]
        if name.startswith("-") or self.get_command(ctx, name) is not None:
            return super().resolve_command(ctx, args)
        if ctx.resilient_parsing:
            offered = find_command(args)
            return (offered[0].name, *offered) if offered is not None else super().resolve_command(ctx, args)
        from lightning_grpc.cli.commands import resolve

        command, rest = resolve(ctx, args, sorted(self.commands))
        return command.name, command, rest

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return what the first word may become: our own commands, and those of the running app."""
        own = super().shell_complete(ctx, incomplete)
        return own if incomplete.startswith("-") else [*own, *complete_command(incomplete)]

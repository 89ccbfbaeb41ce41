"""The commands and their options."""

from __future__ import annotations

import os

import rich_click as click

from lightning_grpc import __version__

click.rich_click.TEXT_MARKUP = "markdown"

EXIT_CODES = """Exit codes: 0 the app was stopped by its Flow; 1 it failed; 2 the command line is wrong;
130 it was ended by Ctrl-C; 143 by SIGTERM."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lightning-grpc")
def main() -> None:
    """Run gRPC microservices with the component model of Lightning Apps."""


@main.group()
def run() -> None:
    """Run something of yours."""


@run.command(epilog=EXIT_CODES)
@click.argument("file", type=click.Path())
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--name", default="", help="A name for the app; by default, the file's.")
@click.option("--log-level", type=click.Choice(["info", "debug"]), help="*debug* shows every delta of the state.")
@click.option("--env", "environment", multiple=True, metavar="KEY=VALUE", help="Set an environment variable first.")
def app(file: str, arguments: tuple[str, ...], name: str, log_level: str | None, environment: tuple[str, ...]) -> None:
    """Run the LightningApp that FILE defines, until it ends.

    FILE is a Python file with one `LightningApp(...)` at its top level. Its folder comes first on `sys.path`.
    What stands after `--` is its `sys.argv`.
    """
    for assignment in environment:
        key, equals, value = assignment.partition("=")
        if not key or not equals:
            raise click.UsageError(f"--env takes KEY=VALUE, not {assignment!r}")
        os.environ[key] = value
    try:
        from lightning_grpc.cli.run_app import run_file

        code = run_file(file, list(arguments), name=name, log_level=log_level)
    except KeyboardInterrupt:
        code = 130
    raise SystemExit(code)

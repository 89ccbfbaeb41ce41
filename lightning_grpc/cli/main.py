"""The commands and their options."""

from __future__ import annotations

import os
from typing import Any

import rich_click as click

from lightning_grpc import __version__
from lightning_grpc.cli.app_group import AppGroup
from lightning_grpc.cli.candidates import APP
from lightning_grpc.cli.check_work import check
from lightning_grpc.cli.completion import completion
from lightning_grpc.cli.connection import app_option, json_option
from lightning_grpc.cli.credentials_options import client_credentials_options
from lightning_grpc.cli.dashboard import dashboard
from lightning_grpc.cli.doctor import doctor
from lightning_grpc.cli.ending import end_in_order_on_sigterm
from lightning_grpc.cli.help import EXIT_CODES, Command, Group
from lightning_grpc.cli.init import init
from lightning_grpc.cli.logs import logs
from lightning_grpc.cli.output import DEBUG, have_nobody_read, print_whatever_the_terminal_can_show, say
from lightning_grpc.cli.state import state
from lightning_grpc.cli.stop import stop
from lightning_grpc.cli.tls import tls
from lightning_grpc.cli.why import why
from lightning_grpc.cli.work_command import work
from lightning_grpc.cli.works import works


@click.group(
    cls=AppGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
    examples=[
        ("init hello", "make a new app"),
        ("run app app.py", "run it"),
        ("state --watch", "see, from another terminal, what it does"),
        ("NAME --help", "what a command of the running app takes"),
    ],
)
@click.option(
    "--debug", is_flag=True, envvar="LIGHTNING_GRPC_DEBUG", help="Show the traceback of an error of lightning-grpc."
)
@click.version_option(__version__, prog_name="lightning-grpc")
@click.pass_context
def main(ctx: click.Context, debug: bool) -> None:
    """Run gRPC microservices with the component model of Lightning Apps.

    A running app may offer more commands: `lightning-grpc commands` lists them, and `lightning-grpc NAME --help` tells
    what one takes.
    """
    ctx.meta[DEBUG] = debug
    if ctx.invoked_subcommand != "run":  # whose app sees to all of this by itself
        if isinstance(ctx.command, AppGroup) and ctx.command.was_stdout_closed:
            have_nobody_read()
        print_whatever_the_terminal_can_show()
        end_in_order_on_sigterm(ctx)


@main.group(
    cls=Group,
    examples=[
        ("run app app.py", "run the app that a file defines"),
        ("run work trainer.py:Trainer", "serve a Work by itself"),
    ],
)
def run() -> None:
    """Run something of yours."""


@run.command(
    cls=Command,
    epilog=EXIT_CODES,
    examples=[
        ("run app app.py", "run it until it ends"),
        ("run app app.py --port 0 -- --epochs 3", "with arguments of its own"),
        ("run app app.py --checkpoint-dir kept --resume", "go on where it was"),
    ],
)
@click.argument("file", type=click.Path())
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--name", default="", help="A name for the app; by default, the file's.")
@click.option("--log-level", type=click.Choice(["info", "debug"]), help="*debug* shows every delta of the state.")
@click.option("--env", "environment", multiple=True, metavar="KEY=VALUE", help="Set an environment variable first.")
@click.option("--checkpoint-dir", type=click.Path(), help="Write the app's state there as it changes.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in `--checkpoint-dir`, if there is one.")
@click.option(
    "--listen",
    "service_address",
    metavar="ADDRESS",
    help="Serve the app on TCP too: HOST:PORT of loopback; port 0 picks.",
)
@click.option("--host", envvar="LIGHTNING_GRPC_HOST", help="Serve the HTTP API there; by default, at 127.0.0.1.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    envvar="LIGHTNING_GRPC_PORT",
    help="Serve it at this port; by default, 7501. 0 picks one.",
)
@click.option("--no-server", is_flag=True, envvar="LIGHTNING_GRPC_NO_SERVER", help="Serve no HTTP API.")
@click.option(
    "--at",
    "attachments",
    multiple=True,
    metavar="WORK=ADDRESS",
    help="Attach a Work to a service that runs already, such as *root.w=host:50051*; repeat it for more.",
)
@client_credentials_options
@click.option("--dashboard", "with_dashboard", is_flag=True, help="Show its dashboard here; leaving it ends the app.")
def app(
    file: str,
    arguments: tuple[str, ...],
    name: str,
    log_level: str | None,
    environment: tuple[str, ...],
    checkpoint_dir: str | None,
    resume: bool,
    service_address: str | None,
    host: str | None,
    port: int | None,
    no_server: bool,
    attachments: tuple[str, ...],
    with_dashboard: bool,
    **credentials: Any,
) -> None:
    """Run the LightningApp that FILE defines, until it ends.

    FILE is a Python file with one `LightningApp(...)` at its top level. Its folder comes first on `sys.path`.
    What stands after `--` is its `sys.argv`. The options for TLS and the token are for the services of `--at`.
    """
    for assignment in environment:
        key, equals, value = assignment.partition("=")
        if not key or not equals:
            raise click.UsageError(f"--env takes KEY=VALUE, not {assignment!r}")
        os.environ[key] = value
    if with_dashboard and _show_dashboard(
        file,
        arguments,
        name=name,
        log_level=log_level,
        checkpoint_dir=checkpoint_dir,
        resume=resume,
        listen=service_address,
        host=host,
        port=port,
        no_server=no_server,
        at=attachments,
        **credentials,
    ):
        return
    if service_address is not None:
        from lightning_grpc.errors import ConfigurationError
        from lightning_grpc.wire.addresses import check_address

        try:
            check_address(service_address)
        except ConfigurationError as error:
            raise click.UsageError(f"--listen: {error}") from None
    try:
        from lightning_grpc.cli.run_app import run_file

        code = run_file(
            file,
            list(arguments),
            name=name,
            log_level=log_level,
            checkpoint_dir=checkpoint_dir,
            resume=resume,
            service_address=service_address,
            http_host=host,
            http_port=port,
            http=not no_server,
            attachments=attachments,
            credentials=credentials,
        )
    except KeyboardInterrupt:
        code = 130
    raise SystemExit(code)


def _show_dashboard(file: str, arguments: tuple[str, ...], **options: Any) -> bool:
    """Run the app in another process and show its dashboard; return False if there is no terminal for one."""
    from lightning_grpc.dashboard.terminal import is_usable

    if not is_usable():
        say("no terminal that can show a dashboard: the app runs without it")
        return False
    from lightning_grpc.cli.run_dashboard import run_with_dashboard

    words = ["run", "app"]
    for key, value in options.items():
        for each in value if isinstance(value, tuple) else (value,):
            if each is not None and each is not False and each != "":
                words += [f"--{key.replace('_', '-')}", *([] if each is True else [str(each)])]
    raise SystemExit(run_with_dashboard([*words, "--", file, *arguments]))


run.add_command(work)


@main.command(
    cls=Command,
    examples=[("commands", "what the running app offers"), ("commands --json", "the same, for programs")],
)
@json_option
@app_option
def commands(as_json: bool, app: str | None) -> None:
    """List the commands that the running app offers."""
    from lightning_grpc.cli.commands import list_commands

    list_commands(app, as_json=as_json)


@main.command(cls=Command, examples=[("ps", "what runs"), ("ps --json", "the same, for programs")])
@json_option
def ps(as_json: bool) -> None:
    """List your running apps, and your Works that are served by themselves."""
    from lightning_grpc.cli.ps import list_apps

    list_apps(as_json=as_json)


@main.command(
    "open",
    cls=Command,
    examples=[
        ("open", "a URL of the only app that runs"),
        ("open app.py --browser", "in a browser, of one of several"),
    ],
)
@click.argument("app", required=False, type=APP)
@click.option("--browser", is_flag=True, help="Open the URL in a browser, too.")
@json_option
def open_(app: str | None, browser: bool, as_json: bool) -> None:
    """Print a URL that lets a browser into the running app APP, once."""
    from lightning_grpc.cli.open_app import open_app

    open_app(app, in_browser=browser, as_json=as_json)


for each in (check, completion, dashboard, doctor, init, logs, state, stop, tls, why, works):
    main.add_command(each)

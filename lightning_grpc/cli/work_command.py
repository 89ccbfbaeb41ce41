"""The command ``run work`` and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from lightning_grpc.cli.credentials_options import server_credentials, server_credentials_options
from lightning_grpc.cli.durations import Duration
from lightning_grpc.cli.help import Command

DEFAULT_BIND = "127.0.0.1:50051"

EPILOG = """Exit codes: 0 it was asked to end and has; 1 it could not be served, or what serves it broke; 2 the
command line is wrong; 71 a run that was interrupted did not let go, so it was left by force."""


@click.command(
    cls=Command,
    epilog=EPILOG,
    examples=[
        ("run work trainer.py:Trainer --port 0", "at any free port of loopback"),
        ("run work my.works:Trainer --bind unix:/run/trainer.sock --args '{\"rate\": 0.1}'", "for this machine alone"),
        (
            "run work trainer.py:Trainer --bind 0.0.0.0:50051 --tls-cert c.pem --tls-key k.pem --token-file t",
            "for others",
        ),
        ("run work --work my.works:Trainer=left --work my.works:Trainer=right", "two at one address"),
    ],
)
@click.argument("target", metavar="[FILE|MODULE]:CLASS", required=False)
@click.option("--bind", default=DEFAULT_BIND, show_default=True, metavar="ADDRESS", help="HOST:PORT or unix:PATH.")
@click.option("--port", type=click.IntRange(0, 65535), help="Listen at this port instead; 0 picks one.")
@click.option("--name", default="", help="A name for the Work; by default, its class's.")
@click.option("--args", "arguments", metavar="JSON", help="Arguments of its constructor: a JSON list or object.")
@click.option(
    "--work",
    "more",
    multiple=True,
    metavar="MODULE:CLASS[=NAME]",
    help="Another Work for the same server; repeatable. Each has a process of its own.",
)
@click.option(
    "--drain",
    "drain_s",
    type=Duration(),
    default="10s",
    show_default=True,
    help="How long a run may go on after the first SIGTERM or Ctrl-C.",
)
@click.option("--metrics", metavar="HOST:PORT", help="Serve metrics for Prometheus there, on loopback.")
@click.option("--admin", is_flag=True, help="Serve gRPC's admin service too: channels, sockets (channelz).")
@click.option("--json", "as_json", is_flag=True, help="Say where it is served in a line of JSON.")
@server_credentials_options
def work(
    target: str | None,
    bind: str,
    port: int | None,
    name: str,
    arguments: str | None,
    more: tuple[str, ...],
    drain_s: float,
    metrics: str | None,
    admin: bool,
    as_json: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_client_ca: Path | None,
    token_file: Path | None,
) -> None:
    """Serve a Work as a gRPC service of its own, until SIGTERM or Ctrl-C.

    CLASS is derived from `LightningWork`; it is found in a Python file, or in a module that can be imported. No app is
    needed: apps attach to it, and clients call it, as many as you like. Its runs are executed one at a time, in order.

    At the end the run under way may finish (`--drain`), runs that wait are not begun, and whoever follows the state
    gets the last revision. A second signal interrupts the run at once.
    """
    from lightning_grpc.cli.run_work import Target, run_works, with_port
    from lightning_grpc.errors import ConfigurationError

    targets = [Target(target, name, _read_arguments(arguments))] if target else []
    targets += [_read_target(each) for each in more]
    if not targets:
        raise click.UsageError("Name a Work: FILE.py:CLASS, or MODULE:CLASS.")
    if not target and (name or arguments is not None):
        raise click.UsageError(
            "--name and --args are for the Work that is named without --work; write --work ...=NAME."
        )
    try:
        credentials = server_credentials(tls_cert, tls_key, tls_client_ca, token_file)
        bind = with_port(bind, port)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from None
    code = run_works(
        targets,
        bind=bind,
        tls=credentials.tls,
        token=credentials.token,
        drain_s=drain_s,
        admin=admin,
        metrics=metrics,
        as_json=as_json,
    )
    raise SystemExit(code)


def _read_target(text: str) -> Any:
    from lightning_grpc.cli.run_work import Target

    place, _, name = text.partition("=")
    return Target(place, name)


def _read_arguments(text: str | None) -> Any:
    from lightning_grpc.cli.load_work import parse_arguments

    if text is None:
        return ()
    try:
        return parse_arguments(text)
    except ValueError as error:
        raise click.UsageError(f"--args: {error}") from None

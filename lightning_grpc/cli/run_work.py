"""``lightning-grpc run work``: load, serve, and say where."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lightning_grpc.cli.load_work import load_work
from lightning_grpc.cli.output import FAILED, MISUSED, print_json, schema
from lightning_grpc.errors import ConfigurationError, LightningGrpcError, NotThereError
from lightning_grpc.service.registry import WorksRegistration
from lightning_grpc.standalone.serving import ServedAt, serve
from lightning_grpc.wire.addresses import parse_address
from lightning_grpc.wire.credentials import ServerTls


@dataclass(frozen=True)
class Target:
    """A Work to serve.

    Attributes:
        place: ``FILE.py:CLASS`` or ``MODULE:CLASS``.
        name: The name it shall go by; empty for its class's.
        arguments: For its constructor.
    """

    place: str
    name: str = ""
    arguments: list[Any] | dict[str, Any] | tuple[()] = ()


def run_works(
    targets: Sequence[Target],
    *,
    bind: str,
    tls: ServerTls | None = None,
    token: str | None = None,
    drain_s: float,
    admin: bool = False,
    metrics: str | None = None,
    as_json: bool = False,
) -> int:
    """Serve Works until the process is asked to end, and return the exit code.

    Args:
        targets: The Works.
        bind: Where; see `serve`.
        tls: See `serve`.
        token: See `serve`.
        drain_s: See `serve`.
        admin: See `serve`.
        metrics: See `serve`.
        as_json: Whether the line that says where is JSON.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    tell = _print_json if as_json else _print_words
    try:
        works = [load_work(target.place, target.arguments) for target in targets]
        with contextlib.ExitStack() as at_end:
            serve(
                *works,
                bind=bind,
                name=[target.name for target in targets],
                tls=tls,
                token=token,
                drain_s=drain_s,
                admin=admin,
                metrics=metrics,
                ready=lambda served: _announce(served, tell, at_end),
            )
    except LightningGrpcError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return MISUSED if isinstance(error, NotThereError) else FAILED
    return 0


def with_port(bind: str, port: int | None) -> str:
    """Return the address to listen on.

    Args:
        bind: As it was given.
        port: Takes the place of its port; None to leave it.

    Raises:
        ConfigurationError: There is no port in it.
    """
    address, _ = parse_address(bind)
    if port is None:
        return bind
    host, colon, digits = address.rpartition(":")
    if address.startswith("unix") or not colon or not digits.isdecimal():
        raise ConfigurationError(f"{bind} has no port; --port goes with HOST:PORT only")
    return f"{host}:{port}"


def _announce(served: ServedAt, tell: Callable[[ServedAt], None], at_end: contextlib.ExitStack) -> None:
    """Let this user's other programs find the Works, which are served in any case, and say where they are."""
    try:
        epoch = served.works[0].epoch if len(served.works) == 1 else 0
        entry = WorksRegistration([each.name for each in served.works], served.address, time.time(), epoch)
    except ConfigurationError as error:
        print(f"WARNING: `lightning-grpc ps` does not find this: {error}", file=sys.stderr)
    else:
        at_end.callback(entry.remove)
    tell(served)


def _print_json(served: ServedAt) -> None:
    works = [{"name": each.name, "class": each.class_name, "epoch": each.epoch} for each in served.works]
    line = schema("serving", address=served.address, works=works, pid=os.getpid())
    if len(works) == 1:
        line |= {"name": works[0]["name"], "epoch": works[0]["epoch"]}
    if served.metrics_url:
        line["metrics"] = served.metrics_url
    print_json(line, indented=False)


def _print_words(served: ServedAt) -> None:
    names = ", ".join(each.name for each in served.works)
    print(f"{names}: serving at {served.address}", flush=True)
    if served.metrics_url:
        print(f"metrics: {served.metrics_url}", flush=True)

"""Serving Works without an app: each a gRPC service of its own."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import ConfigurationError
from lightning_grpc.standalone.front import Front
from lightning_grpc.standalone.hosted import HostedWork
from lightning_grpc.standalone.metrics_server import MetricsServer
from lightning_grpc.standalone.metrics_text import render_work_metrics
from lightning_grpc.wire.addresses import parse_address
from lightning_grpc.wire.binding_rule import check_binding
from lightning_grpc.wire.credentials import ServerTls
from lightning_grpc.wire.open_files import raise_limit
from lightning_grpc.worker.process import WorkProcess
from lightning_grpc.worker.standing import DEFAULT_DRAIN_S, StandaloneRules

DEFAULT_BIND = "127.0.0.1:50051"
"""Where a Work is served unless it is said otherwise."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class ServedWork:
    """A Work that is served.

    Attributes:
        name: The name it goes by.
        class_name: Its class.
        epoch: Its incarnation.
    """

    name: str
    class_name: str
    epoch: int


@dataclass(frozen=True)
class ServedAt:
    """What is served, and where.

    Attributes:
        address: Where it answers; with the port that was picked.
        works: The Works, in the order they were given.
        metrics_url: Where its metrics are; empty if they are not served.
    """

    address: str
    works: tuple[ServedWork, ...]
    metrics_url: str = ""


def serve(
    *works: LightningWork,
    bind: str = DEFAULT_BIND,
    name: str | Sequence[str] = "",
    tls: ServerTls | None = None,
    token: str | None = None,
    drain_s: float = DEFAULT_DRAIN_S,
    admin: bool = False,
    metrics: str | None = None,
    ready: Callable[[ServedAt], object] | None = None,
) -> None:
    """Serve Works, each as a gRPC service, until the process is asked to end.

    No app is needed, and any number of apps and clients may call. Runs of one Work are executed one at a time, in the
    order in which they were accepted. SIGTERM and Ctrl-C drain: health checks say NOT_SERVING, no run is begun any
    more, the one under way may finish within `drain_s`; then, or at a second signal, it is interrupted as `Stop` does.
    Subscribers get the last revision, and the function returns. A run that does not let itself be interrupted is left
    by force after 3 s: the process exits with 71.

    The process may open as many files from then on as it may allow itself: a connection is one.

    Args:
        works: The Works, attached to no Flow.
        bind: ``HOST:PORT`` or ``unix:PATH``; port 0 picks one.
        name: The name that the Work goes by; of several Works, their names. By default, those of their classes.
        tls: How the server proves who it is; None to listen in plain text, on loopback or a unix socket.
        token: What callers must carry; None for no token.
        drain_s: How long the run under way may go on after the first signal, in seconds.
        admin: Whether the server has gRPC's admin service too (channelz); needs ``lightning-grpc[admin]``.
        metrics: ``HOST:PORT`` of loopback, where the Work's metrics are served for Prometheus; None for nowhere.
        ready: Called when the server answers.

    Raises:
        ConfigurationError: It cannot be served so, or there.

    Threads: The main thread, which executes ``run``.
    """
    if threading.current_thread() is not threading.main_thread():
        raise ConfigurationError("serve() executes run() and handles signals: call it on the main thread")
    if not 0 <= drain_s < float("inf"):
        raise ConfigurationError(f"drain_s is a number of seconds, not {drain_s!r}")
    address, work_name = parse_address(bind)
    if work_name:
        raise ConfigurationError(f"{bind!r} names a Work; give an address to listen on, and the name apart")
    check_binding(address, tls, token)
    _name(works, [name] if isinstance(name, str) else list(name))
    rules = StandaloneRules(drain_s=drain_s, admin=admin)
    raise_limit()
    tell = ready if ready is not None else _say_so
    if not works:
        raise ConfigurationError("give a Work to serve")
    if len(works) > 1:
        if metrics is not None:
            raise ConfigurationError("metrics are those of one Work's process; to have them, serve each Work by itself")
        _serve_several(works, address, tls, token, rules, tell)
        return
    process = WorkProcess(works[0], address=address, token=token, tls=tls, standalone=rules)
    with _metrics_of(works[0], process, metrics, token) as metrics_url:
        process.run(lambda reached_at, epoch: _tell(tell, reached_at, works[0], epoch, metrics_url))


def _serve_several(
    works: Sequence[LightningWork],
    address: str,
    tls: ServerTls | None,
    token: str | None,
    rules: StandaloneRules,
    tell: Callable[[ServedAt], object],
) -> None:
    def all_answer(reached_at: str, hosted: Sequence[HostedWork]) -> None:
        tell(ServedAt(reached_at, tuple(ServedWork(each.name, each.class_name, each.epoch) for each in hosted)))

    async def run() -> int:
        return await Front(works, address=address, tls=tls, token=token, rules=rules).run(all_answer)

    code = asyncio.run(run())
    if code:
        raise SystemExit(code)


def _tell(tell: Callable[[ServedAt], object], address: str, work: LightningWork, epoch: int, metrics_url: str) -> None:
    tell(ServedAt(address, (ServedWork(work.name, type(work).__qualname__, epoch),), metrics_url))


@contextlib.contextmanager
def _metrics_of(work: LightningWork, process: WorkProcess, where: str | None, token: str | None) -> Iterator[str]:
    """Serve the metrics of a Work's process, if they are wanted; yields where."""
    if where is None:
        yield ""
        return

    def render() -> str:
        return render_work_metrics(work.name, process.metrics(), started_at_s=process.epoch / 1e9)

    with MetricsServer(where, token, render) as server:
        yield server.url


def _name(works: Sequence[LightningWork], names: Sequence[str]) -> None:
    """Give the Works the names that they are served by."""
    if names == [""]:
        names = [""] * len(works)
    if len(names) != len(works):
        raise ConfigurationError(f"there are {len(works)} Works and {len(names)} names; give each Work a name, or none")
    taken: set[str] = set()
    for work, given in zip(works, names, strict=True):
        if not isinstance(work, LightningWork):
            raise ConfigurationError(f"{work!r} is no Work; give an instance of a class derived from LightningWork")
        if work._parent is not None:
            raise ConfigurationError(f"{work.name} belongs to a Flow, whose app runs it; give a Work without one")
        name = given or type(work).__name__
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"{name!r} is no name for a Work; it consists of letters, digits, '_', '-' and '.'"
            )
        if name in taken:
            raise ConfigurationError(f"two Works are called {name}; give them names of their own")
        taken.add(name)
        work.__dict__["_served_name"] = name


def _say_so(served: ServedAt) -> None:
    names = ", ".join(work.name for work in served.works)
    sys.stderr.write(f"{names}: serving at {served.address}\n")
    sys.stderr.flush()

"""Looks for the facts about this machine that the doctor judges."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from lightning_grpc.cli import observations as judge
from lightning_grpc.cli.observations import OK, Observation
from lightning_grpc.cli.output import PROGRAM

_SHOWN = ("grpcio", "protobuf", "deepdiff")  # in a line of their own; of others, if something is wrong
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)>=([0-9.]+)$")
_LOOPBACK_S = 2.0


def examine() -> Iterator[Observation]:
    """Yield what is found on this machine, thing by thing; whatever is wrong with it is an observation, no error."""
    is_gil_enabled = getattr(sys, "_is_gil_enabled", lambda: True)
    yield judge.judge_python(sys.version_info[:3], platform.python_implementation(), has_gil=is_gil_enabled())
    yield judge.judge_platform(platform.system(), has_proc=os.path.exists("/proc/self/stat"))
    yield from _packages()
    yield _generated_code()
    yield judge.judge_grpc_variables(os.environ)
    yield _registry()
    yield _socket_paths()
    yield _port()
    yield judge.judge_loopback(_loopback_error())
    yield judge.judge_proxies(os.environ)
    yield _open_files()
    yield judge.judge_clock(datetime.now(UTC), has_time_zones=_has_time_zones())
    yield judge.judge_terminal(os.environ, sys.stdout.encoding or "")
    yield judge.judge_command(shutil.which(PROGRAM), str(Path(sys.executable).with_name(PROGRAM)))


def _packages() -> Iterator[Observation]:
    others = []
    for requirement in metadata.requires(PROGRAM) or ():
        known = _REQUIREMENT.match(requirement.partition(";")[0].strip()) if "extra" not in requirement else None
        if known is None:
            continue
        try:
            installed: str | None = metadata.version(known[1])
        except metadata.PackageNotFoundError:
            installed = None
        observation = judge.judge_package(known[1], installed, known[2])
        if known[1] in _SHOWN or observation.verdict != OK:
            yield observation
        else:
            others.append(observation)
    yield Observation("other packages", OK, f"{len(others)}, all new enough")


def _generated_code() -> Observation:
    source = Path(__file__).parents[1] / "v1" / "value_pb2.py"
    made_for = re.search(r"Protobuf Python Version: (\S+)", source.read_text(encoding="utf-8"))
    error, runtime = "", "none"
    try:
        runtime = metadata.version("protobuf")
        import lightning_grpc.wire.app_protocol
        import lightning_grpc.wire.protocol  # noqa: F401 - both are loaded to see whether that can be done
    except Exception as reason:  # protobuf and grpc raise what they like
        error = f"{type(reason).__name__}: {' '.join(str(reason).split())}"
    return judge.judge_generated_code(made_for[1] if made_for else "?", runtime, error)


def _registry() -> Observation:
    from lightning_grpc.errors import ConfigurationError
    from lightning_grpc.service.registry import running_apps, runtime_directory

    path = runtime_directory()
    try:
        running_apps()
    except ConfigurationError as error:
        return judge.judge_registry(path, str(error))
    parent = path if os.path.exists(path) else os.path.dirname(path)
    is_writable = os.access(parent, os.W_OK | os.X_OK)
    return judge.judge_registry(path, "" if is_writable else f"{parent} cannot be written: set XDG_RUNTIME_DIR")


def _socket_paths() -> Observation:
    from lightning_grpc.service.registry import MAX_SOCKET_PATH_BYTES, runtime_directory

    return judge.judge_socket_paths(runtime_directory(), tempfile.gettempdir(), MAX_SOCKET_PATH_BYTES)


def _port() -> Observation:
    from lightning_grpc.errors import ConfigurationError
    from lightning_grpc.http.binding import DEFAULT_HOST, DEFAULT_PORT, Binding
    from lightning_grpc.service.registry import running_apps

    try:
        Binding(DEFAULT_HOST, DEFAULT_PORT).close()
    except ConfigurationError as error:
        try:
            owners = [entry.name for entry in running_apps() if entry.http.endswith(f":{DEFAULT_PORT}")]
        except ConfigurationError:  # which is an observation of its own
            owners = []
        return judge.judge_port(DEFAULT_PORT, str(error), owners[0] if owners else "")
    return judge.judge_port(DEFAULT_PORT, "", "")


def _loopback_error() -> str:
    try:
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            server.settimeout(_LOOPBACK_S)
            with closing(socket.create_connection(server.getsockname(), timeout=_LOOPBACK_S)):
                server.accept()[0].close()
    except OSError as error:
        return f"127.0.0.1 does not answer: {error}"
    return ""


def _open_files() -> Observation:
    import resource

    return judge.judge_open_files(*resource.getrlimit(resource.RLIMIT_NOFILE))


def _has_time_zones() -> bool:
    import zoneinfo

    return bool(zoneinfo.available_timezones())

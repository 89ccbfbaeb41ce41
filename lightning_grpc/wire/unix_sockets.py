"""Unix sockets to listen on: private, and never taken from a server that lives."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from lightning_grpc.errors import ConfigurationError

LONGEST_PATH = 107
"""Bytes that the path of a socket may have."""
_CONNECT_S = 2.0


def socket_path(address: str) -> str:
    """Return the file of an address, as gRPC writes it; empty if it has none.

    Example:
        >>> socket_path("unix:/run/w.sock"), socket_path("unix:///run/w.sock"), socket_path("127.0.0.1:7600")
        ('/run/w.sock', '/run/w.sock', '')
    """
    if not address.startswith("unix:"):
        return ""
    path = address.removeprefix("unix:")
    return path.removeprefix("//") if path.startswith("///") else path


@contextlib.contextmanager
def taking_socket(address: str) -> Iterator[None]:
    """Make way for a socket that is made inside of the block, which only its user can open then.

    A file that a dead server has left behind is removed. gRPC by itself would take the file of a living one, too.

    Args:
        address: As gRPC writes it; nothing is done unless it has a file.

    Raises:
        ConfigurationError: The file is of a living server, or is no socket, or cannot be made.
    """
    path = socket_path(address)
    if not path:
        yield
        return
    _make_way(path)
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def _make_way(path: str) -> None:
    folder = os.path.dirname(os.path.abspath(path))
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise ConfigurationError(f"{path}: the path of a socket may have {LONGEST_PATH} bytes; choose a shorter one")
    if not os.path.isdir(folder):
        raise ConfigurationError(f"{path}: the folder {folder} does not exist; make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{path}: you may not make a file in {folder}")
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise ConfigurationError(f"{path} is there already, and is no socket; choose another path, or remove it")
    if _is_answered(path):
        raise ConfigurationError(f"another server listens on {path}; end it first, or choose another path")
    Path(path).unlink(missing_ok=True)


def _is_answered(path: str) -> bool:
    """Tell whether a server lives behind a socket's file."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_CONNECT_S)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:  # it does not let us in, or does not get round to it: somebody is there
            return True
    return True

"""Unix sockets to listen on: private, and never taken from a server that lives."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from lightning_grpc.errors import ConfigurationError

LONGEST_PATH = 107
"""Bytes that the path of a socket may have."""
_CONNECT_S = 2.0
_FOLDER_PREFIX = "."
_FILE = "s"
_LONGEST_FOLDER = LONGEST_PATH - len(f"/{_FOLDER_PREFIX}xxxxxxxx/{_FILE}")


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


class UnixSocket:
    """A socket's file that only its user can open, from the first moment, and that is not taken from a living server.

    gRPC makes the file with the mode that the process' umask gives, and a umask is of all threads. So the socket is
    made in a folder that only its user can enter, and has its own name once its mode is right. Clients that wait for
    the file find a server that listens.

    Args:
        path: Where clients reach it. A file that a dead server has left behind there is replaced.

    Raises:
        ConfigurationError: The file is of a living server, or is no socket, or cannot be made.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = (0, 0)
        _make_way(path)

    def listen(self, bind: Callable[[str], int]) -> int:
        """Make the socket.

        Args:
            bind: Listens on the address that it is given, as gRPC does.

        Returns:
            What `bind` returned.

        Raises:
            ConfigurationError: Another server was quicker.
        """
        above = os.path.dirname(os.path.abspath(self._path))
        try:
            with tempfile.TemporaryDirectory(prefix=_FOLDER_PREFIX, dir=above) as folder:
                made = os.path.join(folder, _FILE)
                returned = bind(f"unix:{made}")
                Path(made).chmod(0o600)
                _name(made, self._path)
                self._file = _identity(self._path)
        except FileExistsError:
            raise ConfigurationError(_taken(self._path)) from None
        except OSError as error:
            raise ConfigurationError(f"cannot make a socket in {above}: {error}") from None
        return returned

    def remove(self) -> None:
        """Remove the file, unless it is another server's by now."""
        with contextlib.suppress(OSError):
            if _identity(self._path) == self._file:
                Path(self._path).unlink()


def _make_way(path: str) -> None:
    folder = os.path.dirname(os.path.abspath(path))
    if "%" in path:
        raise ConfigurationError(f"{path}: gRPC takes a % for the beginning of an escape; choose a path without")
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise ConfigurationError(f"{path}: the path of a socket may have {LONGEST_PATH} bytes; choose a shorter one")
    if len(os.fsencode(folder)) > _LONGEST_FOLDER:
        raise ConfigurationError(
            f"{path}: the folder of a socket may have {_LONGEST_FOLDER} bytes; choose a shorter one"
        )
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
        raise ConfigurationError(_taken(path))
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


def _name(made: str, path: str) -> None:
    """Give a file its name; `FileExistsError` if there is one already, where the file system can tell."""
    try:
        os.link(made, path)
    except FileExistsError:
        raise
    except OSError:  # not every file system has hard links, or has them of sockets
        Path(made).rename(path)


def _taken(path: str) -> str:
    return f"another server listens on {path}; end it first, or choose another path"


def _identity(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino

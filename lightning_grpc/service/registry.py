"""Where running apps are registered, so that clients of the same user find them.

::

    $XDG_RUNTIME_DIR/lightning-grpc/          0700, or /tmp/lightning-grpc-UID without that variable
        PID-START-NUMBER/                     0700, one per running app; START tells a reused pid
            app.json                          0600, what `AppEntry` holds; written as a whole, or not at all
            token                             0600
            s                                 0600, the socket
        PID-START-NUMBER/                     0700, one per server of Works that are served by themselves
            works.json                        0600, what `WorksEntry` holds

An entry belongs to the process that its name tells; once that is gone, whoever looks removes it. So an entry that is
still being written is safe from those who sweep.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import stat
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from lightning_grpc.errors import ConfigurationError

MAX_SOCKET_PATH_BYTES = 107
"""How long the path of a unix socket may be."""

_ENTRY = re.compile(r"(\d+)-(\d+)-\d+")
_numbers = itertools.count(1)
_APP, _WORKS = "app.json", "works.json"


@dataclass(frozen=True)
class AppEntry:
    """One running app.

    Attributes:
        name: The name it goes by.
        pid: Its process.
        process_start: When that process began, in ticks since the machine did.
        addresses: Where it answers, as gRPC writes it: first the unix socket, then those asked for.
        epoch: This run of the app.
        started_at_s: When it began, in seconds since 1970.
        http: The address of its HTTP server; empty if it has none.
        directory: The entry's own directory.
    """

    name: str
    pid: int
    process_start: int
    addresses: tuple[str, ...]
    epoch: int
    started_at_s: float
    http: str
    directory: str

    @property
    def address(self) -> str:
        """Where it answers."""
        return self.addresses[0]

    @property
    def is_live(self) -> bool:
        """Whether the app still runs."""
        return _is_live(self)

    def read_token(self) -> str:
        """Return the token that the app asks for.

        Raises:
            ConfigurationError: The app has ended meanwhile.
        """
        try:
            with open(os.path.join(self.directory, "token"), encoding="ascii") as file:
                return file.read()
        except OSError as error:
            raise ConfigurationError(f"the token of {self.name} cannot be read, it may have ended: {error}") from None


@dataclass(frozen=True)
class WorksEntry:
    """A server of Works that are served by themselves.

    Attributes:
        names: The names of its Works.
        pid: Its process.
        process_start: When that process began, in ticks since the machine did.
        address: Where it answers, as gRPC writes it.
        started_at_s: When it began to serve, in seconds since 1970.
        epoch: The incarnation of its Work, which is in its own process; 0 if it has several, each in another.
        directory: The entry's own directory.
    """

    names: tuple[str, ...]
    pid: int
    process_start: int
    address: str
    started_at_s: float
    epoch: int
    directory: str

    @property
    def is_live(self) -> bool:
        """Whether it still serves."""
        return _is_live(self)


class WorksRegistration:
    """The entry of Works that this process serves by themselves, from when they answer to their end.

    Their token is not in it: who calls them was given it by who started them.

    Args:
        names: Their names.
        address: Where they answer, as gRPC writes it.
        started_at_s: When they began to, in seconds since 1970.
        epoch: The incarnation of the Work that is in this process; 0 if there are several, in processes of their own.

    Raises:
        ConfigurationError: The runtime directory cannot be used.
    """

    def __init__(self, names: Sequence[str], address: str, started_at_s: float, epoch: int) -> None:
        start = _process_start(os.getpid())
        assert start is not None
        self.directory = _make_directory(prepare_directory(), start)
        entry = WorksEntry(tuple(names), os.getpid(), start, address, started_at_s, epoch, self.directory)
        _write(self.directory, _WORKS, json.dumps(asdict(entry)))

    def remove(self) -> None:
        """Remove the entry."""
        shutil.rmtree(self.directory, ignore_errors=True)


class Registration:
    """The entry of an app of this process, from before it serves to its end.

    Args:
        name: The name the app goes by.
        epoch: This run of the app.
        started_at_s: When it began, in seconds since 1970.
        token: What it asks for.

    Raises:
        ConfigurationError: The runtime directory cannot be used.
    """

    def __init__(self, name: str, epoch: int, started_at_s: float, token: str) -> None:
        self._name = name
        self._epoch = epoch
        self._started_at_s = started_at_s
        self._addresses: tuple[str, ...] = ()
        self._http = ""
        self.directory = _make_directory(prepare_directory(), self.process_start)
        try:
            _write(self.directory, "token", token)
        except BaseException:
            self.remove()
            raise

    @cached_property
    def process_start(self) -> int:
        """When this process began."""
        start = _process_start(os.getpid())
        assert start is not None
        return start

    @property
    def socket(self) -> str:
        """The path of the socket to listen on."""
        return os.path.join(self.directory, "s")

    def announce(self, *, addresses: Sequence[str] | None = None, http: str | None = None) -> None:
        """Tell clients where the app answers; what is None stays as it was told before."""
        self._addresses = self._addresses if addresses is None else tuple(addresses)
        self._http = self._http if http is None else http
        entry = AppEntry(
            name=self._name,
            pid=os.getpid(),
            process_start=self.process_start,
            addresses=self._addresses,
            epoch=self._epoch,
            started_at_s=self._started_at_s,
            http=self._http,
            directory=self.directory,
        )
        _write(self.directory, _APP, json.dumps(asdict(entry)))

    def remove(self) -> None:
        """Remove the entry with all that is in it."""
        shutil.rmtree(self.directory, ignore_errors=True)


def runtime_directory() -> str:
    """Return the path of this user's runtime directory, which may not be there yet."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if base and os.path.isdir(base):
        return os.path.join(base, "lightning-grpc")
    return os.path.join(os.environ.get("TMPDIR") or "/tmp", f"lightning-grpc-{os.getuid()}")  # noqa: S108 - checked


def prepare_directory() -> str:
    """Make this user's runtime directory, if it is not there, and return its path.

    Raises:
        ConfigurationError: It cannot be made, or others can reach into it.
    """
    path = runtime_directory()
    try:
        with contextlib.suppress(FileExistsError):
            Path(path).mkdir(mode=0o700)
            Path(path).chmod(0o700)  # without the bits that it gets from its parent
        _check(path)
    except OSError as error:
        raise _unusable(path, error) from None
    return path


def running_apps() -> list[AppEntry]:
    """Return the running apps of this user, the oldest first; entries of processes that are gone are removed.

    Raises:
        ConfigurationError: The runtime directory cannot be used.
    """
    found = [_read_entry(directory) for directory in _live_directories()]
    entries = [entry for entry in found if entry is not None]
    return sorted(entries, key=lambda entry: (entry.started_at_s, entry.directory))


def running_works() -> list[WorksEntry]:
    """Return the servers of this user's Works that are served by themselves, the oldest first; see `running_apps`."""
    found = [_read_works(directory) for directory in _live_directories()]
    entries = [entry for entry in found if entry is not None]
    return sorted(entries, key=lambda entry: (entry.started_at_s, entry.directory))


def _live_directories() -> list[str]:
    """Return the directories of entries whose processes are there, and remove the others."""
    path = runtime_directory()
    try:
        names = [each.name for each in Path(path).iterdir()]
        _check(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unusable(path, error) from None
    directories = []
    for name in names:
        known = _ENTRY.fullmatch(name)
        if known is None:
            continue
        directory = os.path.join(path, name)
        if _process_start(int(known[1])) != int(known[2]):
            shutil.rmtree(directory, ignore_errors=True)
        else:
            directories.append(directory)
    return directories


def _make_directory(parent: str, process_start: int) -> str:
    while True:
        path = os.path.join(parent, f"{os.getpid()}-{process_start}-{next(_numbers)}")
        length = len(os.fsencode(path)) + len("/s")
        if length > MAX_SOCKET_PATH_BYTES:
            raise ConfigurationError(
                f"{path}/s is too long for the path of a socket ({length} bytes, at most {MAX_SOCKET_PATH_BYTES}); "
                "set XDG_RUNTIME_DIR to a shorter path, for the app and for its clients"
            )
        try:
            Path(path).mkdir(mode=0o700)
            Path(path).chmod(0o700)  # without the bits that it gets from its parent
        except FileExistsError:
            continue
        except OSError as error:
            raise _unusable(parent, error) from None
        return path


def _write(directory: str, name: str, text: str) -> None:
    """Write a file of an entry that others see as a whole, or not at all."""
    path = os.path.join(directory, name)
    fd = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        file.write(text)
    Path(f"{path}.new").rename(path)


def _read_entry(directory: str) -> AppEntry | None:
    """Return what an entry says; None while its app does not serve yet, or no longer."""
    try:
        with open(os.path.join(directory, _APP), encoding="utf-8") as file:
            fields = json.load(file)
        return AppEntry(**{**fields, "addresses": tuple(fields["addresses"]), "directory": directory})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _read_works(directory: str) -> WorksEntry | None:
    """Return what an entry says; None if it is none of Works."""
    try:
        with open(os.path.join(directory, _WORKS), encoding="utf-8") as file:
            fields = json.load(file)
        return WorksEntry(**{"epoch": 0, **fields, "names": tuple(fields["names"]), "directory": directory})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _is_live(entry: AppEntry | WorksEntry) -> bool:
    return _process_start(entry.pid) == entry.process_start and os.path.isdir(entry.directory)


def _check(path: str) -> None:
    """Refuse a directory that somebody else could have filled."""
    found = os.lstat(path)
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode):
        wrong = "is no directory"
    elif found.st_uid != os.getuid():
        wrong = f"belongs to the user {found.st_uid}, not to you ({os.getuid()})"
    elif mode & 0o777 != 0o700:
        wrong = f"has the mode {mode:04o}, not 0700, so that others could reach into it"
    else:
        return
    raise ConfigurationError(
        f"the runtime directory {path} {wrong}. Remove it, or set XDG_RUNTIME_DIR to a directory of your own."
    )


def _unusable(path: str, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"the runtime directory {path} cannot be used: {error.strerror}. "
        "Set XDG_RUNTIME_DIR to a directory of your own."
    )


def _process_start(pid: int) -> int | None:
    """Return when a process began, in ticks since the machine did; None if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])

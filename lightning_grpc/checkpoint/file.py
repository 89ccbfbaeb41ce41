"""The file of a checkpoint: an SQLite database in a directory, with one writer and any number of readers.

It holds, for one app, a snapshot now and then and all deltas from the oldest snapshot on, each by its revision;
and when the app was run. The format is described in docs/checkpoints.md.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning_grpc.checkpoint.format import (
    FILE_NAME,
    LOCK_NAME,
    SCHEMA,
    check_kind,
    damaged,
    explained,
    sound,
    user_version,
)
from lightning_grpc.checkpoint.rows import decode_changes, decode_document, encode_document
from lightning_grpc.errors import CheckpointError
from lightning_grpc.state.delta import Change, apply
from lightning_grpc.state.values import Document

_BUSY_S = 5.0
_WAL_LIMIT_BYTES = 64 << 20
_MOVES = 5
_ROWS = 200  # with four values each: older versions of SQLite take 999 values in a statement


@dataclass(frozen=True, slots=True)
class Row:
    """One revision, ready to be written.

    Attributes:
        revision: Its number.
        changes: Its changes; see `lightning_grpc.checkpoint.rows`.
        made_at: When it was made, in seconds since 1970.
    """

    revision: int
    changes: bytes
    made_at: float


@dataclass(frozen=True, slots=True)
class RunOfApp:
    """One run of the app.

    Attributes:
        epoch: The run, as it calls itself.
        revision: The first revision that it has made or begun with.
        began_at: When it began, in seconds since 1970.
        pid: Its process.
        version: Of this package.
    """

    epoch: int
    revision: int
    began_at: float
    pid: int
    version: str


class CheckpointFile:
    """An open checkpoint, made by `open_to_write` or `open_to_read`.

    Threads: One at a time.
    """

    def __init__(self, directory: Path, connection: sqlite3.Connection, lock: int | None) -> None:
        self.directory = directory
        self._connection = connection
        self._lock = lock

    @classmethod
    def open_to_write(cls, directory: str | Path) -> CheckpointFile:
        """Open the checkpoint in a directory, or the place for one; nobody else can, until `close`.

        The directory is made if it is not there. Nothing is written yet.

        Raises:
            CheckpointError: The directory cannot be written to; another app writes the checkpoint there; or what is
                there is none, or of a newer format, or damaged.
        """
        directory = Path(directory)
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CheckpointError(
                f"{directory}: no checkpoint can be written there: {error.strerror}. Give a directory that you may "
                "write to."
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise CheckpointError(
                f"{directory}: another app is running with this checkpoint. Stop it first, or give another directory."
            ) from None
        connection: sqlite3.Connection | None = None
        try:
            with explained(directory):
                os.close(os.open(directory / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
                connection = _connect(directory)
                check_kind(directory, connection)
                connection.execute("PRAGMA journal_mode = WAL")
        except CheckpointError:
            if connection is not None:
                connection.close()
            os.close(lock)
            raise
        return cls(directory, connection, lock)

    @classmethod
    def open_to_read(cls, directory: str | Path) -> CheckpointFile:
        """Open the checkpoint in a directory to read it; an app may write it meanwhile.

        Raises:
            CheckpointError: There is none, or it is of a newer format, or damaged.
        """
        directory = Path(directory)
        path = directory / FILE_NAME
        if not path.is_file():
            raise CheckpointError(f"{directory}: there is no checkpoint ({FILE_NAME}) in this directory.")
        with explained(directory):
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)
            connection.isolation_level = None
            try:
                if not check_kind(directory, connection):
                    raise CheckpointError(f"{directory}: its checkpoint is empty: the app ended before it had begun.")
            except BaseException:
                connection.close()
                raise
        return cls(directory, connection, None)

    def close(self) -> None:
        """Close the file and let others have it."""
        with explained(self.directory):
            self._connection.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written yet."""
        with explained(self.directory):
            return user_version(self._connection) == 0

    # Writing.

    def create(self, name: str, run: RunOfApp, document: Document) -> None:
        """Write an app's first revision, all or nothing.

        Args:
            name: The app's.
            run: Its first run, which begins with `document`.
            document: Its document.
        """
        with explained(self.directory), self._transaction():
            for statement in SCHEMA:
                self._connection.execute(statement)
            self._connection.execute("INSERT INTO meta VALUES ('name', ?)", (name,))
            self._insert_run(run)
            self._insert_snapshot(run.revision, encode_document(run.revision, document))

    def add_run(self, run: RunOfApp, rows: Sequence[Row]) -> None:
        """Write that the app is run again, and what that has changed."""
        with explained(self.directory), self._transaction():
            self._insert_run(run)
            self._insert(rows)

    def append(self, rows: Sequence[Row]) -> None:
        """Write revisions that follow the last one, all or nothing."""
        with explained(self.directory), self._transaction():
            self._insert(rows)

    def add_snapshot(self, revision: int, data: bytes) -> None:
        """Write the document as of a revision that is there, so that it is found quickly.

        Args:
            revision: Its number.
            data: What `encode_document` returned.
        """
        with explained(self.directory), self._transaction():
            self._insert_snapshot(revision, data)

    @property
    def log_bytes(self) -> int:
        """The size of SQLite's log, which holds what is not in the database itself yet."""
        log = self.directory / f"{FILE_NAME}-wal"
        return log.stat().st_size if log.exists() else 0

    def empty_log(self) -> None:
        """Move all of SQLite's log into the database."""
        with explained(self.directory):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def drop_oldest(self) -> int:
        """Give up the oldest snapshot and the deltas up to the next one; returns how many bytes that frees.

        Returns:
            0 if there is no second snapshot: then nothing is given up.
        """
        with explained(self.directory), self._transaction():
            revisions = self._connection.execute("SELECT revision FROM snapshots ORDER BY revision LIMIT 2").fetchall()
            if len(revisions) < 2:
                return 0
            (next_one,) = revisions[1]
            before = self.size_bytes(before=next_one)
            self._connection.execute("DELETE FROM snapshots WHERE revision < ?", (next_one,))
            self._connection.execute("DELETE FROM deltas WHERE revision <= ?", (next_one,))
            return before

    def _insert(self, rows: Sequence[Row]) -> None:
        # Many rows in one statement: each statement waits for the interpreter's lock when it is through.
        for start in range(0, len(rows), _ROWS):
            some = rows[start : start + _ROWS]
            places = ",".join(["(?,?,?,?)"] * len(some))
            values = [
                each for row in some for each in (row.revision, row.changes, zlib.crc32(row.changes), row.made_at)
            ]
            self._connection.execute(f"INSERT INTO deltas VALUES {places}", values)  # noqa: S608 - question marks

    def _insert_run(self, run: RunOfApp) -> None:
        self._connection.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?, ?)", (run.epoch, run.revision, run.began_at, run.pid, run.version)
        )

    def _insert_snapshot(self, revision: int, data: bytes) -> None:
        row = (revision, data, zlib.crc32(data), time.time())
        self._connection.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?)", row)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    # Reading.

    @property
    def name(self) -> str:
        """The app's name."""
        with explained(self.directory):
            row = self._connection.execute("SELECT value FROM meta WHERE key = 'name'").fetchone()
        return str(row[0]) if row else ""

    def runs(self) -> list[RunOfApp]:
        """Return the runs of the app, the first one first."""
        with explained(self.directory):
            rows = self._connection.execute("SELECT * FROM runs ORDER BY revision, epoch").fetchall()
        return [RunOfApp(*row) for row in rows]

    def revisions(self) -> range:
        """Return the revisions that can be shown.

        Raises:
            CheckpointError: Some between the oldest and the newest are missing.
        """
        with explained(self.directory), self._reading():
            (oldest,) = self._connection.execute("SELECT min(revision) FROM snapshots").fetchone()
            count, newest = self._connection.execute(
                "SELECT count(*), max(revision) FROM deltas WHERE revision > ?", (oldest,)
            ).fetchone()
        if oldest is None or (count and newest - oldest != count):
            raise damaged(self.directory, "revisions are missing in it")
        return range(oldest, (newest or oldest) + 1)

    def document_at(self, revision: int) -> Document:
        """Return the document as of a revision; fresh.

        Raises:
            CheckpointError: There is no such revision, or the file is damaged.
        """
        with explained(self.directory), self._reading():
            known = self._connection.execute(
                "SELECT document, crc FROM snapshots WHERE revision <= ? ORDER BY revision DESC LIMIT 1", (revision,)
            ).fetchone()
            if known is None:
                raise self._no_such(revision)
            at, document = decode_document(sound(*known))
            rows = self._connection.execute(
                "SELECT changes, crc FROM deltas WHERE revision > ? AND revision <= ? ORDER BY revision",
                (at, revision),
            )
            for row in rows:
                number, changes = decode_changes(sound(*row))
                if number != at + 1:
                    raise damaged(self.directory, f"revision {at + 1} is missing in it")
                apply(document, changes)
                at = number
            if at != revision:
                raise self._no_such(revision)
        return document

    def changes_of(self, revision: int) -> list[Change]:
        """Return the changes of one revision.

        Raises:
            CheckpointError: There is no such delta, or the file is damaged.
        """
        with explained(self.directory):
            row = self._connection.execute("SELECT changes, crc FROM deltas WHERE revision = ?", (revision,)).fetchone()
            if row is None:
                raise self._no_such(revision)
            return decode_changes(sound(*row))[1]

    def newest_snapshot(self) -> tuple[int, int]:
        """Return the revision of the newest snapshot, and its size in bytes."""
        with explained(self.directory):
            row = self._connection.execute(
                "SELECT revision, length(document) FROM snapshots ORDER BY revision DESC LIMIT 1"
            ).fetchone()
        if row is None:
            raise damaged(self.directory, "no snapshot is in it")
        return int(row[0]), int(row[1])

    def size_bytes(self, *, before: int | None = None, after: int = 0) -> int:
        """Return how many bytes documents and deltas take.

        Args:
            before: Count snapshots of older revisions only, and deltas up to this one; None for no limit.
            after: Count newer revisions only.
        """
        with explained(self.directory):
            until = before if before is not None else 1 << 62
            (snapshots,) = self._connection.execute(
                "SELECT total(length(document)) FROM snapshots WHERE revision < ? AND revision > ?", (until, after)
            ).fetchone()
            (deltas,) = self._connection.execute(
                "SELECT total(length(changes)) FROM deltas WHERE revision <= ? AND revision > ?", (until, after)
            ).fetchone()
        return int(snapshots + deltas)

    def check(self) -> list[str]:
        """Return what SQLite finds wrong with the file; empty for nothing."""
        with explained(self.directory):
            found = [str(row[0]) for row in self._connection.execute("PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Let all that is read be of one instant."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def _no_such(self, revision: int) -> CheckpointError:
        there = self.revisions()
        return CheckpointError(
            f"{self.directory}: revision {revision} is not in the checkpoint, which has {there[0]} to {there[-1]}."
        )


def move_log(directory: Path) -> int:
    """Move SQLite's log into the database while somebody else writes, who does not have to wait.

    Returns:
        How many pages are left in the log, because they came meanwhile.

    Threads: Any.
    """
    with explained(directory), contextlib.closing(_connect(directory)) as connection:
        for _ in range(_MOVES):
            _, there, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if there == moved:
                return 0
        return int(there - moved)


def _connect(directory: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(directory / FILE_NAME, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # see `move_log`
    return connection

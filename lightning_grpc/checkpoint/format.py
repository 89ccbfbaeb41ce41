"""What a checkpoint's file is, how it is known, and what is said of one that is not as it should be."""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path

from lightning_grpc.errors import CheckpointError, ProtocolError

FILE_NAME = "checkpoint.db"
LOCK_NAME = "checkpoint.lock"
FORMAT = 1
"""What the file says of itself as SQLite's ``user_version``; a newer one is not read."""
APPLICATION_ID = 0x4C475243
"""What the file says of itself as SQLite's ``application_id``: LGRC."""

SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT)",
    "CREATE TABLE runs (epoch INTEGER PRIMARY KEY, revision INTEGER, began_at REAL, pid INTEGER, version TEXT)",
    "CREATE TABLE snapshots (revision INTEGER PRIMARY KEY, document BLOB, crc INTEGER, made_at REAL)",
    "CREATE TABLE deltas (revision INTEGER PRIMARY KEY, changes BLOB, crc INTEGER, made_at REAL)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FORMAT}",
)


def user_version(connection: sqlite3.Connection) -> int:
    """Return the format that a database says it has; 0 if nothing is in it."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check_kind(directory: Path, connection: sqlite3.Connection) -> bool:
    """Tell whether a checkpoint is in a database; raises if something else is."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    version = user_version(connection)
    if application == 0 and tables == 0 and version == 0:
        return False
    if application != APPLICATION_ID:
        raise CheckpointError(f"{directory}: {FILE_NAME} is a database, but not a checkpoint. Give another directory.")
    if version > FORMAT:
        raise CheckpointError(
            f"{directory}: its checkpoint has format {version}; this version of lightning_grpc knows formats up "
            f"to {FORMAT}. Use the version that has made it, or a newer one."
        )
    return True


def sound(data: object, crc: object) -> bytes:
    """Return the content of a row that is what was written.

    Raises:
        ProtocolError: It is not.
    """
    if not isinstance(data, bytes) or zlib.crc32(data) != crc:
        raise ProtocolError("a row is not what was written")
    return data


def damaged(directory: Path, how: str) -> CheckpointError:
    """Return the error for a checkpoint that cannot be trusted."""
    return CheckpointError(f"{directory}: its checkpoint ({FILE_NAME}) is damaged: {how}. Use a copy, or start afresh.")


@contextlib.contextmanager
def explained(directory: Path) -> Iterator[None]:
    """Make of what SQLite says, or what a row does not, an error that says where and what to do."""
    try:
        yield
    except ProtocolError as error:
        raise damaged(directory, str(error)) from None
    except (sqlite3.OperationalError, OSError) as error:
        raise CheckpointError(
            f"{directory}: its checkpoint ({FILE_NAME}) cannot be used: {error}. Look at the disk's free space and at "
            "who may read and write the directory."
        ) from None
    except sqlite3.DatabaseError as error:
        if "not a database" in str(error):
            raise CheckpointError(f"{directory}: {FILE_NAME} is not a checkpoint. Give another directory.") from None
        raise damaged(directory, str(error)) from None

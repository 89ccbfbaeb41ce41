"""Writes an app's deltas to its checkpoint, on a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lightning_grpc.checkpoint.aside import Aside
from lightning_grpc.checkpoint.file import CheckpointFile, Row, move_log
from lightning_grpc.checkpoint.rows import encode_changes, encode_document
from lightning_grpc.errors import CheckpointError
from lightning_grpc.state.delta import Change

_log = logging.getLogger("lightning_grpc")

COMMIT_S = 0.01
"""What is handed over within this time is written in one transaction; the promise is 50 ms."""
SNAPSHOT_REVISIONS = 2000
"""Deltas between two snapshots, at most."""
SNAPSHOT_BYTES = 1 << 20
"""Bytes of deltas between two snapshots, at least; more while a snapshot itself takes much."""
MOVE_BYTES = 32 << 20
"""About how large SQLite's log gets before it is moved into the database."""
MAX_LOG_BYTES = 128 << 20
"""How large SQLite's log may get before writing waits until it is moved."""
MAX_WAITING = 20_000
"""Revisions that may wait to be written; then the Flow's thread waits."""
MAX_WAITING_BYTES = 64 << 20
_COMMIT_BYTES = 8192  # that a transaction adds to the log beside its rows
_FULL_DEADLINE_S = 60.0
_CLOSE_DEADLINE_S = 60.0


class CheckpointWriter:
    """Takes batches of deltas and writes each as a whole, soon.

    A batch is what one tick has changed, so that a reader never finds a part of a tick. While the disk cannot keep
    up, `add` waits.

    Args:
        file: Where to write; the writer's own from `start` to `close`.
        revision: The last one that is written.
        limit_bytes: How much to keep, about; the oldest snapshot goes, with the deltas up to the next, while there is
            more.

    Threads: `start`, `add` and `close` on the thread that runs the app.
    """

    def __init__(self, file: CheckpointFile, revision: int, *, limit_bytes: int) -> None:
        self._file = file
        self._revision = revision
        self._limit_bytes = limit_bytes
        self._snapshot: Aside[tuple[int, bytes]] = Aside("lightning-grpc-snapshot")
        self._move: Aside[int] = Aside("lightning-grpc-move-log")
        self._unmoved_bytes = 0
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._waiting: list[Row] = []
        self._waiting_bytes = 0
        self._error: CheckpointError | None = None
        self._thread = threading.Thread(target=self._run, name="lightning-grpc-checkpoint", daemon=True)
        at, self._snapshot_bytes = file.newest_snapshot()
        self._since = revision - at
        self._since_bytes = file.size_bytes(after=at)
        self._total_bytes = file.size_bytes()

    @property
    def revision(self) -> int:
        """The last revision that was handed over."""
        return self._revision

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def add(self, deltas: Sequence[list[Change]]) -> None:
        """Hand over the deltas of one tick; they are encoded before this returns.

        Raises:
            CheckpointError: Something could not be written, now or before.
        """
        now = time.time()
        rows = [
            Row(self._revision + i, encode_changes(self._revision + i, each), now) for i, each in enumerate(deltas, 1)
        ]
        with self._changed:
            self._make_room()
            if not self._waiting:
                self._changed.notify_all()
            self._waiting += rows
            self._waiting_bytes += sum(len(row.changes) for row in rows)
            self._revision += len(rows)

    def close(self) -> None:
        """Write what is left and end the thread; the file stays open.

        Raises:
            CheckpointError: Something could not be written.
        """
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_DEADLINE_S)
        if self._thread.is_alive():
            self._error = self._too_slow("the last revisions", _CLOSE_DEADLINE_S)
        self._snapshot.close()
        self._move.close()
        try:
            self._add_snapshot()
            self._move.take()
        except CheckpointError as error:
            self._error = self._error or error
        if self._error is not None:
            raise self._error

    def _make_room(self) -> None:
        deadline_s = time.monotonic() + _FULL_DEADLINE_S
        while self._error is None and (len(self._waiting) >= MAX_WAITING or self._waiting_bytes >= MAX_WAITING_BYTES):
            if not self._changed.wait(max(0.0, deadline_s - time.monotonic())):
                self._error = self._too_slow(f"{len(self._waiting)} revisions", _FULL_DEADLINE_S)
        if self._error is not None:
            raise self._error

    def _too_slow(self, what: str, deadline_s: float) -> CheckpointError:
        return CheckpointError(f"{self._file.directory}: its disk did not take {what} within {deadline_s:.0f} s.")

    def _run(self) -> None:
        try:
            while self._write_some():
                pass
        except CheckpointError as error:
            self._give_up(error)
        except Exception as error:
            _log.exception("the checkpoint's thread failed")
            self._give_up(CheckpointError(f"{self._file.directory}: the checkpoint cannot be written: {error!r}"))

    def _give_up(self, error: CheckpointError) -> None:
        _log.error("the app's checkpoint is no longer written: %s", error)
        with self._changed:
            self._error = error
            self._waiting, self._waiting_bytes = [], 0
            self._changed.notify_all()

    def _write_some(self) -> bool:
        """Write what waits, once something does; returns whether more may come."""
        with self._changed:
            while not self._waiting and not self._closing.is_set():
                self._changed.wait()
            rows, self._waiting, self._waiting_bytes = self._waiting, [], 0
            self._changed.notify_all()
        if not rows:
            return False
        self._file.append(rows)
        written = sum(len(row.changes) for row in rows)
        self._since += len(rows)
        self._since_bytes += written
        self._total_bytes += written
        self._unmoved_bytes += written + _COMMIT_BYTES
        self._look_after(rows[-1].revision)
        self._closing.wait(COMMIT_S)  # so that a busy app is not written transaction by transaction
        return True

    def _look_after(self, revision: int) -> None:
        """See to it that there are snapshots, that history stays within its limit, and SQLite's log too."""
        self._add_snapshot()
        is_due = self._since >= SNAPSHOT_REVISIONS or self._since_bytes >= max(SNAPSHOT_BYTES, 2 * self._snapshot_bytes)
        if is_due and not self._snapshot.is_busy:
            self._since = self._since_bytes = 0
            self._snapshot.start(partial(_make_snapshot, self._file.directory, revision))
        if self._move.take() == 0:
            self._unmoved_bytes = 0
        if self._unmoved_bytes >= MOVE_BYTES and not self._move.is_busy:
            self._move.start(partial(move_log, self._file.directory))
        if self._file.log_bytes >= MAX_LOG_BYTES:
            self._file.empty_log()

    def _add_snapshot(self) -> None:
        """Write the snapshot that was made, if one was, and give up what is too old."""
        made = self._snapshot.take()
        if made is None:
            return
        self._file.add_snapshot(*made)
        self._snapshot_bytes = len(made[1])
        self._total_bytes += self._snapshot_bytes
        while self._total_bytes > self._limit_bytes:
            freed = self._file.drop_oldest()
            if not freed:
                return
            self._total_bytes -= freed


def _make_snapshot(directory: Path, revision: int) -> tuple[int, bytes]:
    """Return a revision and, encoded, the document as of it, made of what is on disk."""
    with contextlib.closing(CheckpointFile.open_to_read(directory)) as file:
        return revision, encode_document(revision, file.document_at(revision))

"""What an app has to do with its checkpoint, from its first revision to its last."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path

from lightning_grpc.checkpoint.file import CheckpointFile, Row, RunOfApp
from lightning_grpc.checkpoint.resume import resume
from lightning_grpc.checkpoint.rows import encode_changes
from lightning_grpc.checkpoint.writer import CheckpointWriter
from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.errors import CheckpointError
from lightning_grpc.state.delta import Change, diff
from lightning_grpc.state.values import Document

_log = logging.getLogger("lightning_grpc")

LIMIT_BYTES = 1 << 30
"""How much history is kept unless the app says otherwise."""


class Checkpoint:
    """The checkpoint of one run of an app.

    Args:
        directory: Where it is, or shall be.
        resuming: Whether the app is to go on from what is there. If not, nothing may be there. If nothing is there,
            the app starts afresh either way.
        limit_bytes: How much history to keep, about.

    Raises:
        CheckpointError: There is a checkpoint and `resuming` is False; or see `CheckpointFile.open_to_write`.

    Threads: All on the thread that runs the app.
    """

    def __init__(self, directory: str | Path, *, resuming: bool, limit_bytes: int = LIMIT_BYTES) -> None:
        if not str(directory):
            raise CheckpointError("the directory of the checkpoint has an empty name; is a variable not set?")
        self._file = CheckpointFile.open_to_write(directory)
        self._limit_bytes = limit_bytes
        self._document: Document | None = None
        self._revision = 0
        self._writer: CheckpointWriter | None = None
        try:
            if self._file.is_empty:
                if resuming:
                    _log.info("There is no checkpoint in %s yet: your app starts afresh.", directory)
            elif not resuming:
                raise CheckpointError(
                    f"{directory}: there is a checkpoint of {self._file.name or 'an app'} already. Resume it "
                    "(--resume, or resume=True), or give another directory."
                )
            else:
                self._revision = self._file.revisions()[-1]
                self._document = self._file.document_at(self._revision)
        except BaseException:
            self._file.close()
            raise

    def resume(self, root: LightningFlow) -> None:
        """Set a freshly made tree to the newest revision, if there is one.

        Raises:
            CheckpointError: The tree is not that of the checkpoint.
        """
        if self._document is None:
            return
        try:
            resume(root, self._document)
        except CheckpointError as error:
            raise CheckpointError(f"{self._file.directory}: {error}") from error
        _log.info("Your app is resumed from revision %d.", self._revision)

    def begin(self, name: str, version: str, epoch: int, document: Document) -> int:
        """Begin to write; what the resumed app's document differs from the last one in is a revision.

        Args:
            name: The app's.
            version: Of this package.
            epoch: This run of it.
            document: As it begins; not kept.

        Returns:
            The revision that `document` has.
        """
        now = time.time()
        if self._document is None:
            self._revision = 1
            self._file.create(name, RunOfApp(epoch, 1, now, os.getpid(), version), document)
        else:
            rows = []
            if changes := diff(self._document, document):
                self._revision += 1
                rows.append(Row(self._revision, encode_changes(self._revision, changes), now))
            self._file.add_run(RunOfApp(epoch, self._revision, now, os.getpid(), version), rows)
            self._document = None
        self._writer = CheckpointWriter(self._file, self._revision, limit_bytes=self._limit_bytes)
        self._writer.start()
        return self._revision

    def add(self, deltas: Sequence[list[Change]]) -> None:
        """Write the deltas of one tick soon; see `CheckpointWriter.add`."""
        if self._writer is not None:
            self._writer.add(deltas)

    def close(self) -> None:
        """Write what is left and let others have the file.

        Raises:
            CheckpointError: Something could not be written.
        """
        try:
            if self._writer is not None:
                self._writer.close()
        finally:
            self._file.close()

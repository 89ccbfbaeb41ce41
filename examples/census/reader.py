"""The Work: reads and parses its share of the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lightning_grpc import LightningWork
from parsing import UnparsableError, parse
from sources import Source
from tally import add, add_unparsable, new_tally


class Reader(LightningWork):
    """Parses files one after another; its tally, changed in place, reaches the Flow by itself.

    Args:
        folder: Where the files are.
        share: The files to read.
    """

    def __init__(self, folder: Path, share: Sequence[Source]) -> None:
        super().__init__(parallel=True)
        self._folder = folder  # private, so it is no state; it travels to the Work's process all the same
        self._share = list(share)
        self.total_files = len(share)
        self.total_bytes = sum(source.size_bytes for source in share)
        self.current = ""
        self.tally = new_tally()

    def run(self) -> None:
        for path, size_bytes in self._share:
            self.current = path
            try:
                findings = parse((self._folder / path).read_bytes())
            except (OSError, UnparsableError) as problem:
                add_unparsable(self.tally, path, size_bytes, str(problem))
            else:
                add(self.tally, path, size_bytes, findings)
        self.current = ""

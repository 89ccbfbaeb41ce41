"""A census of Python source files: Works parse them in parallel, the Flow merges what they find and shows it.

Usage: lightning-grpc run app examples/census/app.py [-- --works N --limit N --folder FOLDER]
"""

from __future__ import annotations

import argparse
import os
import platform
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

from lightning_grpc import LightningApp, LightningFlow
from lightning_grpc.structures import List
from reader import Reader
from screen import Screen, open_screen
from sources import Source, find_sources, split
from tally import merge, new_tally
from view import Picture, ReaderProgress


class Census(LightningFlow):
    """Splits the files among Readers and merges their tallies while they read.

    Args:
        title: What is counted.
        folder: Where the files are.
        shares: The files of each Reader.
        screen: Where it is shown.
    """

    def __init__(self, title: str, folder: Path, shares: Sequence[Sequence[Source]], screen: Screen) -> None:
        super().__init__()
        self.title = title
        self.tally = new_tally()
        self.readers = List(*[Reader(folder, share) for share in shares])
        self._screen = screen
        self._started_s = 0.0

    def run(self) -> None:
        self._started_s = self._started_s or time.monotonic()
        for reader in self.readers:
            reader.run()
        is_done = all(reader.has_succeeded for reader in self.readers)
        if not is_done and not self._screen.is_due():
            return  # something changes at every file; what nobody would see need not be merged
        self.tally = merge(reader.tally for reader in self.readers)
        self._screen.show(self.picture())
        if is_done:
            self._screen.finish(self.picture())
            self.stop()

    def picture(self) -> Picture:
        """Return what there is to show now."""
        readers = tuple(
            ReaderProgress(
                name=f"Work {key}",
                current=reader.current,
                files=reader.tally["files"],
                total_files=reader.total_files,
                bytes=reader.tally["bytes"],
                total_bytes=reader.total_bytes,
            )
            for key, reader in enumerate(self.readers)
        )
        return Picture(self.title, time.monotonic() - self._started_s, readers, self.tally)


def parse_arguments() -> argparse.Namespace:
    """Return the options that stand behind ``--`` on the command line."""
    parser = argparse.ArgumentParser(prog="census", description="Counts what Python source files are made of.")
    parser.add_argument("--works", type=_positive, default=_cpus(), help="Works that read; %(default)s by default")
    parser.add_argument("--limit", type=_positive, help="files to read at most, picked evenly from all")
    parser.add_argument("--folder", type=Path, help="where to look; the standard library by default")
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _cpus() -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(2, usable)


def build_app() -> LightningApp:
    """Return the app that the command line asks for."""
    arguments = parse_arguments()
    title = f"Census of {arguments.folder or f'the standard library of Python {platform.python_version()}'}"
    folder = (arguments.folder or Path(sysconfig.get_paths()["stdlib"])).resolve()
    sources = find_sources(folder, arguments.limit)
    if not sources:
        raise SystemExit(f"There are no Python files below {folder}; give another folder: -- --folder FOLDER")
    return LightningApp(Census(title, folder, split(sources, arguments.works), open_screen()))


app = build_app()

"""Which files there are, and who reads which."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

SKIPPED_FOLDERS = frozenset({"site-packages", "dist-packages", "__pycache__"})


class Source(NamedTuple):
    """A file: its path below the folder that is read, and its size."""

    path: str
    size_bytes: int


def find_sources(folder: Path, limit: int | None = None) -> list[Source]:
    """Return the Python files below a folder, sorted by path; without installed packages.

    Args:
        folder: Where to look, at any depth.
        limit: How many files to return at most; they are picked evenly from all. None returns all.
    """
    sources = sorted(_walk(folder))
    if limit is None or limit >= len(sources):
        return sources
    return [sources[index * len(sources) // limit] for index in range(limit)]


def split(sources: Sequence[Source], shares: int) -> list[list[Source]]:
    """Divide files into shares of about the same number of bytes, each sorted by path.

    The largest file left goes to the share that is the smallest so far. No share is empty: where there are
    fewer files than shares were asked for, there are fewer shares.
    """
    divided: list[list[Source]] = [[] for _ in range(min(shares, len(sources)))]
    sizes = [(0, index) for index in range(len(divided))]
    for source in sorted(sources, key=lambda source: (-source.size_bytes, source.path)):
        size_bytes, index = sizes[0]
        divided[index].append(source)
        heapq.heapreplace(sizes, (size_bytes + max(1, source.size_bytes), index))  # an empty file counts too
    return [sorted(share) for share in divided]


def _walk(folder: Path) -> Iterator[Source]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        for name in names:
            path = Path(parent, name)
            if path.suffix == ".py" and path.is_file():
                yield Source(path.relative_to(folder).as_posix(), path.stat().st_size)

"""How many connections a server may have: as many as the process may have files open, less what it needs itself."""

from __future__ import annotations

import contextlib
import resource

_OWN = 256
"""Files that are kept for the user's code, pipes and logs."""
_FEWEST = 16
"""Connections that a server takes, however few files the process may open."""
_ENOUGH = 65536
"""Files that a server asks for at most."""


def raise_limit() -> int:
    """Let this process open as many files as it may allow itself, and return how many that is.

    A connection is an open file, and the usual limit of 1,024 is the process's own choice. It is inherited by the
    programs that the process starts.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return open_files()
    with contextlib.suppress(OSError, ValueError):  # a system may have a lower limit of its own
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return open_files()


def open_files() -> int:
    """Return how many files this process may open."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _ENOUGH if soft == resource.RLIM_INFINITY else soft


def connection_limit(files: int) -> int:
    """Return how many connections leave the process enough files for everything else.

    Example:
        >>> connection_limit(1024), connection_limit(100)
        (768, 50)
    """
    return max(_FEWEST, files - min(_OWN, files // 2))

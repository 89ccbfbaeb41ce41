"""A question that a person answers with yes or no."""

from __future__ import annotations

import signal
import sys

_YES = frozenset({"y", "yes"})


def is_wanted(question: str) -> bool:
    """Ask on stderr, and return whether the answer was yes; whatever else it is means no.

    Ctrl-C ends the program there and then. Python's own way would miss one that comes between its last look at signals
    and the wait for the answer, and go on to wait.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        sys.stderr.write(f"{question} [y/N]: ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in _YES
    finally:
        signal.signal(signal.SIGINT, before)

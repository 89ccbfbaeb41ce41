"""A line that says what is being waited for, where a person is looking and the wait is long."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

_PATIENCE_S = 0.4


@contextlib.contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """Show on stderr that something is waited for, once it takes a while; nothing if that is no terminal.

    Args:
        what: It in words, such as ``app.py to end``.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        yield
        return
    is_over = threading.Event()
    showing = threading.Thread(target=_show, args=(what, is_over), name="lightning-grpc-progress", daemon=True)
    showing.start()
    try:
        yield
    finally:
        is_over.set()
        showing.join()


def _show(what: str, is_over: threading.Event) -> None:
    if is_over.wait(_PATIENCE_S):
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status(f"waiting for {escape(what)}"):
        is_over.wait()

"""Says where a Flow's run spends its time, when that is too long."""

from __future__ import annotations

import logging
import os
import sys
import sysconfig
import threading
import time
from types import FrameType

_log = logging.getLogger("lightning_grpc")

SLOW_RUN_S = 1.0
"""A run of the root that takes longer is warned of, once per app: nothing else is coordinated meanwhile."""
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_STANDARD_LIBRARY = sysconfig.get_paths()["stdlib"]


class Watchdog:
    """Looks at the run that is under way, from another thread.

    Threads: `began` and `ended` on the thread that runs the Flow, which must make the watchdog; `look` on any other.
    """

    def __init__(self) -> None:
        self._thread_id = threading.get_ident()
        self._began_s: float | None = None
        self._has_warned = False

    def began(self) -> None:
        """Note that a run has begun."""
        self._began_s = time.monotonic()

    def ended(self) -> float:
        """Note that the run is over; returns how long it took, in seconds."""
        began_s, self._began_s = self._began_s, None
        return time.monotonic() - began_s if began_s is not None else 0.0

    def under_way_s(self) -> float | None:
        """Return how long the run that is under way has taken so far; None if there is none. On any thread."""
        began_s = self._began_s
        return None if began_s is None else time.monotonic() - began_s

    def look(self) -> None:
        """Warn, once, of a run that is under way for too long, and say where it is."""
        began_s = self._began_s
        if began_s is None or self._has_warned or time.monotonic() - began_s < SLOW_RUN_S:
            return
        where = self._where()
        if where and self._began_s == began_s:
            self._has_warned = True
            _log.warning(
                "the Flow's run has taken more than %.0f s and is at %s; nothing else of the app is coordinated "
                "meanwhile: long jobs belong into a Work",
                SLOW_RUN_S,
                where,
            )

    def _where(self) -> str:
        innermost = frame = sys._current_frames().get(self._thread_id)
        while frame is not None and not _is_users(frame):
            frame = frame.f_back
        frame = frame or innermost
        if frame is None:
            return ""
        return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


def _is_users(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    if file.startswith(("<frozen", _PACKAGE)):
        return False
    return "site-packages" in file or not file.startswith(_STANDARD_LIBRARY)

"""What others want done on the thread that runs the Flow, between two runs of the root."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any

from lightning_grpc.coordinator.events import Asked
from lightning_grpc.coordinator.inbox import Inbox
from lightning_grpc.errors import AppEndedError, BusyError, FlowFailedError, RequestSuspendedError
from lightning_grpc.signals import FlowSuspended, LightningFlowException

MAX_WAITING = 256
"""Requests that may wait for the Flow's thread; more are refused."""


class Requests:
    """Passes requests to the Flow's thread, as events, and makes sure that each is answered.

    Args:
        inbox: Where the Flow's thread finds them.

    Threads: `ask` on any thread; `close` on the Flow's.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._lock = threading.Lock()
        self._waiting: set[Future[Any]] = set()
        self._ended = False

    def ask(self, what: str, act: Callable[[], Any]) -> Future[Any]:
        """Have a function called between two runs of the root.

        Args:
            what: It in words, such as ``command greet``; a cause of the run that follows, if it writes anything.
            act: The function; it may read and write all components.

        Returns:
            Its result; or what it raised; or `AppEndedError`, if the app ends first.

        Raises:
            AppEndedError: The app has ended.
            BusyError: Too many are waiting.
        """
        answer: Future[Any] = Future()
        with self._lock:
            if self._ended:
                raise AppEndedError(f"the app has ended; {what} was not done")
            if len(self._waiting) >= MAX_WAITING:
                raise BusyError(f"{MAX_WAITING} requests wait for the app's Flow already; try again later")
            self._waiting.add(answer)
        answer.add_done_callback(self._done)
        self._inbox.put(Asked(what, act, answer))
        return answer

    def close(self) -> None:
        """Refuse what is still waiting, and all that comes later."""
        with self._lock:
            self._ended = True
            waiting = list(self._waiting)
        for answer in waiting:
            with contextlib.suppress(InvalidStateError):  # answered, or given up, just now
                answer.set_exception(AppEndedError("the app has ended"))

    def _done(self, answer: Future[Any]) -> None:
        with self._lock:
            self._waiting.discard(answer)


def told(what: str, left_by: BaseException) -> Exception:
    """Return what the asker is told of what a request was left by; always something that can be raised anywhere.

    Args:
        what: The request, in words.
        left_by: What it was left by.
    """
    if isinstance(left_by, FlowSuspended):
        return RequestSuspendedError(what, str(left_by))
    if isinstance(left_by, LightningFlowException):
        return FlowFailedError(f"{what} has called fail(): {str(left_by) or 'no message'}")
    if isinstance(left_by, Exception) and not isinstance(left_by, StopIteration | StopAsyncIteration):
        return left_by
    if isinstance(left_by, KeyboardInterrupt | SystemExit):
        return AppEndedError(f"the app is ending, and {what} with it ({type(left_by).__name__})")
    error = RuntimeError(f"{what} raised {type(left_by).__name__}: {left_by}")
    error.__cause__ = left_by
    return error

"""Asks the Flow's thread on behalf of a request, and says in HTTP's terms what became of it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from starlette.exceptions import HTTPException

from lightning_grpc.errors import (
    AppEndedError,
    BusyError,
    FlowFailedError,
    RequestSuspendedError,
    UpdateConflictError,
    UpdateRefusedError,
)
from lightning_grpc.service.running_app import RunningApp

_log = logging.getLogger("lightning_grpc")

T = TypeVar("T")

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (UpdateConflictError, 409),
    (UpdateRefusedError, 422),
    (RequestSuspendedError, 409),
    (BusyError, 429),
    (FlowFailedError, 500),
    (AppEndedError, 503),
)


async def ask(running: RunningApp, what: str, act: Callable[[], T], timeout_s: float) -> T:
    """Have a function called between two runs of the root, and return its result.

    Args:
        running: The app.
        what: It in words, such as ``POST /v1/items``.
        act: The function; it may read and write all components.
        timeout_s: How long to wait.

    Raises:
        HTTPException: What `act` raised, if it is one; else one with the status that says what happened: 409 it called
            a Work that blocks, 429 too many requests wait, 500 it raised something else or called ``fail()``, 503 the
            app has ended, 504 the Flow was too slow.
    """
    claim = threading.Lock()  # of who comes first: the Flow's thread, or the deadline

    def act_in_time() -> T:
        if not claim.acquire(blocking=False):
            raise TimeoutError
        return act()

    try:
        async with asyncio.timeout(timeout_s):
            try:
                return await running.ask(what, act_in_time)
            except Exception as error:
                failure = error
    except TimeoutError:
        what_became = "it was not done" if claim.acquire(blocking=False) else "it has begun, and goes on"
        raise HTTPException(
            504, f"{what} was not answered within {timeout_s:g} s, because the app's Flow is busy; {what_became}"
        ) from None
    raise answer_to(what, failure)


def answer_to(what: str, failure: Exception) -> HTTPException:
    """Return the answer that an exception amounts to; one that nobody expects is logged with its traceback."""
    if isinstance(failure, HTTPException):
        return failure
    for kind, status in _STATUS:
        if isinstance(failure, kind):
            return HTTPException(status, str(failure), headers={"Retry-After": "1"} if status == 429 else None)
    return unexpected(what, failure)


def unexpected(what: str, failure: BaseException) -> HTTPException:
    """Return the answer to an exception of the user's code, after it was logged with its traceback."""
    _log.error("%s raised %s", what, type(failure).__name__, exc_info=failure)
    return HTTPException(500, f"{type(failure).__name__}: {failure}")

"""Calls handlers that are plain functions: they may block, so each call has a thread, and only so many have one."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException

MAX_CALLS = 40
"""Calls of one server that may be under way at a time, those that nobody waits for any more included."""


class FunctionCalls:
    """Calls functions on threads of their own, and gives them up when they take too long.

    Threads: Belongs to the server's loop. The threads do not keep the process from ending.
    """

    def __init__(self) -> None:
        self._under_way = 0

    async def call(self, what: str, function: Callable[[], Any], timeout_s: float) -> Any:
        """Call a function and return its result, or raise what it raises.

        Args:
            what: It in words, such as ``GET /slow``.
            function: The function.
            timeout_s: How long it may take.

        Raises:
            HTTPException: 429 too many are under way; 504 it took too long, and goes on.
        """
        if self._under_way >= MAX_CALLS:
            raise HTTPException(
                429, f"{MAX_CALLS} calls of this app's functions are under way already; try again later"
            )
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        context = contextvars.copy_context()

        def work() -> None:
            result, error = None, None
            try:
                result = context.run(function)
            except BaseException as raised:
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is interested any more
                loop.call_soon_threadsafe(self._done, answer, result, error)

        self._under_way += 1
        threading.Thread(target=work, name=f"handler of {what}", daemon=True).start()
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            if answer.done() and not answer.cancelled():
                raise  # it was the function's own
            raise HTTPException(504, f"{what} was not done within {timeout_s:g} s; it goes on all the same") from None

    def _done(self, answer: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        self._under_way -= 1
        if answer.done():
            return
        if error is None:
            answer.set_result(result)
        elif isinstance(error, StopIteration):  # which no future takes
            answer.set_exception(RuntimeError(f"StopIteration: {error}"))
        else:
            answer.set_exception(error)

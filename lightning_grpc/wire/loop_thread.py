"""The thread on whose loop all clients live that code without ``await`` uses; there is one in a process."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

_END_S = 2.0
_LOOK_S = 0.2
"""So late is Ctrl-C noticed that comes right before a thread goes to sleep, which does not wake it."""

P = ParamSpec("P")
T = TypeVar("T")


class Closable(Protocol):
    """A client that lives on the loop."""

    async def close(self) -> None:
        """Close its connection."""


class _Order(Generic[T]):
    """A coroutine that one thread wants the loop to run, and waits for.

    What a `concurrent.futures.Future` does, but for its locks, which Python code takes and leaves: Ctrl-C in between
    would leave one taken, and the loop would wait for it for ever. Here the only lock is taken by C alone.
    """

    def __init__(self, make: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._make = make
        self._task: asyncio.Task[T] | None = None
        self._is_given_up = False
        self._over = threading.Lock()
        self._over.acquire()

    def begin(self) -> None:
        """Run it; on the loop."""
        if not self._is_given_up:
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(lambda _: self._over.release())

    async def _run(self) -> T:
        return await self._make()

    def give_up(self) -> None:
        """Cancel it, whether it has begun or not; on the loop."""
        self._is_given_up = True
        if self._task is not None:
            self._task.cancel()

    def result(self) -> T:
        """Wait until it is over, and return its result."""
        while not self._over.acquire(timeout=_LOOK_S):
            pass
        assert self._task is not None
        if self._task.cancelled():
            raise CancelledError
        return self._task.result()


class _LoopThread:
    """The loop of all clients of this process, made when it is first needed, and ended with the interpreter."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._has_ended = False
        self.clients: weakref.WeakSet[Closable] = weakref.WeakSet()

    def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run the coroutine that is made and return its result; left early, by Ctrl-C, say, it is cancelled.

        Raises:
            _InterpreterEnds: The interpreter is ending; the coroutine is not made.
        """
        loop = self._running_loop()
        if loop is None:
            raise _InterpreterEnds
        order = _Order(make)
        try:
            loop.call_soon_threadsafe(order.begin)
            return order.result()
        except BaseException:
            loop.call_soon_threadsafe(order.give_up)
            raise

    def _running_loop(self) -> asyncio.AbstractEventLoop | None:
        with self._lock:
            if self._has_ended:
                return None
            if self._loop is None or self._pid != os.getpid():  # threads are not inherited by a fork
                if self._loop is None:
                    atexit.register(self.end)
                loop = self._loop = asyncio.new_event_loop()
                self._pid = os.getpid()
                self._thread = threading.Thread(target=loop.run_forever, name="lightning-grpc-client", daemon=True)
                self._thread.start()
            return self._loop

    def end(self) -> None:
        """End what is left open, and the thread, before the interpreter freezes it."""
        with self._lock:
            self._has_ended = True
            loop, thread = self._loop, self._thread
        if loop is None or thread is None or self._pid != os.getpid():
            return
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(self._close(), loop).result(_END_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_END_S)

    async def _close(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_asyncgens()
        await asyncio.gather(*(client.close() for client in list(self.clients)), return_exceptions=True)


class _InterpreterEnds(RuntimeError):  # noqa: N818 - no error of anybody's
    """The interpreter is ending, and the thread of the clients has ended."""


_thread = _LoopThread()


def run(function: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a coroutine function on the loop and return its result; left early, by Ctrl-C, say, it is cancelled."""
    return _thread.run(lambda: function(*args, **kwargs))


def note_client(client: Closable) -> None:
    """Have a client closed when the interpreter ends, if it is still there."""
    _thread.clients.add(client)


def iterate(stream: AsyncGenerator[T, None]) -> Iterator[T]:
    """Yield what an asynchronous generator does, and close it when nobody wants more."""
    step: asyncio.Task[Any] | None = None

    async def next_item() -> T | None:
        nonlocal step
        step = asyncio.current_task()
        return await anext(stream, None)

    async def close() -> None:
        async with asyncio.timeout(_END_S):
            if step is not None and not step.done():  # Ctrl-C came before its future was there to be cancelled
                step.cancel()
                await asyncio.wait([step])
            await stream.aclose()

    try:
        while (item := run(next_item)) is not None:
            yield item
    finally:
        with contextlib.suppress(_InterpreterEnds):  # which has closed it
            run(close)

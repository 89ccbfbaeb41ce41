"""Talks to the Works: starts their processes, follows their state, passes calls on, notices their end.

Everything here runs on one asyncio loop on the thread ``lightning-grpc-coordinator``, made once per app; each
Work's process has a `Link` there. Events go to the inbox; commands come in by `Supervisor.carry_out`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Protocol

from lightning_grpc.coordinator.events import (
    AttachWork,
    Command,
    ResyncWork,
    RunWork,
    StartWork,
    StopWork,
    UpdateWork,
)
from lightning_grpc.coordinator.inbox import Inbox
from lightning_grpc.coordinator.link import Link
from lightning_grpc.coordinator.local_link import LocalLink
from lightning_grpc.coordinator.remote_link import RemoteLink
from lightning_grpc.errors import LightningGrpcError
from lightning_grpc.runtimes.base import Runtime
from lightning_grpc.wire import tracing

_log = logging.getLogger("lightning_grpc")

_LOOK_S = 0.25
_CLOSE_DEADLINE_S = 8.0
_GUEST_START_S = 10.0
_GUEST_STOP_S = 3.0


class Guest(Protocol):
    """What lives on the supervisor's loop as long as the app, beside the links: a server, say."""

    @property
    def title(self) -> str:
        """What it is, for people."""

    async def start(self) -> None:
        """Begin; the app does not wait for it, and runs on without it if this raises or takes more than 10 s."""

    async def stop(self) -> None:
        """End, within 3 s: the app's last revision is known. Called whether `start` went well or not."""


class Supervisor:
    """Owns the loop, its thread, the runtime and the links.

    Args:
        runtime: Where Works are started.
        inbox: Where events go.

    Threads: `start`, `receive`, `carry_out`, `kill_all`, `post`, `end_works` and `close` on the coordinator's thread;
        the rest on the loop.
    """

    def __init__(self, runtime: Runtime, inbox: Inbox) -> None:
        self.runtime = runtime
        self.inbox = inbox
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="lightning-grpc-coordinator", daemon=True)
        self._links: dict[tuple[str, int], Link] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._guests: list[tuple[Guest, asyncio.Task[None]]] = []

    def start(self, look: Callable[[], None]) -> None:
        """Start the thread, on which `look` is called now and then.

        Raises:
            ConfigurationError: Tracing is switched on and cannot be had.
        """
        tracing.prepare()
        self._thread.start()
        self.post(self._look_again, look)

    def _look_again(self, look: Callable[[], None]) -> None:
        self._loop.call_later(_LOOK_S, self._look_again, look)
        look()
        for link in self._links.values():
            link.look(self._loop.time())

    def post(self, callback: Any, *args: Any) -> None:
        """Have something called on the loop soon."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is interested any more
            self._loop.call_soon_threadsafe(callback, *args)

    def carry_out(self, commands: Sequence[Command]) -> None:
        """Have commands carried out, in order."""
        if commands:
            self.post(self._carry_out, [_traced(each) for each in commands])

    def kill_all(self) -> None:
        """End every process at once, by force."""
        self.post(self._kill_all)

    def silent_s(self) -> dict[tuple[str, int], float]:
        """Return how long ago each process of a Work was heard, by name and incarnation; on any thread."""
        now_s = self._loop.time()
        heard = [(key, link.heard_s) for key, link in list(self._links.items())]
        return {key: max(0.0, now_s - heard_s) for key, heard_s in heard if heard_s is not None}

    def receive(self, guest: Guest) -> None:
        """Have a guest live on the loop until `close`."""
        self.post(self._receive, guest)

    def end_works(self) -> None:
        """End what is left of the Works; the loop goes on."""
        self._finish(self._end_works(), "the Works could not be ended in order")

    def close(self) -> None:
        """End what is left and the thread with it."""
        self._finish(self._close(), "the supervisor could not be closed in order")
        if self._thread.is_alive():
            self.post(self._loop.stop)
            self._thread.join(_CLOSE_DEADLINE_S)

    def _finish(self, coroutine: Coroutine[Any, Any, None], otherwise: str) -> None:
        """Run a coroutine to its end, on the loop."""
        if not self._thread.is_alive():
            coroutine.close()
            return
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            future.result(_CLOSE_DEADLINE_S)
        except Exception:  # the app's own outcome matters more
            _log.exception(otherwise)

    def spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run a coroutine as a named task of this supervisor."""
        task = self._loop.create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("task %r failed", task.get_name(), exc_info=task.exception())

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _carry_out(self, commands: Sequence[Command]) -> None:
        for command in commands:
            key = command.work, command.incarnation
            if isinstance(command, StartWork | AttachWork):
                link: Link
                if isinstance(command, AttachWork):
                    link = RemoteLink(self, command)
                else:
                    link = LocalLink(self, *key, command.package)
                self._links[key] = link
                self.spawn(self._live(link), f"life of {command.work}")
                continue
            known = self._links.get(key)
            if known is None:
                continue  # its end has been told, or is about to be
            if isinstance(command, RunWork | UpdateWork):
                known.order(command)
            elif isinstance(command, StopWork):
                known.stop(command)
            elif isinstance(command, ResyncWork):
                known.resync(command)
            elif isinstance(known, RemoteLink):
                known.drop(command.call_id)

    async def _live(self, link: Link) -> None:
        try:
            await link.live()
        finally:
            del self._links[link.work, link.incarnation]

    def _kill_all(self) -> None:
        for link in self._links.values():
            self.spawn(link.kill(), f"kill {link.work}")

    async def _end_works(self) -> None:
        tasks = self._tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.runtime.close()

    async def _close(self) -> None:
        await self._end_works()
        await asyncio.gather(*(self._dismiss(guest, starting) for guest, starting in self._guests))

    def _receive(self, guest: Guest) -> None:
        starting = self._loop.create_task(self._welcome(guest), name=f"start of {guest.title}")
        self._guests.append((guest, starting))

    async def _welcome(self, guest: Guest) -> None:
        try:
            await asyncio.wait_for(guest.start(), _GUEST_START_S)
        except TimeoutError:
            _log.warning("%s was not there after %.0f s; the app runs on without it", guest.title, _GUEST_START_S)
        except (LightningGrpcError, OSError) as error:
            _log.warning("%s could not be started, the app runs on without it: %s", guest.title, error)
        except Exception:
            _log.exception("%s could not be started, the app runs on without it", guest.title)

    async def _dismiss(self, guest: Guest, starting: asyncio.Task[None]) -> None:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        try:
            await asyncio.wait_for(guest.stop(), _GUEST_STOP_S)
        except Exception:
            _log.exception("%s could not be stopped in order", guest.title)


def _traced(command: Command) -> Command:
    """Return a command with the trace that it belongs to; on the thread on which the Flow has asked for it."""
    if not isinstance(command, RunWork):
        return command
    trace = tracing.called(command.work, command.call_id, command.call_hash)
    return replace(command, trace=trace) if trace else command

"""Talks to the Works: starts their processes, follows their state, passes calls on, notices their end.

Everything here runs on one asyncio loop on the thread ``lightning-grpc-coordinator``, made once per app.
Each Work's process has a `Link` with two tasks: one that follows the process's life, one that follows its
state; a third passes calls on. Events go to the inbox; commands come in by `Supervisor.carry_out`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from lightning_grpc.coordinator.backlog import Backlog
from lightning_grpc.coordinator.events import (
    Command,
    FramesReceived,
    ResyncWork,
    RunRefused,
    RunWork,
    StartWork,
    StateLost,
    StopWork,
    WorkExited,
    WorkReachable,
    WorkStarted,
    WorkStartFailed,
    WorkUnreachable,
)
from lightning_grpc.coordinator.inbox import Inbox
from lightning_grpc.errors import LightningGrpcError, RuntimeStartError, TransportError
from lightning_grpc.runtimes.base import Runtime, WorkHandle
from lightning_grpc.state.subscription import Accepted, Foreign, Frame, Resync, Subscription
from lightning_grpc.wire.client import WorkChannel

_log = logging.getLogger("lightning_grpc")

UNREACHABLE_AFTER_S = 3.0
"""A Work that was not heard for this long is shown as unreachable; it sends a bookmark every second."""
STOP_GRACE_S = 3.0
"""How long a Work may take to end before it is ended by force."""
_WATCH_S = 0.5
_LOOK_S = 0.25
_LAST_WORDS_S = 1.0
_MAX_FAULTS = 5
_BACKOFF_S = (0.02, 1.0)
_CLOSE_DEADLINE_S = 8.0


class Link:
    """The connection to one process of a Work.

    Args:
        supervisor: Whose it is.
        work: The Work's name.
        incarnation: Which of its processes.
    """

    def __init__(self, supervisor: Supervisor, work: str, incarnation: int) -> None:
        self._supervisor = supervisor
        self._inbox = supervisor.inbox
        self.work = work
        self.incarnation = incarnation
        self._starting: asyncio.Task[WorkHandle] | None = None
        self._handle: WorkHandle | None = None
        self._channel: WorkChannel | None = None
        self._orders: asyncio.Queue[RunWork] = asyncio.Queue()  # bounded by the calls the Flow has under way
        self._subscription = Subscription()
        self._backlog = Backlog()
        self._stopping: StopWork | None = None
        self._heard_s = 0.0
        self._unreachable = False
        self._has_accepted = False
        self._stream: asyncio.Task[None] | None = None

    async def live(self, package: bytes) -> None:
        """Follow the process from its start to its end."""
        runtime = self._supervisor.runtime
        self._starting = asyncio.get_running_loop().create_task(
            runtime.start(self.work, package), name=f"start of {self.work}"
        )
        if self._stopping is not None:
            self._starting.cancel()
        try:
            handle = self._handle = await self._starting
        except RuntimeStartError as error:
            self._inbox.put(WorkStartFailed(self.work, self.incarnation, str(error)))
            return
        except asyncio.CancelledError:
            self._inbox.put(WorkExited(self.work, self.incarnation, "was ended before it served"))
            return
        self._inbox.put(WorkStarted(self.work, self.incarnation, handle.epoch, handle.pid))
        self._channel = WorkChannel(handle.address, self.work, runtime.token)
        self._subscription = Subscription(handle.epoch)
        self._heard_s = asyncio.get_running_loop().time()
        self._stream = self._supervisor.spawn(self._follow(), f"state of {self.work}")
        helpers = [
            self._supervisor.spawn(self._pass_on_orders(handle), f"calls of {self.work}"),
            self._supervisor.spawn(self._watch(), f"watch over {self.work}"),
        ]
        try:
            how = await handle.exited
            await self._hear_last_words()
        finally:
            for task in (self._stream, *helpers):
                task.cancel()
            await asyncio.gather(self._stream, *helpers, return_exceptions=True)
            await self._channel.close()
        self._inbox.put(WorkExited(self.work, self.incarnation, str(how)))

    def order(self, command: RunWork) -> None:
        """Pass a call on, after those before it."""
        self._orders.put_nowait(command)

    def stop(self, command: StopWork) -> None:
        """End the process: by request, then by signal, then by force. One that does not serve yet, by force."""
        if self._stopping is not None:
            return
        self._stopping = command
        if self._handle is not None:
            self._supervisor.spawn(self._end(command), f"end of {self.work}")
        elif self._starting is not None:
            self._starting.cancel()

    async def kill(self) -> None:
        """End the process by force."""
        if self._handle is not None:
            await self._supervisor.runtime.signal(self._handle, signal.SIGKILL)
        elif self._starting is not None:
            self._starting.cancel()

    def resync(self, command: ResyncWork) -> None:
        """Give the stream up and ask for a snapshot, unless one is awaited already."""
        if self._subscription.revision == 0:
            return
        self._subscription.broken(command.reason)
        if self._stream is not None:
            self._stream.cancel()
            self._stream = self._supervisor.spawn(self._follow(), f"state of {self.work}")

    async def _hear_last_words(self) -> None:
        """Let the stream be read to its end, as long as anything comes."""
        assert self._stream is not None
        loop = asyncio.get_running_loop()
        self._heard_s = loop.time()
        while not self._stream.done() and loop.time() - self._heard_s < _LAST_WORDS_S:
            await asyncio.wait([self._stream], timeout=_LAST_WORDS_S / 4)

    async def _end(self, command: StopWork) -> None:
        handle, runtime = self._handle, self._supervisor.runtime
        assert handle is not None
        assert self._channel is not None
        try:
            await self._channel.stop(STOP_GRACE_S, command.reason, deadline_s=STOP_GRACE_S / 3)
        except LightningGrpcError:
            await runtime.signal(handle, signal.SIGTERM)
        if not await self._gone_within(STOP_GRACE_S):
            await runtime.signal(handle, signal.SIGKILL)

    async def _gone_within(self, seconds: float) -> bool:
        assert self._handle is not None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._handle.exited), seconds)
        return self._handle.exited.done()

    async def _follow(self) -> None:
        """Keep a stream open until the process is gone; resume it by revision when it breaks."""
        assert self._handle is not None
        backoff_s = _BACKOFF_S[0]
        faults = 0
        while not self._handle.exited.done():
            self._has_accepted = False
            fault: Exception | None = None
            try:
                await self._read_stream()
            except TransportError as error:
                _log.debug("%s: the stream broke: %s", self.work, error)
            except Exception as error:
                fault = error
            if self._has_accepted:  # however it ended, it was good for something
                backoff_s, faults = _BACKOFF_S[0], 0
            if fault is not None:
                faults += 1
                _log.warning("%s: the stream is given up and opened again: %s", self.work, fault)
                self._subscription.broken(str(fault))
                if faults >= _MAX_FAULTS:
                    self._inbox.put(StateLost(self.work, self.incarnation, f"its state cannot be followed: {fault}"))
                    return
            if await self._gone_within(backoff_s * random.uniform(0.5, 1.0)):  # noqa: S311 - jitter
                return
            backoff_s = min(backoff_s * 2, _BACKOFF_S[1])

    async def _read_stream(self) -> None:
        """Read one stream to its end."""
        assert self._handle is not None
        assert self._channel is not None
        loop = asyncio.get_running_loop()
        stream = self._channel.state_delta(self._handle.epoch, self._subscription.opened())
        async with contextlib.aclosing(stream):
            async for frames in stream:
                self._heard_s = loop.time()
                accepted, goes_on = self._judge(frames)
                if accepted:
                    self._has_accepted = True
                    goes_on = self._deliver(accepted) and goes_on
                if not goes_on:
                    break

    def _judge(self, frames: Sequence[Frame]) -> tuple[list[Frame], bool]:
        """Return the frames that are to be applied, and whether the stream goes on."""
        accepted: list[Frame] = []
        for frame in frames:
            verdict = self._subscription.receive(frame)
            if isinstance(verdict, Accepted):
                accepted.append(frame)
            elif isinstance(verdict, Resync):
                _log.warning("%s: asking for a snapshot: %s", self.work, verdict.reason)
                return accepted, False
            elif isinstance(verdict, Foreign):
                _log.warning("%s: epoch %d answers where %s was", self.work, verdict.epoch, self._subscription.epoch)
                return accepted, False
        return accepted, True

    def _deliver(self, frames: list[Frame]) -> bool:
        """Hand frames to the Flow's thread; returns whether it has room for more."""
        try:
            if self._backlog.add(frames):
                self._inbox.put(self._take_frames)
        except OverflowError as error:
            _log.debug("%s: asking for a snapshot: %s", self.work, error)
            self._subscription.broken(str(error))
            return False
        return True

    def _take_frames(self) -> FramesReceived:
        frames, resyncs = self._backlog.take(), self._subscription.resyncs
        return FramesReceived(self.work, self.incarnation, frames, self._backlog.conflated, resyncs)

    async def _pass_on_orders(self, handle: WorkHandle) -> None:
        assert self._channel is not None
        while True:
            order = await self._orders.get()
            refusal = await self._pass_on(order, handle, self._channel)
            if refusal is not None:
                self._inbox.put(RunRefused(self.work, self.incarnation, order.call_hash, order.call_id, refusal))

    async def _pass_on(self, order: RunWork, handle: WorkHandle, channel: WorkChannel) -> str | None:
        """Ask until the Work has heard; it knows a repeated request by its id. Returns why it refused."""
        backoff_s = _BACKOFF_S[0]
        while not handle.exited.done():
            try:
                await channel.run(
                    order.call_id,
                    order.call_hash,
                    order.args,
                    order.kwargs,
                    order.attributes,
                    epoch=handle.epoch,
                    requested_at_s=order.requested_at_s,
                )
            except TransportError:  # not there, or its queue is full
                await asyncio.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, _BACKOFF_S[1])
            except LightningGrpcError as error:
                return str(error)
            else:
                return None
        return None  # the end of the process is told by another event

    async def _watch(self) -> None:
        """Tell when the Work falls silent, and when it is heard again."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_WATCH_S)
            silent_s = loop.time() - self._heard_s
            if silent_s > UNREACHABLE_AFTER_S and not self._unreachable:
                self._unreachable = True
                message = f"no sign of life for {silent_s:.1f} s"
                self._inbox.put(WorkUnreachable(self.work, self.incarnation, message))
            elif self._unreachable and silent_s < UNREACHABLE_AFTER_S:
                self._unreachable = False
                self._inbox.put(WorkReachable(self.work, self.incarnation))


class Supervisor:
    """Owns the loop, its thread, the runtime and the links.

    Args:
        runtime: Where Works are started.
        inbox: Where events go.

    Threads: `start`, `carry_out`, `kill_all`, `post` and `close` on the coordinator's thread; the rest on the loop.
    """

    def __init__(self, runtime: Runtime, inbox: Inbox) -> None:
        self.runtime = runtime
        self.inbox = inbox
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="lightning-grpc-coordinator", daemon=True)
        self._links: dict[tuple[str, int], Link] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, look: Callable[[], None]) -> None:
        """Start the thread, on which `look` is called now and then."""
        self._thread.start()
        self.post(self._look_again, look)

    def _look_again(self, look: Callable[[], None]) -> None:
        look()
        self._loop.call_later(_LOOK_S, self._look_again, look)

    def post(self, callback: Any, *args: Any) -> None:
        """Have something called on the loop soon."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is interested any more
            self._loop.call_soon_threadsafe(callback, *args)

    def carry_out(self, commands: Sequence[Command]) -> None:
        """Have commands carried out, in order."""
        if commands:
            self.post(self._carry_out, commands)

    def kill_all(self) -> None:
        """End every process at once, by force."""
        self.post(self._kill_all)

    def close(self) -> None:
        """End what is left and the thread with it."""
        if not self._thread.is_alive():
            return
        future = asyncio.run_coroutine_threadsafe(self._close(), self._loop)
        try:
            future.result(_CLOSE_DEADLINE_S)
        except Exception:  # the app's own outcome matters more
            _log.exception("the supervisor could not be closed in order")
        self.post(self._loop.stop)
        self._thread.join(_CLOSE_DEADLINE_S)

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
            if isinstance(command, StartWork):
                link = self._links[key] = Link(self, *key)
                self.spawn(self._live(link, command.package), f"life of {command.work}")
                continue
            known = self._links.get(key)
            if known is None:
                continue  # its end has been told, or is about to be
            if isinstance(command, RunWork):
                known.order(command)
            elif isinstance(command, StopWork):
                known.stop(command)
            else:
                known.resync(command)

    async def _live(self, link: Link, package: bytes) -> None:
        try:
            await link.live(package)
        finally:
            del self._links[link.work, link.incarnation]

    def _kill_all(self) -> None:
        for link in self._links.values():
            self.spawn(link.kill(), f"kill {link.work}")

    async def _close(self) -> None:
        tasks = self._tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.runtime.close()

"""The life of a Work's process, from a Work object to the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable

from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import ConfigurationError, LightningGrpcError
from lightning_grpc.wire import tracing
from lightning_grpc.wire.credentials import ServerTls
from lightning_grpc.wire.options import MAX_STREAMS
from lightning_grpc.wire.protocol import WORK_SERVICE
from lightning_grpc.wire.server import Server
from lightning_grpc.worker.metrics import WorkProcessMetrics
from lightning_grpc.worker.output import OutputLog
from lightning_grpc.worker.publisher import STATE_LIMIT_BYTES, Publisher
from lightning_grpc.worker.runner import Runner, handling_signals
from lightning_grpc.worker.service import WorkServicer
from lightning_grpc.worker.signal_wakeup import SignalWakeup
from lightning_grpc.worker.standing import StandaloneRules

DEFAULT_GRACE_S = 3.0
"""How long an ending Work may take before it is ended by force."""
_DRAIN_S = 1.0  # for subscribers to receive the last revision
_START_DEADLINE_S = 30.0
_NUDGES_S = (0.001, 0.05, 0.5)
"""So long after a signal the main thread is nudged: it may be about to go to sleep once more."""
_ASKED_TO_END = (signal.SIGTERM, signal.SIGINT)
"""Ask a Work to end; the first of them one of an app, too."""


class WorkProcess:
    """Hosts one Work in this process.

    The main thread executes the user's code. The thread ``lightning-grpc-serve`` owns the asyncio loop, which
    serves gRPC and takes cuts; it is made once and lives as long as the process.

    Args:
        work: The Work, whose attributes are declared.
        address: Where to listen.
        token: What callers must carry; None for no token.
        parent_pid: If given, the process ends when that parent is gone.
        state_limit_bytes: How large the Work's state may be, about.
        tls: How the server proves who it is; None to listen in plain text.
        standalone: What is different for a Work without an app; None for one of an app. With it, the first SIGTERM or
            Ctrl-C drains: no run is begun any more, and the one under way may be finished.
    """

    def __init__(
        self,
        work: LightningWork,
        *,
        address: str,
        token: str | None,
        parent_pid: int | None = None,
        state_limit_bytes: int = STATE_LIMIT_BYTES,
        tls: ServerTls | None = None,
        standalone: StandaloneRules | None = None,
    ) -> None:
        refuse_free_threading()
        work.__dict__.pop("run", None)  # in here, run is the user's own
        work._internal_ip = work._internal_ip or "127.0.0.1"
        self._address = address
        self._token = token
        self._tls = tls
        self._standalone = standalone
        self._parent_pid = parent_pid
        self.epoch = time.time_ns()
        self._publisher = Publisher(work, self.epoch, limit_bytes=state_limit_bytes)
        self._signals = SignalWakeup()
        self._signals_arrived = self._signals_handled = 0
        self._is_draining = self._is_ending = False
        self._runner = Runner(work, self._publisher, standalone)
        self._runner.finish_now = self._leave_at_once
        self._runner.before_sleep = self._signals.install  # the user's code may have taken it
        if standalone is not None:
            self._runner.heard_signal = self._hear_signal
        self._output = OutputLog(work.name)
        self._servicer = WorkServicer(work, self._publisher, self._runner, self._begin_end, self._output)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._finished: asyncio.Event | None = None
        self._server: Server | None = None
        self._announcing: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._serve, name="lightning-grpc-serve", daemon=True)
        self._up = threading.Event()
        self._startup_error: LightningGrpcError | None = None

    def run(self, ready: Callable[[str, int], None]) -> None:
        """Serve and execute until the process is asked to end; on the main thread.

        Args:
            ready: Called with the address and the epoch as soon as the server answers.

        Raises:
            ConfigurationError: The address cannot be listened on; or tracing is switched on and cannot be had.
        """
        tracing.prepare()
        signums = _ASKED_TO_END if self._standalone is not None else _ASKED_TO_END[:1]
        with handling_signals(self._runner, signums):
            self._signals.install()
            try:
                self._run(ready)
            finally:
                self._signals.remove()

    def _run(self, ready: Callable[[str, int], None]) -> None:
        self._thread.start()
        if not self._up.wait(_START_DEADLINE_S):
            raise ConfigurationError(f"the server at {self._address} was not up after {_START_DEADLINE_S:.0f} s")
        if self._startup_error is not None:
            raise self._startup_error
        ready(self._address, self.epoch)
        with self._output.capturing():
            self._runner.start()
            self._runner.work_off()
        self._finish()

    def metrics(self) -> WorkProcessMetrics:
        """Return what the process has done so far; on any thread."""
        tally, publisher = self._runner.tally, self._publisher
        return WorkProcessMetrics(
            runs=dict(tally.runs),
            runs_s=dict(tally.runs_s),
            is_running=self._runner.is_running,
            waiting=self._runner.waiting,
            revision=publisher.revision,
            subscribers=publisher.subscribers,
            cost=publisher.cost,
        )

    def _finish(self) -> None:
        """Let the subscribers have the last revision and end the loop's thread."""
        self._publisher.flush(exact=True)
        if self._loop is not None and self._finished is not None:
            self._loop.call_soon_threadsafe(self._finished.set)
        self._thread.join(_DRAIN_S + 1.0)
        tracing.flush()

    def _leave_at_once(self) -> None:
        """End from inside a signal handler: the user's code does not let go."""
        self._finish()
        leave(0)

    def _serve(self) -> None:
        try:
            asyncio.run(self._serve_until_finished())
        except ConfigurationError as error:
            self._startup_error = error
            self._up.set()
        except BaseException:  # without its loop the process is deaf: better none than one that looks alive
            traceback.print_exc()
            leave(70)

    async def _serve_until_finished(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._finished = asyncio.Event()
        is_shared = self._address.startswith("unix:")  # a front may bring the calls of all its clients
        self._server = server = Server(
            [self._servicer.handlers()],
            [WORK_SERVICE],
            self._token,
            works=[self._servicer.work.name],
            max_streams=None if is_shared else MAX_STREAMS,
            admin=self._standalone is not None and self._standalone.admin,
        )
        self._address = await server.start(self._address, self._tls)
        self._signals.watch(self._signals_arrive)
        self._publisher.start()
        self._watch_parent()
        self._up.set()
        await self._finished.wait()
        await server.announce_end()
        self._publisher.close()
        self._output.close()
        await self._servicer.streams.ended(_DRAIN_S / 2)
        await server.stop(_DRAIN_S / 2)

    def _signals_arrive(self, signums: bytes) -> None:
        """Take notice of signals at the moment they come, even if the main thread is asleep or busy; on the loop."""
        self._runner.wake()
        asked = sum(signum in _ASKED_TO_END for signum in signums)
        if asked:
            assert self._loop is not None
            for delay_s in _NUDGES_S:
                self._loop.call_later(delay_s, self._signals.nudge)
        self._signals_arrived += asked
        self._judge_signals()

    def _hear_signal(self) -> None:
        """Take notice of a signal that the main thread handles: the user's code may keep it from coming otherwise."""
        self._signals_handled += 1
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._judge_signals)

    def _judge_signals(self) -> None:
        """Drain after the first signal, end after the second; on the loop."""
        if self._standalone is None:
            return
        count = max(self._signals_arrived, self._signals_handled)  # each of them may have missed some
        if count and not self._is_draining:
            self._drain(self._standalone.drain_s)
        if count > 1 and not self._is_ending:
            self._begin_end(0.0, "a second signal asked it to end at once")

    def _drain(self, drain_s: float) -> None:
        """Begin nothing any more, and end when the run under way is over, or the time; on the loop."""
        assert self._loop is not None
        assert self._server is not None
        self._is_draining = True
        self._announcing = self._loop.create_task(self._server.announce_end(), name="announce end")
        self._runner.drain()
        self._loop.call_later(drain_s, self._drained_too_long, drain_s)

    def _drained_too_long(self, drain_s: float) -> None:
        if not self._is_ending:
            self._begin_end(0.0, f"it was asked to end, and its run was not over after {drain_s:g} s")

    def _begin_end(self, grace_s: float, reason: str) -> None:
        """End within the grace time, by force if need be; on the loop."""
        assert self._loop is not None
        self._is_ending = True
        grace_s = grace_s or DEFAULT_GRACE_S
        self._loop.call_later(grace_s * 0.6, self._runner.request_stop, reason)
        self._loop.call_later(grace_s, leave, 71)
        self._runner.request_stop(reason)

    def _watch_parent(self) -> None:
        if self._parent_pid is None:
            return
        if os.getppid() != self._parent_pid:
            self._begin_end(0.0, "the process that started it is gone")
            return
        assert self._loop is not None
        self._loop.call_later(1.0, self._watch_parent)


def leave(code: int) -> None:
    """End the process without waiting for anything but the output to be written."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or there is none
            stream.flush()
    os._exit(code)


def refuse_free_threading() -> None:
    """Refuse to host a Work where cuts would not be consistent; see ADR 0002.

    Raises:
        ConfigurationError: The interpreter runs without its global lock.
    """
    is_locked: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    if not is_locked():
        raise ConfigurationError(
            "Works need an interpreter with the global lock: their state is read without locks. Start Python with "
            "PYTHON_GIL=1 or use a standard build."
        )

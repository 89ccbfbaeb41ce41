"""The life of a Work's process, from a Work object to the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable

from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import ConfigurationError, LightningGrpcError
from lightning_grpc.wire.protocol import WORK_SERVICE
from lightning_grpc.wire.server import Server
from lightning_grpc.worker.publisher import STATE_LIMIT_BYTES, Publisher
from lightning_grpc.worker.runner import Runner, install_signal_handler
from lightning_grpc.worker.service import WorkServicer

DEFAULT_GRACE_S = 3.0
"""How long an ending Work may take before it is ended by force."""
_DRAIN_S = 1.0  # for subscribers to receive the last revision
_START_DEADLINE_S = 30.0


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
    """

    def __init__(
        self,
        work: LightningWork,
        *,
        address: str,
        token: str | None,
        parent_pid: int | None = None,
        state_limit_bytes: int = STATE_LIMIT_BYTES,
    ) -> None:
        refuse_free_threading()
        work.__dict__.pop("run", None)  # in here, run is the user's own
        work._internal_ip = work._internal_ip or "127.0.0.1"
        self._address = address
        self._token = token
        self._parent_pid = parent_pid
        self.epoch = time.time_ns()
        self._publisher = Publisher(work, self.epoch, limit_bytes=state_limit_bytes)
        self._runner = Runner(work, self._publisher)
        self._runner.finish_now = self._leave_at_once
        self._servicer = WorkServicer(work, self._publisher, self._runner, self._begin_end)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._finished: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._serve, name="lightning-grpc-serve", daemon=True)
        self._up = threading.Event()
        self._startup_error: LightningGrpcError | None = None

    def run(self, ready: Callable[[str, int], None]) -> None:
        """Serve and execute until the process is asked to end; on the main thread.

        Args:
            ready: Called with the address and the epoch as soon as the server answers.

        Raises:
            ConfigurationError: The address cannot be listened on.
        """
        install_signal_handler(self._runner)
        self._thread.start()
        if not self._up.wait(_START_DEADLINE_S):
            raise ConfigurationError(f"the server at {self._address} was not up after {_START_DEADLINE_S:.0f} s")
        if self._startup_error is not None:
            raise self._startup_error
        ready(self._address, self.epoch)
        self._runner.start()
        self._runner.work_off()
        self._finish()

    def _finish(self) -> None:
        """Let the subscribers have the last revision and end the loop's thread."""
        self._publisher.flush(exact=True)
        if self._loop is not None and self._finished is not None:
            self._loop.call_soon_threadsafe(self._finished.set)
        self._thread.join(_DRAIN_S + 1.0)

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
        server = Server([self._servicer.handlers()], [WORK_SERVICE], self._token)
        self._address = await server.start(self._address)
        self._publisher.start()
        self._watch_parent()
        self._up.set()
        await self._finished.wait()
        await server.announce_end()
        self._publisher.close()
        await server.stop(_DRAIN_S)

    def _begin_end(self, grace_s: float, reason: str) -> None:
        """End within the grace time, by force if need be; on the loop."""
        assert self._loop is not None
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

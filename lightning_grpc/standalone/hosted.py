"""One Work of a server with several: its process, which is started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal

from lightning_grpc.runtimes.base import Exit, WorkHandle
from lightning_grpc.runtimes.local import LocalRuntime
from lightning_grpc.wire.relay import Away, Backend
from lightning_grpc.wire.server import Server

_log = logging.getLogger("lightning_grpc")

FIRST_PAUSE_S = 0.5
"""How long after the death of its process a Work is started again."""
LONGEST_PAUSE_S = 30.0
"""The same, for one that dies again and again: the pause doubles each time up to this."""
WELL_AFTER_S = 60.0
"""A Work that has lived so long is well: should it die, the pauses begin anew."""
LEFT_BY_FORCE = 71
"""The exit code of a Work whose run did not let go."""


class HostedWork:
    """Keeps the process of one Work.

    A process that is asked to end, by ``Stop`` or a signal, has ended for good. One that dies takes its state and its
    runs with it; another one is started, with the state that the Work was given to begin with, and a new epoch.

    Args:
        name: The Work's.
        class_name: Its class.
        package: The Work, as the runtime has packed it.
        runtime: What starts it.

    Attributes:
        epoch: Of its newest process.
        exit_code: That of its last process, when it has ended for good.

    Threads: The loop of the server.
    """

    def __init__(self, name: str, class_name: str, package: bytes, runtime: LocalRuntime) -> None:
        self.name = name
        self.class_name = class_name
        self.epoch = 0
        self.exit_code = 0
        self._package = package
        self._runtime = runtime
        self._handle: WorkHandle | None = None
        self._backend: Backend | None = None
        self._why_away = "it has not started yet"
        self._asked_to_end = asyncio.Event()

    async def start(self) -> None:
        """Start a process.

        Raises:
            RuntimeStartError: It did not come up.
        """
        self._handle = await self._runtime.start(self.name, self._package)
        self.epoch = self._handle.epoch
        self._backend = Backend(self.name, self._handle.address, self._runtime.token)
        if self._asked_to_end.is_set():
            self._send_signal()

    async def live(self, server: Server) -> None:
        """Keep the Work alive, from its start until it has ended for good.

        Args:
            server: Tells the Work's health.

        Raises:
            RuntimeStartError: It was started again, and did not come up.
        """
        loop = asyncio.get_running_loop()
        pause_s = FIRST_PAUSE_S
        while self._handle is not None:
            since_s = loop.time()
            how = await self._handle.exited
            await server.tell_health(self.name, is_serving=False)
            await self.close()
            if self._asked_to_end.is_set() or how.code in (0, LEFT_BY_FORCE):
                self._has_ended(how)
                return
            pause_s = FIRST_PAUSE_S if loop.time() - since_s > WELL_AFTER_S else pause_s
            self._why_away = f"its process {how}, and another one is being started"
            _log.error("%s: its process %s; it is started again in %g s, with a new state", self.name, how, pause_s)
            if await self._is_asked_to_end_within(pause_s):
                return
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            await self.start()
            await server.tell_health(self.name, is_serving=True)

    def find(self) -> Backend | Away:
        """Tell where the Work answers."""
        return Away(self._why_away) if self._backend is None else self._backend

    def ask_to_end(self) -> None:
        """Send its process what asks it to end; it drains at the first, and is interrupted at the second."""
        self._asked_to_end.set()
        self._send_signal()

    def _send_signal(self) -> None:
        if self._handle is not None and self._handle.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._handle.pid, signal.SIGTERM)  # alone: what it has started may be what its run waits for

    async def _is_asked_to_end_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._asked_to_end.wait(), seconds)
        return self._asked_to_end.is_set()

    async def close(self) -> None:
        """Close the connection to a process that is gone, or is not needed any more."""
        backend, self._backend, self._handle = self._backend, None, None
        if backend is not None:
            await backend.close()

    def _has_ended(self, how: Exit) -> None:
        self._why_away = "it was asked to end, and has"
        self.exit_code = abs(how.code) if how.code in (0, LEFT_BY_FORCE) else 1

"""One server before several Works, each in a process of its own."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import Any

from lightning_grpc.components.work import LightningWork
from lightning_grpc.runtimes.local import LocalRuntime
from lightning_grpc.standalone.hosted import LEFT_BY_FORCE, HostedWork
from lightning_grpc.wire.credentials import ServerTls
from lightning_grpc.wire.protocol import WORK_SERVICE
from lightning_grpc.wire.relay import Relay
from lightning_grpc.wire.server import Server
from lightning_grpc.worker.process import DEFAULT_GRACE_S
from lightning_grpc.worker.standing import StandaloneRules

_MARGIN_S = 2.0  # beyond what the Works take by themselves
_LAST_WORDS_S = 0.5  # for subscribers to receive the last revision


class Front:
    """Serves several Works at one address.

    Every Work has the main thread of a process for its runs, and its cuts are those of one program order, as if it
    stood alone. Calls are passed on to it over a unix socket that only this user can open.

    Args:
        works: The Works, named.
        address: Where to listen.
        tls: How the server proves who it is; None to listen in plain text.
        token: What callers must carry; None for no token.
        rules: How the Works end.

    Threads: Everything on one loop, of the main thread.
    """

    def __init__(
        self,
        works: Sequence[LightningWork],
        *,
        address: str,
        tls: ServerTls | None,
        token: str | None,
        rules: StandaloneRules,
    ) -> None:
        self._runtime = LocalRuntime(standalone=replace(rules, admin=False))  # what it has is at the front
        self._works = {
            work.name: HostedWork(work.name, type(work).__qualname__, self._runtime.pack(work), self._runtime)
            for work in works
        }
        self._address = address
        self._tls = tls
        self._rules = rules
        self._relay = Relay(tuple(self._works), lambda name: self._works[name].find())
        self._token = token
        self._is_asked_to_end = asyncio.Event()
        self._announcing: asyncio.Task[None] | None = None
        self._left_by_force = False

    async def run(self, ready: Callable[[str, Sequence[HostedWork]], None]) -> int:
        """Serve until the process is asked to end, or all Works have been.

        Args:
            ready: Called with the address and the Works when all of them answer.

        Returns:
            The exit code.

        Raises:
            ConfigurationError: The address cannot be listened on.
            RuntimeStartError: A Work did not come up, at first or when it was started again.
        """
        server = Server([self._relay], [WORK_SERVICE], self._token, works=self._works, admin=self._rules.admin)
        address = server.listen(self._address, self._tls)
        try:
            await _all(work.start() for work in self._works.values())
            await server.begin()
            self._hear_signals(server)
            ready(address, list(self._works.values()))
            await self._serve(server)
            await server.announce_end()
            await self._relay.streams.ended(_LAST_WORDS_S)
        finally:
            await self._runtime.close()
            await server.stop(_LAST_WORDS_S)
            await _all(work.close() for work in self._works.values())
        codes = {work.exit_code for work in self._works.values()}
        return LEFT_BY_FORCE if self._left_by_force or LEFT_BY_FORCE in codes else max(codes)

    async def _serve(self, server: Server) -> None:
        """Keep the Works alive until they have ended."""
        lives = _all(work.live(server) for work in self._works.values())
        living = asyncio.create_task(lives, name="life of the Works")
        asked = asyncio.create_task(self._is_asked_to_end.wait(), name="asked to end")
        try:
            await asyncio.wait([living, asked], return_when=asyncio.FIRST_COMPLETED)
            if not living.done():
                await asyncio.wait_for(living, self._rules.drain_s + DEFAULT_GRACE_S + _MARGIN_S)
            await living
        except TimeoutError:  # the rest is ended by the runtime
            self._left_by_force = True
        finally:
            asked.cancel()

    def _hear_signals(self, server: Server) -> None:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._ask_to_end, server)

    def _ask_to_end(self, server: Server) -> None:
        """Have all Works drain, or, if they do already, end at once."""
        self._is_asked_to_end.set()
        self._announcing = asyncio.get_running_loop().create_task(server.announce_end(), name="announce end")
        for work in self._works.values():
            work.ask_to_end()


async def _all(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run some coroutines to their ends; the first error cancels the others."""
    tasks = [asyncio.ensure_future(each) for each in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()

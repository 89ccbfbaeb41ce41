"""A runtime whose Works are reached through proxies."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from lightning_grpc.components.work import LightningWork
from lightning_grpc.runtimes.base import Exit, Runtime, WorkHandle
from lightning_grpc.testing.fault_proxy import FaultProxy


class ProxiedRuntime:
    """Wraps a runtime so that all that an app and its Works say to each other goes through a `FaultProxy` each.

    Args:
        runtime: Starts the Works.
        seed: See `FaultProxy`; the n-th process that is started has the seed plus n.

    Attributes:
        proxies: The proxy of each Work's newest process, by the Work's full name, such as ``root.w``. A Work is in
            it from when its process serves until the app has ended.

    Threads: As for any `Runtime`; `proxies` may be read on any thread.

    Example:
        Cut the connection in a Flow's ``run``, and see that nothing is lost::

            runtime = ProxiedRuntime(LocalRuntime())
            ...
            if self.work.count > 100:
                runtime.proxies["root.work"].cut()
            ...
            LightningApp(flow).run(runtime)
    """

    def __init__(self, runtime: Runtime, *, seed: int = 0) -> None:
        self._runtime = runtime
        self._seed = seed
        self._opened: list[FaultProxy] = []
        self._handles: dict[asyncio.Future[Exit], WorkHandle] = {}
        self.proxies: dict[str, FaultProxy] = {}

    def pack(self, work: LightningWork) -> bytes:
        """Take down what the wrapped runtime needs to start a Work."""
        return self._runtime.pack(work)

    async def start(self, name: str, package: bytes) -> WorkHandle:
        """Start a process for a packed Work, and a proxy in front of it."""
        handle = await self._runtime.start(name, package)
        proxy = FaultProxy(handle.address, seed=self._seed + len(self._opened))
        self._opened.append(proxy)
        await asyncio.get_running_loop().run_in_executor(None, proxy.open)
        self.proxies[name] = proxy
        self._handles[handle.exited] = handle
        return replace(handle, address=proxy.address)

    async def signal(self, handle: WorkHandle, signum: int) -> None:
        """Send a signal to a Work's process and to what it has started."""
        await self._runtime.signal(self._handles.get(handle.exited, handle), signum)

    async def close(self) -> None:
        """Close the proxies, then what they stood in front of."""
        opened, self._opened = self._opened, []
        loop = asyncio.get_running_loop()
        try:
            await asyncio.gather(*(loop.run_in_executor(None, proxy.close) for proxy in opened))
        finally:
            self.proxies.clear()
            self._handles.clear()
            await self._runtime.close()

    @property
    def token(self) -> str | None:
        """What calls to the Works must carry."""
        return self._runtime.token

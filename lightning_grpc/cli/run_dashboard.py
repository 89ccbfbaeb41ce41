"""``lightning-grpc run app FILE --dashboard``: the app in a process of its own, its dashboard in this terminal."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence

from lightning_grpc.cli.output import PROGRAM, is_debug, say, trace
from lightning_grpc.dashboard.events import Ended, LinesPrinted
from lightning_grpc.dashboard.live import Live, ending_by_signal, show
from lightning_grpc.dashboard.source import AppSource, Emit
from lightning_grpc.dashboard.terminal import Terminal
from lightning_grpc.errors import AppEndedError, LightningGrpcError
from lightning_grpc.service.async_client import AsyncAppClient
from lightning_grpc.service.registry import AppEntry, running_apps
from lightning_grpc.wire.logs import LogLine

_KEPT_LINES = 200  # of what it has printed, to be shown if it fails
_SHOWN_LINES = 10  # the last of them, if it does not
_LOOK_S = 0.1
_END_S = 15.0
_MOST_BYTES = 1 << 16


def run_with_dashboard(words: Sequence[str]) -> int:
    """Run an app in a process of its own, show its dashboard until it is left, and return the app's exit code.

    Leaving the dashboard ends the app as Ctrl-C would. What the app has printed last is printed here, too. If the
    dashboard fails, the app goes on, and all that it prints is printed here.

    Args:
        words: The command line that runs it, without the program's name.
    """
    return asyncio.run(_run(words))


async def _run(words: Sequence[str]) -> int:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lightning_grpc", *words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,  # so that it hears of Ctrl-C once, from here
    )
    source = LaunchedSource(process)
    terminal = Terminal()
    try:
        code = await show(Live(source, terminal), terminal)
    except Exception as error:
        code = await _go_on(process, source, error)
    finally:
        await _end(process)
        await source.close()
    failed = bool(process.returncode) and process.returncode != 130
    for line in list(source.printed)[-(_KEPT_LINES if failed else _SHOWN_LINES) :]:
        say(line)
    return code or _exit_code(process.returncode or 0)


async def _go_on(process: asyncio.subprocess.Process, source: LaunchedSource, error: Exception) -> int:
    """Let the app end by itself, though its dashboard has failed; returns 0, or the exit code of what has ended it."""
    trace(error)
    how = "" if is_debug() else f" Where that came from is told by: {PROGRAM} --debug ..."
    say(f"ERROR: the dashboard has failed with {type(error).__name__}: {error}. The app goes on; Ctrl-C ends it.{how}")
    source.hand_over(say)
    ended_by: list[int] = []
    try:
        with ending_by_signal() as ended_by:
            await process.wait()
    except asyncio.CancelledError:
        if not ended_by:
            raise
    return 128 + ended_by[0] if ended_by else 0


def _exit_code(code: int) -> int:
    return code if code >= 0 else 128 - code


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the app as Ctrl-C would, if it has not ended; by force, if it does not hear."""
    with contextlib.suppress(ProcessLookupError):
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_END_S):
            await process.wait()
            return
    process.kill()
    await process.wait()


class LaunchedSource:
    """Follows an app that was started just now: first what it prints, then, when it serves, all that it tells.

    Args:
        process: The app's, with a pipe for what it prints.

    Attributes:
        printed: The last lines that it has printed.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._source: AppSource | None = None
        self.printed: deque[str] = deque(maxlen=_KEPT_LINES)
        self._keep: Callable[[str], None] = self.printed.append
        self._reading = asyncio.create_task(self._read(), name="output of the app")

    async def run(self, emit: Emit) -> None:
        """See `Source.run`."""
        ended = asyncio.create_task(self._process.wait(), name="end of the app")
        try:
            while not ended.done() and (entry := self._entry()) is None:
                await asyncio.wait([ended], timeout=_LOOK_S)
            if not ended.done() and entry is not None:
                await self._follow(entry, emit)
            code = _exit_code(await ended)
            await asyncio.wait([self._reading], timeout=1.0)
            if self._source is None:  # else it has told that itself
                lines = tuple(LogLine("root", "stdout", time.time(), line) for line in self.printed)
                emit(LinesPrinted(time.time(), lines))
            emit(Ended(time.time(), f"the app has ended with exit code {code}"))
        finally:
            ended.cancel()

    async def look(self, emit: Emit) -> None:
        """See `Source.look`."""
        if self._source is None:
            raise AppEndedError("the app does not serve yet")
        await self._source.look(emit)

    async def stop_work(self, name: str) -> None:
        """See `Source.stop_work`."""
        await self._connected().stop_work(name)

    async def run_command(self, line: str) -> str:
        """See `Source.run_command`."""
        return await self._connected().run_command(line)

    async def close(self) -> None:
        """See `Source.close`; reads what the app has printed to its end."""
        await asyncio.wait([self._reading], timeout=1.0)
        self._reading.cancel()
        if self._source is not None:
            await self._source.close()

    def hand_over(self, tell: Callable[[str], None]) -> None:
        """Have all lines told that are kept, and from now on each as it comes."""
        while self.printed:
            tell(self.printed.popleft())
        self._keep = tell

    def _connected(self) -> AppSource:
        if self._source is None:
            raise AppEndedError("the app does not serve yet")
        return self._source

    def _entry(self) -> AppEntry | None:
        with contextlib.suppress(LightningGrpcError):
            return next((entry for entry in running_apps() if entry.pid == self._process.pid), None)
        return None

    async def _follow(self, entry: AppEntry, emit: Emit) -> None:
        client = AsyncAppClient(entry.address, token=entry.read_token(), timeout_s=5.0)
        self._source = AppSource(client)
        await self._source.run(lambda event: None if isinstance(event, Ended) else emit(event))

    async def _read(self) -> None:
        assert self._process.stdout is not None
        rest = b""
        while data := await self._process.stdout.read(_MOST_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._keep(line.decode(errors="replace"))
            rest = rest[-_MOST_BYTES:]
        if rest:
            self._keep(rest.decode(errors="replace"))

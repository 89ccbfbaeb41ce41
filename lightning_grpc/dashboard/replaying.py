"""Playing a recording: the events of a file, as far apart as they were, or faster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator

from lightning_grpc.dashboard.events import Ended, Seen
from lightning_grpc.dashboard.source import Emit
from lightning_grpc.errors import ConfigurationError


class ReplaySource:
    """Tells the events of a recording.

    Args:
        events: The events.
        speed: How many seconds of the recording pass in one second.

    Threads: Belongs to a loop.
    """

    def __init__(self, events: Iterable[Seen], speed: float = 1.0) -> None:
        if not speed > 0:
            raise ConfigurationError(f"the speed of a replay is a number above 0, not {speed:g}")
        self._events: Iterator[Seen] = iter(events)
        self._speed = speed
        self._first = next(self._events, None)
        self._began_s = time.monotonic()

    def clock(self) -> float:
        """Return what time it is in the recording, in seconds since 1970."""
        first_s = self._first.at_s if self._first is not None else 0.0
        return first_s + (time.monotonic() - self._began_s) * self._speed

    async def run(self, emit: Emit) -> None:
        """See `Source.run`."""
        self._began_s = time.monotonic()
        event: Seen | None = None
        for event in self._all():
            await asyncio.sleep(max(0.0, (event.at_s - self.clock()) / self._speed))
            emit(event)
        if not isinstance(event, Ended):  # it was left while the app went on
            emit(Ended(event.at_s if event is not None else self.clock(), "the recording ends here", of_recording=True))

    async def look(self, emit: Emit) -> None:
        """See `Source.look`: all at once, to the end."""
        for event in self._all():
            emit(event)

    async def stop_work(self, name: str) -> None:
        """Refuse it."""
        raise ConfigurationError(f"{name} is only played: what has been recorded cannot be changed")

    async def run_command(self, line: str) -> str:
        """Refuse it."""
        raise ConfigurationError(f"{line.split(maxsplit=1)[0]} cannot be executed: this is a recording")

    async def close(self) -> None:
        """There is nothing to close."""

    def _all(self) -> Iterator[Seen]:
        if self._first is not None:
            yield self._first
        yield from self._events

"""Where the supervisor's thread leaves events for the thread that runs the Flow."""

from __future__ import annotations

import queue
from collections.abc import Callable

from lightning_grpc.coordinator.events import Event


class Inbox:
    """A queue of events with one reader.

    It needs no bound of its own: a Work's stream may have `Link.MAX_UNREAD` batches in it and then waits, and
    there are only so many other events in the life of a process.

    Threads: `put` on any thread, `take` on the reader's.
    """

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[Event, Callable[[], None] | None]] = queue.SimpleQueue()

    def put(self, event: Event, taken: Callable[[], None] | None = None) -> None:
        """Leave an event; `taken` is called on the reader's thread when it is taken out."""
        self._queue.put((event, taken))

    def take(self, timeout_s: float) -> list[Event]:
        """Return all events that are there, waiting for the first one for at most `timeout_s` seconds."""
        events: list[Event] = []
        try:
            item = self._queue.get(timeout=timeout_s) if timeout_s > 0 else self._queue.get_nowait()
            while True:
                event, taken = item
                events.append(event)
                if taken is not None:
                    taken()
                item = self._queue.get_nowait()
        except queue.Empty:
            return events

"""Where the supervisor's thread leaves events for the thread that runs the Flow."""

from __future__ import annotations

import queue
from collections.abc import Callable

from lightning_grpc.coordinator.events import Event


class Inbox:
    """A queue of events with one reader.

    It needs no bound of its own: each Work has at most one item for its state in it, however much that is (see
    `lightning_grpc.coordinator.backlog.Backlog`), and few other events in the life of a process.

    Threads: `put` on any thread, `take` on the reader's.
    """

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Event | Callable[[], Event]] = queue.SimpleQueue()

    def put(self, event: Event | Callable[[], Event]) -> None:
        """Leave an event, or a function that makes it when it is taken out, on the reader's thread."""
        self._queue.put(event)

    def take(self, timeout_s: float) -> list[Event]:
        """Return all events that are there, waiting for the first one for at most `timeout_s` seconds."""
        events: list[Event] = []
        try:
            item = self._queue.get(timeout=timeout_s) if timeout_s > 0 else self._queue.get_nowait()
            while True:
                events.append(item() if callable(item) else item)
                item = self._queue.get_nowait()
        except queue.Empty:
            return events

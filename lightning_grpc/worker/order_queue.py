"""The executions of a Work that wait for their turn."""

from __future__ import annotations

import queue
from dataclasses import dataclass, field

from lightning_grpc.state.values import Value
from lightning_grpc.wire.tracing import Carrier
from lightning_grpc.worker.remembered import RunIdentity

MAX_WAITING = 10_000
"""Executions that may wait for their turn."""
MAX_WAITING_BYTES = 128 << 20
"""What the messages that asked for them may take, in bytes."""


@dataclass(frozen=True)
class RunOrder:
    """One execution that was asked for.

    Attributes:
        size_bytes: What the message that asked for it took.
    """

    call_id: str
    call_hash: str
    args: tuple[Value, ...]
    kwargs: dict[str, Value]
    attributes: dict[str, Value] = field(default_factory=dict)
    requested_at_s: float = 0.0
    caller: str = ""
    trace: Carrier = field(default_factory=dict)
    size_bytes: int = 0

    @property
    def identity(self) -> RunIdentity:
        """What tells this request from all others."""
        return self.caller, self.call_id


class OrderQueue:
    """A queue with one reader, bounded by the number and by the size of what waits.

    One order is let in however large it is, if none waits.

    Threads: `has_room` and `put` on one thread, `get` and `take_all` on another, `wake` on any, signal handlers too. No
        lock is held: each of the two numbers whose difference is what waits has one writer.
    """

    def __init__(self, max_waiting: int = MAX_WAITING, max_bytes: int = MAX_WAITING_BYTES) -> None:
        self._max_waiting = max_waiting
        self._max_bytes = max_bytes
        self._items: queue.SimpleQueue[RunOrder | None] = queue.SimpleQueue()  # bounded by put
        self._put = self._put_bytes = 0
        self._taken = self._taken_bytes = 0

    @property
    def waiting(self) -> int:
        """How many orders wait."""
        return self._put - self._taken

    @property
    def waiting_bytes(self) -> int:
        """What the messages of those that wait took."""
        return self._put_bytes - self._taken_bytes

    def has_room(self, order: RunOrder) -> bool:
        """Tell whether an order may wait; if not, too many wait, or they are too large."""
        waiting = self.waiting
        if waiting >= self._max_waiting:
            return False
        return not waiting or self.waiting_bytes + order.size_bytes <= self._max_bytes

    def put(self, order: RunOrder) -> None:
        """Let an order wait for its turn, if there is room."""
        self._put += 1
        self._put_bytes += order.size_bytes
        self._items.put(order)

    def wake(self) -> None:
        """Make `get` return without an order."""
        self._items.put(None)

    def get(self) -> RunOrder | None:
        """Wait for an order; None if the reader shall look around."""
        return self._note(self._items.get())

    def take_all(self) -> list[RunOrder]:
        """Return all that waits, without waiting."""
        orders = []
        while not self._items.empty():
            if (order := self._note(self._items.get())) is not None:
                orders.append(order)
        return orders

    def _note(self, order: RunOrder | None) -> RunOrder | None:
        if order is not None:
            self._taken += 1
            self._taken_bytes += order.size_bytes
        return order

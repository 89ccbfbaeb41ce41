"""What is done beside the thread that writes a checkpoint, which shall not wait for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from lightning_grpc.errors import CheckpointError

_log = logging.getLogger("lightning_grpc")

T = TypeVar("T")

_CLOSE_DEADLINE_S = 60.0


class Aside(Generic[T]):
    """Does one thing at a time on a thread of its own.

    Args:
        name: The thread's.

    Threads: All on the one that has it done; `close` on any.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._result: T | CheckpointError | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something is being done, or was done and its result not taken."""
        return self._thread is not None

    @property
    def is_done(self) -> bool:
        """Whether there is a result to be taken."""
        return self._result is not None

    def start(self, task: Callable[[], T]) -> None:
        """Begin to do something, which raises nothing but `CheckpointError` if all is well with this package."""
        self._thread = threading.Thread(target=self._run, args=(task,), name=self._name, daemon=True)
        self._thread.start()

    def take(self) -> T | None:
        """Return, once, the result; None if there is none yet.

        Raises:
            CheckpointError: It was not done.
        """
        result = self._result
        if result is None:
            return None
        self.close()
        self._result = self._thread = None
        if isinstance(result, CheckpointError):
            raise result
        return result

    def close(self) -> None:
        """Wait for what is being done."""
        if self._thread is not None:
            self._thread.join(_CLOSE_DEADLINE_S)

    def _run(self, task: Callable[[], T]) -> None:
        try:
            self._result = task()
        except CheckpointError as error:
            self._result = error
        except Exception as error:
            _log.exception("%s failed", self._name)
            self._result = CheckpointError(f"the checkpoint cannot be written: {self._name} failed: {error!r}")

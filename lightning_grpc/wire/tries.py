"""How often, and for how long, a stream that breaks is opened again."""

from __future__ import annotations

import asyncio
import random
from collections import deque

from lightning_grpc.errors import LightningGrpcError

_BACKOFF_S = (0.02, 1.0)
_MAX_FAULTS = 5  # within
_FAULTS_S = 60.0


class Tries:
    """How often, and for how long, a stream is tried to get back.

    Args:
        patience_s: For so long it may be away, in seconds.

    Threads: Belongs to the loop.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._backoff_s = _BACKOFF_S[0]
        self._faults: deque[float] = deque(maxlen=_MAX_FAULTS)
        self._silent_since_s: float | None = None

    def heard(self) -> None:
        """Note that the stream is there."""
        self._backoff_s = _BACKOFF_S[0]
        self._silent_since_s = None

    def broke(self, error: LightningGrpcError) -> None:
        """Note that the stream broke; raises the error if it has not been there for too long."""
        now_s = asyncio.get_running_loop().time()
        if self._silent_since_s is None:
            self._silent_since_s = now_s
        if now_s - self._silent_since_s > self._patience_s:
            raise error

    def failed(self, error: LightningGrpcError) -> None:
        """Note that what came was wrong; raises the error if that happens again and again."""
        now_s = asyncio.get_running_loop().time()
        self._faults.append(now_s)
        if len(self._faults) == _MAX_FAULTS and now_s - self._faults[0] < _FAULTS_S:
            raise error

    async def pause(self) -> None:
        """Wait before the next try."""
        await asyncio.sleep(self._backoff_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        self._backoff_s = min(self._backoff_s * 2, _BACKOFF_S[1])

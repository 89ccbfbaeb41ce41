"""A Work to be called from outside."""

from __future__ import annotations

import time

from lightning_grpc import LightningWork


class Countdown(LightningWork):
    """Counts down, five times a second."""

    def __init__(self) -> None:
        super().__init__(parallel=True)
        self.left = 0

    def run(self, start: int = 10) -> None:
        for self.left in range(start, -1, -1):
            time.sleep(0.2)

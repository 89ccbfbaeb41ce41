"""The Work whose conversation with a client was recorded with every release of the protocol."""

from __future__ import annotations

import lightning_grpc as L


class Recorded(L.LightningWork):
    """Writes values of every kind, and fails if it is asked to."""

    def __init__(self):
        super().__init__(parallel=True, receive_updates=True)
        self.counter = 0
        self.items = []
        self.table = {}
        self.mixed = (None, True, 2**70, -0.0, float("nan"), "é")
        self.rate = 0.5

    def run(self, n, *, fail=False):
        for number in range(n):
            self.counter += 1
            self.items.append(number)
            self.table[number] = {str(number): (number, number / 2)}
        if fail:
            raise ValueError("as it was asked to")
        self.items[0] = "first"
        del self.table[0]

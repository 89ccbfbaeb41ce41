"""One program for a laptop and for services: where its Work runs is said outside of it."""

from primes import Primes

import lightning_grpc as L


class RootFlow(L.LightningFlow):
    """Has primes counted, and prints how many there are."""

    def __init__(self):
        super().__init__()
        self.primes = Primes()
        self.printed = 0

    def run(self):
        for limit in (100, 10_000, 1_000_000):
            self.primes.run(limit)
            if limit > self.printed:
                print(f"primes below {limit:,}: {self.primes.count:,}")
                self.printed = limit
        self.stop()


app = L.LightningApp(RootFlow())

"""A Work that needs no app: it looks for primes, for whoever asks."""

from __future__ import annotations

import lightning_grpc as L


class Primes(L.LightningWork):
    """Looks for primes from where it is, up to a limit."""

    def __init__(self, first: int = 2) -> None:
        super().__init__(parallel=True, raise_exception=False)
        self.next = first
        self.found = 0
        self.largest = 0

    def run(self, limit: int) -> None:
        if limit < 2:
            raise ValueError(f"a limit is at least 2, not {limit}")
        while self.next < limit:
            if is_prime(self.next):
                self.found += 1
                self.largest = self.next
            self.next += 1


def is_prime(number: int) -> bool:
    return number >= 2 and all(number % factor for factor in range(2, int(number**0.5) + 1))

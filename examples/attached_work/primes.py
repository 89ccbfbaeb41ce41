"""A Work that counts primes; it neither knows nor cares who runs it."""

import lightning_grpc as L


class Primes(L.LightningWork):
    """Counts the primes below a limit, by the sieve of Eratosthenes."""

    def __init__(self):
        super().__init__()
        self.limit = 0
        self.count = 0

    def run(self, limit):
        is_prime = bytearray([1]) * limit
        is_prime[:2] = b"\0\0"
        for number in range(2, int(limit**0.5) + 1):
            if is_prime[number]:
                is_prime[number * number :: number] = bytes(len(range(number * number, limit, number)))
        self.limit, self.count = limit, sum(is_prime)

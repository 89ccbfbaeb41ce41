"""Works that are attached while the app runs, in a List and in a Dict, and one that is removed again."""

from itertools import pairwise

from lightning_grpc import LightningApp, LightningFlow, LightningWork
from lightning_grpc.structures import Dict, List

LIMITS = (10, 100, 1000)


class Primes(LightningWork):
    """Finds the primes below a limit."""

    def __init__(self):
        super().__init__(parallel=True)
        self.primes = []

    def run(self, limit):
        for number in range(2, limit):
            if all(number % prime for prime in self.primes):
                self.primes.append(number)


class Gaps(LightningWork):
    """Counts the gaps between neighbours in a list of numbers."""

    def __init__(self):
        super().__init__(parallel=True)
        self.gaps = {}

    def run(self, numbers):
        for left, right in pairwise(numbers):
            self.gaps[right - left] = self.gaps.get(right - left, 0) + 1


class Flow(LightningFlow):
    def __init__(self):
        super().__init__()
        self.searches = List()
        self.analyses = Dict()

    def run(self):
        for index, limit in enumerate(LIMITS):
            if index == len(self.searches):
                self.searches.append(Primes())
            search = self.searches[index]
            search.run(limit)
            if search.has_succeeded:
                self.analyze(f"below_{limit}", search.primes)
        done = [name for name, work in self.analyses.items() if work.has_succeeded]
        if len(done) == len(LIMITS):
            self.report()
            self.stop()

    def analyze(self, name, primes):
        """Start one Work more for every search that is done."""
        if name not in self.analyses:
            self.analyses[name] = Gaps()
        self.analyses[name].run(primes)

    def report(self):
        for name, work in self.named_works():
            found = (
                f"{len(work.primes)} primes" if isinstance(work, Primes) else f"gaps {dict(sorted(work.gaps.items()))}"
            )
            print(f"{name}: {found}")
        self.searches.pop()  # what is removed is stopped, and its name is not given out again
        self.searches.append(Primes())
        print(f"searches: {[work.name for work in self.searches]}")


app = LightningApp(Flow())

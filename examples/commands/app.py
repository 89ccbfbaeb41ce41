"""An app that waits for commands: they start searches for primes, tell what was found, and end the app."""

from search_file import SearchFile

from lightning_grpc import LightningApp, LightningFlow, LightningWork
from lightning_grpc.structures import Dict


class Primes(LightningWork):
    """Counts the primes below a limit."""

    def __init__(self):
        super().__init__(parallel=True)
        self.count = 0

    def run(self, limit):
        for number in range(2, limit):
            if all(number % divisor for divisor in range(2, int(number**0.5) + 1)):
                self.count += 1


class Flow(LightningFlow):
    def __init__(self):
        super().__init__()
        self.limits = []
        self.searches = Dict()

    def run(self):
        for limit in self.limits:
            name = f"below_{limit}"
            if name not in self.searches:
                self.searches[name] = Primes()
            self.searches[name].run(limit)

    def configure_commands(self):
        return [
            {"search": self.search, "found": self.found, "finish": self.finish},
            {"search file": SearchFile(method=self.search)},
        ]

    def search(self, limit: list[int], smallest: int = 2):
        """Search for the primes below some limits."""
        wrong = [each for each in limit if each < smallest]
        if wrong:
            raise ValueError(f"a limit is at least {smallest}, not {wrong[0]}")
        self.limits += [each for each in limit if each not in self.limits]
        return f"searching below {', '.join(map(str, self.limits))}"

    def found(self, done: bool = False):
        """Tell how many primes were found so far.

        With --done, only what is known for good.
        """
        return {name: work.count for name, work in self.searches.items() if work.has_succeeded or not done}

    def finish(self, message: str = "Good bye."):
        """End the app."""
        self.stop(message)


app = LightningApp(Flow())

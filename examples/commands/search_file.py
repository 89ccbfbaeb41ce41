"""The part of a command that is executed by who calls it, where the file is."""

from pathlib import Path

from lightning_grpc.utilities.commands import ClientCommand


class SearchFile(ClientCommand):
    description = "Search for the primes below the limits in a file."

    def run(self, path: str):
        """Read limits from a file, one a line, and search for the primes below them."""
        limits = [int(line) for line in Path(path).read_text().split()]
        print(f"{path} has {len(limits)} limits")
        return self.invoke_handler(limit=limits)

"""Asks a served Work for primes, waits, and tells who else has asked: ``python ask.py ADDRESS NAME LIMIT``."""

from __future__ import annotations

import sys

from lightning_grpc import WorkClient
from lightning_grpc.errors import WorkFailedError


def main() -> None:
    address, name, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with WorkClient(address, caller=name) as primes:
        try:
            status = primes.run(limit).wait(timeout_s=60)
        except WorkFailedError as error:  # it holds the traceback, too
            sys.exit(f"{name}: {error.summary}")
        variables = primes.state["vars"]
        print(f"{name}: {status.stage}; {variables['found']} primes, the largest is {variables['largest']}")
        for call in primes.state["calls"].values():
            if isinstance(call, dict) and "caller" in call:
                print(f"  asked by {call['caller']}: {call['statuses'][-1]['stage']}")


if __name__ == "__main__":
    main()

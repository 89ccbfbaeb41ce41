"""Apply one changed key to a mirror of 10,000 keys, over one of 10: attributes, and keys of one dict."""

from __future__ import annotations

import time

import lightning_grpc as L
from bench.case import Case, Measurement, Row, median
from lightning_grpc.coordinator.mirror import Mirror
from lightning_grpc.state.delta import Change, Set

FEW, MANY = 10, 10_000


class Attributes(L.LightningWork):
    """A Work with that many attributes."""

    def __init__(self, n: int) -> None:
        super().__init__()
        for index in range(n):
            setattr(self, f"key_{index}", index)

    def run(self) -> None:
        """Do nothing."""


class Table(L.LightningWork):
    """A Work with a dict of that many keys."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.table = {f"key_{index}": index for index in range(n)}

    def run(self) -> None:
        """Do nothing."""


def _apply_s(mirror: Mirror, *path: str) -> float:
    """Return the seconds that one changed key takes, the median of many."""
    taken_s = []
    for value in range(3000):
        changes: list[Change] = [Set(("vars", *path, f"key_{value % FEW}"), -1 - value)]
        begin_s = time.perf_counter()
        mirror.apply(changes)
        taken_s.append(time.perf_counter() - begin_s)
    return median(taken_s)


def ours(quick: bool) -> Measurement:
    """Measure both kinds, few and many keys in turn."""
    mirrors = {n: (Mirror(Attributes(n)), Mirror(Table(n))) for n in (FEW, MANY)}
    factors: dict[str, list[float]] = {"attributes": [], "dict": []}
    taken_s = []
    for _ in range(2 if quick else 5):
        few, many = (_apply_s(mirrors[n][0]) for n in (FEW, MANY))
        factors["attributes"].append(many / few)
        taken_s.append(many)
        few, many = (_apply_s(mirrors[n][1], "table") for n in (FEW, MANY))
        factors["dict"].append(many / few)
    return {
        "apply_s": median(taken_s),
        "attributes_factor": median(factors["attributes"]),
        "dict_factor": median(factors["dict"]),
    }


CASE = Case(
    name="mirror",
    rows=(
        Row(
            "apply one changed key to a mirror of 10,000 keys, over 10 keys",
            "apply_s",
            "s",
            lambda side, _raw: max(side["attributes_factor"], side["dict_factor"]),
            1.5,
        ),
    ),
    ours=ours,
    peers=("lightning-app",),
    note="Measured with attributes, and with the keys of one dict; the worse of the two counts.",
)

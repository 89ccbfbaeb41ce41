"""One tick with 1 changed Work among 500, over the same among 5; without I/O."""

from __future__ import annotations

import time

from bench.apps import Loop, Numbers
from bench.case import Case, Measurement, Row, median
from lightning_grpc import LightningWork
from lightning_grpc.coordinator.events import FramesReceived
from lightning_grpc.coordinator.tick import Tick
from lightning_grpc.state.delta import Set
from lightning_grpc.state.subscription import Delta

FEW, MANY = 5, 500


def _do_nothing(_flow: Loop) -> None:
    pass


def _pack(_work: LightningWork) -> bytes:
    return b""


class _App:
    """A tick with that many Works, which have all been started."""

    def __init__(self, works: int) -> None:
        self._root = Loop(_do_nothing, **{f"work_{index}": Numbers(parallel=True) for index in range(works)})
        self._tick = Tick(self._root, _pack)
        self._tick.start_with_flow()
        commands = self._tick.take_commands()
        self._incarnations = [(command.work, command.incarnation) for command in commands]
        self._n = 0

    def tick_s(self) -> float:
        """Return the seconds of one tick in which one Work has changed."""
        self._n += 1
        work, incarnation = self._incarnations[self._n % len(self._incarnations)]
        frame = Delta(0, self._n, [Set(("vars", "x"), self._n)])
        begin_s = time.perf_counter()
        self._tick.receive(FramesReceived(work, incarnation, [frame]))
        assert self._tick.changed
        self._tick.begin_run()
        self._root.run()
        self._tick.end_run(completed=True)
        self._tick.take_commands()
        self._tick.take_changes()
        return time.perf_counter() - begin_s


def ours(quick: bool) -> Measurement:
    """Measure both, in turn."""
    few, many = _App(FEW), _App(MANY)
    taken_s: dict[str, list[float]] = {"few": [], "many": []}
    for _ in range(4 if quick else 10):
        taken_s["few"] += [few.tick_s() for _ in range(1000)]
        taken_s["many"] += [many.tick_s() for _ in range(1000)]
    return {"few_s": median(taken_s["few"]), "many_s": median(taken_s["many"])}


CASE = Case(
    name="tick",
    rows=(
        Row(
            "one tick with 1 changed Work among 500, over among 5",
            "many_s",
            "s",
            lambda side, _raw: side["many_s"] / side["few_s"],
            2,
        ),
    ),
    ours=ours,
)

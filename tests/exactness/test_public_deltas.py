"""The public form of every delta is DeepDiff's own, and DeepDiff can apply it (issue: exactness, point 7)."""

from __future__ import annotations

import math

import pytest
from deepdiff import DeepDiff
from exact_works import Edited, Holder
from replay import ReplayedApp

import lightning_grpc as L

STEPS = {
    "values_changed": [(1, 2), ("a", "b"), ([1, 2, 3], [1, 5, 3]), ({"k": {"n": 1}}, {"k": {"n": 2}})],
    "type_changes": [(1, 1.0), (1, True), (None, 1), ("1", 1), ([1], (1,)), ({"k": 1}, {"k": "1"}), ({}, [])],
    "dictionary_item_added": [({}, {"k": 1}), ({"k": {}}, {"k": {"new": [1]}}), ({}, {5: 1})],
    "dictionary_item_removed": [({"k": 1}, {}), ({"k": {"old": [1]}}, {"k": {}}), ({5: 1}, {})],
    "iterable_item_added": [([], [1]), ([1, 2], [1, 2, 3, 4]), ({"k": []}, {"k": [{"n": 1}]})],
    "iterable_item_removed": [([1], []), ([1, 2, 3], [1]), ({"k": [(1,)]}, {"k": []})],
}
"""What one change is called, with values before and after it. There is no kind for sets: state holds none."""

ROUNDS = 40
CASES = [(kind, before, after) for kind, steps in STEPS.items() for before, after in steps]


class Steps(L.LightningFlow):
    """Has its Work assign all values before, then all values after."""

    def __init__(self, befores, afters):
        super().__init__()
        self.work = Holder()
        self._steps = [befores, afters]
        self.at = 0

    def run(self):
        self.work.run(self.at, self._steps[self.at])
        if self.work.has_succeeded:
            self.at += 1
            if self.at == len(self._steps):
                self.stop()


@pytest.fixture(scope="module")
def app():
    app = ReplayedApp(
        Steps([before for _, before, _ in CASES], [after for _, _, after in CASES])
    )  # which has DeepDiff apply every delta, and compares
    app.run()
    return app


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda number: f"{CASES[number]}")
def test_a_change_is_called_what_deepdiff_calls_it(app, number):
    kind, before, after = CASES[number]
    place = f"root['works']['work']['vars']['v{number}']"
    said = [(each, path, entry) for delta in app.deltas for each, part in delta.items() for path, entry in part.items()]
    mine = [(each, path.replace(place, "root"), entry) for each, path, entry in said if path.startswith(place)]
    last = {(each, path) for each, path, _ in mine[-_changes(before, after) :]}
    assert {each for each, _ in last} == {kind}
    assert last == {(each, path) for each, paths in _deepdiff(before, after).items() for path in paths}


def _deepdiff(before, after):
    return DeepDiff(before, after, ignore_type_in_groups=[], verbose_level=2).to_dict()


def _changes(before, after):
    return sum(len(paths) for paths in _deepdiff(before, after).values())


def test_every_delta_of_random_edits_in_place_is_applied_by_deepdiff():
    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.work = Edited()
            self.seed = 0

        def run(self):
            self.work.run(self.seed, 3)
            if self.work.has_succeeded:
                self.seed += 1
                if self.seed == ROUNDS:
                    self.stop()

    app = ReplayedApp(Flow())
    app.run()
    assert set(STEPS) <= app.kinds()
    assert len(app.deltas) > ROUNDS


LIMITS = {
    "nan removed from a list": ([1, math.nan, 2], [1]),
    "nan removed from a list that holds it twice": ([math.nan, math.nan], []),
    "nan inside an item removed from a list": ([1, [math.nan]], [1]),
    "nan removed by a splice": ([math.nan, *range(20)], [*range(100, 110)]),
    "keys of both kinds removed at once": ({1: 1, "a": 1, "b": 2}, {"b": 2}),
}
"""What DeepDiff itself cannot apply, in some version at least."""


@pytest.mark.parametrize("limit", LIMITS)
def test_what_deepdiff_cannot_apply_is_said_and_not_lost_in_silence(limit):
    before, after = LIMITS[limit]
    ReplayedApp(Steps([before], [after])).run()  # fails if DeepDiff does, or makes another state of the delta


def test_a_listener_that_raises_for_the_last_delta_of_an_app_is_heard_too():
    class Once(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.number = 0

        def run(self):
            self.number = 1
            self.stop()

    def listen(delta):
        raise ValueError("the reason given")

    app = L.LightningApp(Once())
    app.add_delta_listener(listen)
    with pytest.raises(ValueError, match="the reason given"):
        app.run()

"""Every value that state can hold, from an assignment in a Work to what DeepDiff makes of it (issue: exactness, 6)."""

from __future__ import annotations

from exact_works import Holder, Refused
from hypothesis import given, settings
from hypothesis import strategies as st
from replay import ReplayedApp
from strategies import EDGES, LOOKALIKES, ODD_TEXTS, edited, fingerprint, values

import lightning_grpc as L


class Assigning(L.LightningFlow):
    """Has its Work assign batch after batch, and compares what it sees after each."""

    def __init__(self, batches):
        super().__init__()
        self.work = Holder()
        self.at = 0
        self._batches = batches

    def run(self):
        self.work.run(self.at, self._batches[self.at])
        if self.work.has_succeeded:
            seen = [getattr(self.work, f"v{number}") for number in range(len(self._batches[self.at]))]
            assert fingerprint(seen) == fingerprint(self._batches[self.at])
            self.at += 1
            if self.at == len(self._batches):
                self.stop()


def assign(*batches):
    """Have values assigned in a Work, and check all the ways on which they travel; returns the app."""
    app = ReplayedApp(Assigning(batches))
    app.run()
    for state in (app.state, app.exact, app.public):
        final = state["works"]["work"]["vars"]
        assert fingerprint([final[f"v{number}"] for number in range(len(batches[-1]))]) == fingerprint(batches[-1])
    assert fingerprint(app.exact) == fingerprint(app.state)
    return app


@st.composite
def batches_of_values(draw):
    """Many values, and what became of each: another value, or the same one edited."""
    first = draw(st.lists(values(), min_size=Holder.PLACES // 2, max_size=Holder.PLACES))
    return first, [draw(edited(value)) for value in first]


@settings(max_examples=12)
@given(batches_of_values())
def test_any_value_is_equal_in_value_and_type_wherever_it_arrives(batches):
    assign(*batches)


def test_values_that_resemble_each_other_stay_apart():
    number = len(LOOKALIKES)
    assign(*[[LOOKALIKES[(place + step) % number] for place in range(number)] for step in range(number)])


def test_values_that_resemble_each_other_stay_apart_inside_containers():
    number = len(LOOKALIKES)
    turned = [[LOOKALIKES[(place + step) % number] for place in range(number)] for step in range(0, number, 3)]
    assign(*[[row, {"k": row}, [row, {"k": {1: row}}], *row] for row in turned])


def test_ints_of_any_size_arrive_whole():
    assign(EDGES, [-value for value in EDGES], [[value, {value: value}] for value in EDGES])


def test_keys_that_no_path_can_say_are_told_and_the_values_arrive():
    tables = [{text: {"inside": 1}} for text in ODD_TEXTS]
    edits = [{text: {"inside": 2}} for text in ODD_TEXTS]
    app = assign(tables, edits, [{} for _ in ODD_TEXTS], tables)
    told = {path[4] for path in app.unsaid}
    assert told == {"'\"", "__class__", "__x__"}


def test_the_deepest_value_that_an_argument_can_hold_arrives():
    def nested(depth, leaf):
        value = leaf
        for level in range(depth):
            value = [value] if level % 2 else {"k": value}
        return value

    assign([nested(39, 1)], [nested(39, 1.0)], [nested(38, [])], [nested(1, 2)])


def test_what_state_cannot_hold_is_refused_where_it_is_assigned_and_nothing_else_is_lost():
    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.work = Refused()

        def run(self):
            self.work.run()
            if self.work.has_succeeded:
                self.stop()

    flow = Flow()
    app = ReplayedApp(flow)
    app.run()
    told = {
        "surrogate": "value has the lone surrogate '\\ud800' at index 1",
        "surrogate inside": "value['a'][0][1] has the lone surrogate '\\udfff' at index 0",
        "surrogate key": "has the lone surrogate '\\ud800' at index 0",
        "key": "value has the key 1.5 of type float; keys are str or int",
        "bytes": "value[0] is b'x' of type bytes",
        "set": "value is {1, 2} of type set",
        "depth": "is nested more than 40 containers deep",
        "loop": "is nested more than 40 containers deep (or contains itself)",
        "subclass": "a subclass of int",
    }
    assert flow.work.errors.keys() == told.keys()
    for name, text in told.items():
        assert text in flow.work.errors[name]
        assert "root.work" in flow.work.errors[name]
    assert flow.work.value == "before"
    assert flow.work.after == 1

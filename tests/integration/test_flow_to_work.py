"""What a Flow writes on a Work that receives updates reaches it while it runs, or is told not to have."""

from __future__ import annotations

import logging

from updated_works import Obedient, Stubborn

import lightning_grpc as L


class Telling(L.LightningFlow):
    """Writes speeds one after the other, each when the one before was heard."""

    def __init__(self, receive_updates=True):
        super().__init__()
        self.work = Obedient(receive_updates)
        self.told = 0
        self.seen = []

    def run(self):
        work = self.work
        work.run()
        self.seen.append(work.speed)
        if not work.heard or work.has_succeeded:
            if work.has_succeeded:
                self.stop()
            return
        if work.heard[-1] != self.told:
            return
        if self.told == 5:
            work.is_over = True
        else:
            self.told += 1
            work.speed = self.told


def test_a_running_work_hears_every_write_of_the_flow_in_order():
    flow = Telling()
    L.LightningApp(flow).run()
    assert flow.work.heard == [0, 1, 2, 3, 4, 5]
    assert flow.work.speed == 5
    assert flow.work.update_conflicts == {}


def test_the_flow_goes_on_seeing_what_it_has_written_until_the_work_shows_it_too():
    flow = Telling()
    L.LightningApp(flow).run()
    assert flow.seen == sorted(flow.seen)


class Editing(L.LightningFlow):
    """Changes a container of the Work in place."""

    def __init__(self):
        super().__init__()
        self.work = Obedient()
        self.step = 0

    def run(self):
        work = self.work
        work.run()
        if work.has_succeeded:
            self.stop()
        if work.heard and self.step == 0:
            work.limits["high"].append(3)
            work.limits["new"] = (1, None)
            self.step = 1
        elif self.step == 1:
            work.is_over = True
            self.step = 2


def test_a_change_inside_a_container_reaches_the_work_too():
    flow = Editing()
    L.LightningApp(flow).run()
    assert flow.work.limits == {"low": 0, "high": [1, 2, 3], "new": (1, None)}
    assert flow.work.update_conflicts == {}


class Quarrelling(L.LightningFlow):
    """Writes what the Work writes all the time."""

    def __init__(self):
        super().__init__()
        self.work = Stubborn()
        self.conflicts = 0
        self.writes = 0

    def run(self):
        work = self.work
        work.run()
        if work.has_succeeded:
            self.stop()
        is_told = "own" in work.update_conflicts
        self.conflicts += is_told
        if work.own <= 10:
            return
        if is_told and work.times_set < self.writes:
            work.is_over = True
        else:  # again, if the Work, on a busy machine, had not written it meanwhile
            self.writes += 1
            work.own = -1


def test_a_conflict_is_told_to_the_flow_and_logged_and_the_works_value_stays(caplog):
    flow = Quarrelling()
    with caplog.at_level(logging.WARNING, "lightning_grpc"):
        L.LightningApp(flow).run()
    assert flow.conflicts
    assert flow.work.own > 10
    assert flow.work.times_set < flow.writes
    conflict = flow.work.update_conflicts["own"]
    assert (conflict.attribute, conflict.wanted) == ("own", -1)
    assert any("root.work.own: what the Flow has written is not taken" in text for text in caplog.messages)


class Unheard(L.LightningFlow):
    """Writes on a Work that does not receive updates."""

    def __init__(self):
        super().__init__()
        self.work = Obedient(receive_updates=False)
        self.runs = 0

    def run(self):
        self.work.run()
        if self.work.heard:
            self.work.speed = 7
            self.runs += 1
            if self.runs > 20:
                self.stop()


def test_without_the_option_the_works_own_value_and_the_flows_stay_apart():
    flow = Unheard()
    L.LightningApp(flow).run()
    assert flow.work.speed == 7
    assert flow.work.heard == [0]

"""Schedules of a Flow: when they are due, for how long, and what becomes of them over restarts and clock changes."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from passes import Flow, Passes

from lightning_grpc.components.schedule import Scheduling
from lightning_grpc.errors import LightningGrpcError, ScheduleError
from lightning_grpc.signals import ExitAppException, FlowSuspended

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp()


def hourly(flow):
    return flow.schedule("hourly")


def every(pattern, **options):
    return lambda flow: flow.schedule(pattern, **options)


def app_of(body=hourly, now=NOON + 1):
    return Passes(Flow(body), now)


def entry_of(app):
    (entry,) = app.root.state["calls"]["scheduling"].values()
    return entry


# When it is due.


def test_a_schedule_is_due_at_first_and_then_when_its_pattern_fires():
    app = app_of()
    assert [app.run(NOON + t) for t in (1, 2, HOUR - 1, HOUR, HOUR + 1, 2 * HOUR - 1, 2 * HOUR + 30)] == [
        True,
        False,
        False,
        True,
        False,
        False,
        True,
    ]


def test_a_firing_is_seen_by_every_run_of_the_pass_that_it_falls_into_and_by_no_other():
    seen = []

    def body(flow):
        seen.append(flow.schedule("hourly"))
        if flow.blocked:
            raise FlowSuspended
        return True

    app = Passes(Flow(body, blocked=True), NOON + 1)
    assert [app.run(), app.run(), app.run()] == [None] * 3
    app.root.blocked = False
    app.run()
    app.run()
    assert seen == [True, True, True, True, False]
    app.root.blocked = True
    app.run()  # began before the schedule fired
    app.run(NOON + HOUR)
    app.run(NOON + HOUR + 1)
    app.root.blocked = False
    app.run()
    app.run()
    assert seen[5:] == [False, True, True, True, False]


def test_a_pass_that_is_left_by_the_end_of_the_app_does_not_use_the_firing_up():
    def body(flow):
        due = flow.schedule("hourly")
        if flow.ends:
            flow.stop()
        return due

    app = Passes(Flow(body, ends=True), NOON + 1)
    with pytest.raises(ExitAppException):
        app.run()
    resumed = app.moved_to(Flow(body, ends=False))
    resumed.root.ends = False
    assert [resumed.run(), resumed.run()] == [True, False]


def test_firings_that_a_busy_app_has_missed_are_one():
    app = app_of()
    app.run()
    assert [app.run(NOON + 5 * HOUR + 10), app.run(), app.run(NOON + 6 * HOUR - 1)] == [True, False, False]
    assert app.run(NOON + 6 * HOUR)


def test_firings_within_a_pass_that_has_seen_one_are_one_of_the_next_pass():
    seen = []

    def body(flow):
        seen.append(flow.schedule("hourly"))
        if flow.blocked:
            raise FlowSuspended

    app = Passes(Flow(body, blocked=True), NOON + 1)
    for hour in range(4):
        app.run(NOON + hour * HOUR + 1)
    app.root.blocked = False
    app.run()
    assert set(seen) == {True}
    app.run()
    app.run()
    assert seen[-2:] == [True, False]


def test_a_schedule_that_is_not_looked_at_when_it_fires_is_due_when_it_is():
    app = Passes(Flow(lambda flow: flow.looks and flow.schedule("hourly"), looks=True), NOON + 1)
    app.run()
    app.root.looks = False
    app.run(NOON + HOUR)
    app.root.looks = True
    assert [app.run(NOON + HOUR + MINUTE), app.run()] == [True, False]


def test_the_root_is_to_be_run_when_the_next_firing_is_due():
    app = app_of()
    app.run()
    assert list(app.wake_ups.values()) == [NOON + HOUR]
    app.run(NOON + HOUR + 5)
    assert list(app.wake_ups.values()) == [NOON + 2 * HOUR]


def test_seconds_are_the_sixth_field():
    app = app_of(every("* * * * * */10"))
    assert [app.run(NOON + t) for t in (1, 9.9, 10, 11, 19.5, 20.25)] == [True, False, True, False, False, True]


# Which schedule it is.


def test_schedules_of_two_places_keep_apart():
    def body(flow):
        return flow.schedule("hourly"), flow.schedule("hourly"), flow.schedule("daily")

    app = app_of(body)
    assert [app.run(), app.run(), app.run(NOON + HOUR)] == [(True,) * 3, (False,) * 3, (True, True, False)]
    assert len(app.root.state["calls"]["scheduling"]) == 3


def test_one_place_with_several_patterns_has_several_schedules():
    app = app_of(lambda flow: [flow.schedule(pattern) for pattern in ("hourly", "daily")])
    assert [app.run(), app.run(), app.run(NOON + HOUR)] == [[True, True], [False, False], [True, False]]


def test_a_user_key_is_one_schedule_wherever_it_stands():
    def body(flow):
        first = flow.schedule("hourly", user_key="k")
        return first, flow.schedule("hourly", user_key="k")

    app = app_of(body)
    assert [app.run(), app.run()] == [(True, True), (False, False)]
    assert list(app.root.state["calls"]["scheduling"]) == ["k"]


def test_flows_of_one_class_have_schedules_of_their_own():
    root = Flow(lambda flow: [flow.a.run(), flow.b.run()], a=Flow(hourly), b=Flow(lambda flow: None))
    app = Passes(root, NOON + 1)
    app.run()
    root.b._body = hourly
    assert [app.run(), app.run()] == [[False, True], [False, False]]


def test_a_place_is_named_by_file_line_column_and_function_without_the_folder():
    app = app_of()
    app.run()
    (key,) = app.root.state["calls"]["scheduling"]
    line = hourly.__code__.co_firstlineno + 1
    assert key == f"hourly:test_schedule.py:{line}:11:hourly"


def test_another_pattern_under_the_same_key_goes_on_with_the_new_one():
    app = app_of(every("daily", user_key="k"))
    app.run()
    app.root._body = every("*/5 * * * *", user_key="k")
    assert [app.run(NOON + MINUTE), app.run(NOON + 5 * MINUTE), app.run()] == [False, True, False]
    assert entry_of(app)["cron_pattern"] == "*/5 * * * *"


# Its state.


def test_the_state_says_what_is_waited_for():
    app = app_of()
    app.run()
    assert entry_of(app) == {
        "cron_pattern": "hourly",
        "start_time": None,
        "running": False,
        "since": NOON + 1,
        "next_firing": NOON + HOUR,
    }


def test_the_calls_are_replaced_and_never_mutated():
    app = app_of()
    app.run()
    before, kept = app.root._calls, json.dumps(app.root._calls)
    app.run(NOON + HOUR)
    assert json.dumps(before) == kept
    assert app.root._calls is not before


def test_a_state_that_is_reloaded_through_json_goes_on():
    app = app_of()
    app.run()
    state = json.loads(json.dumps(app.root.state_dict()))
    root = Flow(hourly)
    root.load_state_dict(state, {})
    resumed = Passes(root, NOON + 2)
    assert [resumed.run(NOON + 2), resumed.run(NOON + HOUR), resumed.run()] == [False, True, False]


def test_firings_that_were_missed_while_the_app_was_down_are_one():
    app = app_of()
    app.run()
    resumed = app.moved_to(Flow(hourly))
    days_later = NOON + 3 * DAY + MINUTE
    assert [resumed.run(days_later), resumed.run(), resumed.run(days_later + HOUR)] == [True, False, True]


def test_a_pass_that_was_cut_short_by_the_end_of_the_app_sees_its_firing_again():
    def body(flow):
        due = flow.schedule("hourly")
        if flow.blocked:
            raise FlowSuspended
        return due

    app = Passes(Flow(body, blocked=True), NOON + 1)
    app.run()
    resumed = app.moved_to(Flow(body, blocked=True))
    resumed.root.blocked = False
    assert [resumed.run(NOON + 10), resumed.run(NOON + 20)] == [True, False]


def test_a_state_that_is_replaced_within_a_pass_is_not_written_over():
    def body(flow):
        flow.schedule("hourly")
        flow._set_calls({})

    app = app_of(body)
    app.run()
    assert app.root.state["calls"] == {}


# The clock.


def test_a_clock_that_jumps_forward_fires_once():
    app = app_of()
    app.run()
    far = NOON + 400 * DAY
    assert [app.run(far), app.run(far + 1), app.run(far + 2)] == [True, False, False]


@pytest.mark.parametrize("back", [2 * MINUTE, HOUR, 3 * DAY, 5000 * DAY])
def test_a_clock_that_jumps_back_waits_no_longer_than_from_one_firing_to_the_next(back):
    app = app_of()
    app.run()
    assert not app.run(NOON - back)
    (wake_up,) = app.wake_ups.values()
    assert NOON - back < wake_up <= NOON - back + HOUR
    assert [app.run(wake_up - 1), app.run(wake_up), app.run(wake_up + 1)] == [False, True, False]


def test_a_clock_that_is_corrected_by_a_little_does_not_repeat_a_firing():
    app = app_of(now=NOON)
    app.run()
    assert [app.run(NOON + HOUR + 0.01), app.run(NOON + HOUR - 0.2), app.run(NOON + HOUR)] == [True, False, False]
    assert app.run(NOON + 2 * HOUR)


@given(st.lists(st.floats(-3 * DAY, 3 * DAY), min_size=1, max_size=30))
def test_whatever_the_clock_does_one_look_sees_one_firing_and_the_next_is_at_most_an_hour_away(jumps):
    app, firings, now = app_of(), 0, NOON + 1
    app.run()
    for jump in jumps:
        now += jump
        firings += app.run(now)
        assert now < entry_of(app)["next_firing"] <= now + HOUR + MINUTE
        assert not app.run(now)
    assert firings <= len(jumps)


# Time zones.


def test_a_pattern_is_read_in_utc_unless_the_start_says_otherwise():
    berlin = datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    naive = datetime(2026, 1, 1)  # noqa: DTZ001
    starts = [None, naive, berlin, datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=-5)))]
    expected = [9, 9, 7, 14]
    for start, hour in zip(starts, expected, strict=True):
        app = app_of(every("0 9 * * *", start_time=start), NOON)
        app.run()
        assert (entry_of(app)["next_firing"] - NOON) / HOUR % 24 == (hour - 12) % 24


def test_a_schedule_waits_for_its_start_but_for_the_first_time():
    start = datetime(2026, 7, 3, 10, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    app = app_of(every("hourly", start_time=start))
    assert app.run()
    assert not app.run(NOON + 5 * HOUR)
    assert entry_of(app)["start_time"] == "2026-07-03T10:30:00+02:00"
    assert entry_of(app)["next_firing"] == datetime(2026, 7, 3, 9, tzinfo=UTC).timestamp()
    assert not app.run(NOON - 3 * DAY)
    assert entry_of(app)["next_firing"] == datetime(2026, 7, 3, 9, tzinfo=UTC).timestamp()


def test_a_start_that_moves_with_every_call_is_the_one_it_had_first():
    def body(flow):
        return flow.schedule("hourly", start_time=datetime.fromtimestamp(app.now, UTC))

    app = app_of(body)
    assert [app.run(), app.run(NOON + MINUTE), app.run(NOON + HOUR), app.run()] == [True, False, True, False]


def test_a_zone_that_cannot_be_hashed_will_do():
    class Zone(tzinfo):
        __hash__ = None

        def utcoffset(self, moment):
            return timedelta(hours=1)

        def dst(self, moment):
            return timedelta(0)

    app = app_of(every("0 9 * * *", start_time=datetime(2026, 1, 1, tzinfo=Zone())))
    app.run()
    assert entry_of(app)["next_firing"] == NOON + 20 * HOUR


# Errors.


@pytest.mark.parametrize("pattern", ["every now and then", "61 * * * *", "* * *", 5])
def test_a_bad_pattern_is_an_error_that_names_it_and_the_flow(pattern):
    app = Passes(Flow(lambda flow: flow.child.schedule(pattern), child=Flow()), NOON)
    with pytest.raises(ScheduleError) as caught:
        app.run()
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, LightningGrpcError)
    assert str(caught.value).startswith(f"root.child (Flow): schedule({pattern!r}) has no meaning: ")
    assert app.root.child.state["calls"] == {}


def test_a_start_that_is_no_datetime_is_an_error():
    with pytest.raises(ScheduleError, match="start_time is a datetime or None, not '2026-01-01'"):
        app_of(every("hourly", start_time="2026-01-01")).run()


# Without an app.


def test_a_flow_that_no_app_runs_takes_each_firing_for_a_pass():
    flow, now = Flow(hourly), [NOON + 1]
    flow.__dict__["_clock"] = lambda: now[0]
    assert [flow.run(), flow.run()] == [True, False]
    now[0] = NOON + HOUR
    assert [flow.run(), flow.run()] == [True, False]


def test_a_flow_of_the_package_has_a_clock(monkeypatch):
    from lightning_grpc import LightningFlow

    assert abs(LightningFlow._clock() - time.time()) < HOUR  # and no other clock, which would count from elsewhere
    monkeypatch.setattr(LightningFlow, "_clock", None)
    monkeypatch.setattr(Scheduling, "_clock", None)
    with pytest.raises(RuntimeError, match="no app runs the Flow"):
        Flow(hourly).run()

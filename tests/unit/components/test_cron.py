"""Cron patterns: what they mean, and what time zones do to them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_grpc.components.cron import ALIASES, Cron
from lightning_grpc.errors import LightningGrpcError, ScheduleError

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 2, 37, 45, 500_000, tzinfo=UTC).timestamp()


def firings(pattern, after, zone=None, n=4):
    """The next firings, as the zone's clock shows them."""
    cron, now, found = Cron(pattern, zone), after.timestamp(), []
    for _ in range(n):
        now = cron.next_after(now)
        found.append(datetime.fromtimestamp(now, zone or UTC).strftime("%d %H:%M:%S%z"))
    return found


def next_one(pattern):
    return datetime.fromtimestamp(Cron(pattern).next_after(NOW), UTC).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize("at", ["", "@"])
@pytest.mark.parametrize(
    ("alias", "expected"),
    [
        ("hourly", "2026-11-25 03:00:00"),
        ("daily", "2026-11-26 00:00:00"),
        ("midnight", "2026-11-26 00:00:00"),
        ("weekly", "2026-11-29 00:00:00"),
        ("monthly", "2026-12-01 00:00:00"),
        ("yearly", "2027-01-01 00:00:00"),
        ("annually", "2027-01-01 00:00:00"),
    ],
)
def test_an_alias_stands_for_a_pattern_with_and_without_its_sign(at, alias, expected):
    assert next_one(at + alias) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("* * * * *", "2026-11-25 02:38:00"),
        ("*/5 * * * *", "2026-11-25 02:40:00"),
        ("30 2 * * *", "2026-11-26 02:30:00"),
        ("0 9 * * 1-5", "2026-11-25 09:00:00"),
        ("0 0 1 jan *", "2027-01-01 00:00:00"),
        ("0 0 29 2 *", "2028-02-29 00:00:00"),
        ("0 12 * * thu", "2026-11-26 12:00:00"),
        ("  0   3 * * *  ", "2026-11-25 03:00:00"),
    ],
)
def test_a_pattern_has_five_fields(pattern, expected):
    assert next_one(pattern) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("* * * * * *", "2026-11-25 02:37:46"),
        ("* * * * * */10", "2026-11-25 02:37:50"),
        ("0 * * * * 30", "2026-11-25 03:00:30"),
    ],
)
def test_a_sixth_field_at_the_end_is_that_of_seconds(pattern, expected):
    assert next_one(pattern) == expected


def test_the_next_firing_is_strictly_later():
    assert firings("* * * * * *", datetime(2026, 1, 1, tzinfo=UTC), n=2) == ["01 00:00:01+0000", "01 00:00:02+0000"]


WITHOUT_MEANING = ["", " ", "often", "@often", "@reboot", "* * * *", "* * * * * * *", "- - - - -", None, 5]
WITHOUT_MEANING += ["61 * * * *", "* * * * abc", "0 0 30 2 *", "1- * * * *", "*/0 * * * *"]
WITHOUT_MEANING += ["R * * * *", "H * * * *", "0 r(0-5) * * *", "h/3 * * * *"]


@pytest.mark.parametrize("pattern", WITHOUT_MEANING)
def test_a_pattern_without_a_meaning_is_an_error_that_names_it_and_says_what_would_be_right(pattern):
    with pytest.raises(ScheduleError) as caught:
        Cron(pattern)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, LightningGrpcError)
    assert repr(pattern) in str(caught.value)
    assert "five fields" in str(caught.value)


# Time zones.


def test_a_pattern_is_read_by_the_clock_of_its_zone():
    start = datetime(2026, 7, 1, tzinfo=UTC)
    assert firings("0 9 * * *", start, BERLIN, 2) == ["01 09:00:00+0200", "02 09:00:00+0200"]
    assert firings("0 9 * * *", start, ZoneInfo("Asia/Kolkata"), 1) == ["01 09:00:00+0530"]
    assert firings("0 9 * * *", start, n=1) == ["01 09:00:00+0000"]


def test_a_time_of_day_that_is_skipped_fires_when_the_clock_has_jumped():
    before = datetime(2026, 3, 28, 12, tzinfo=BERLIN)
    assert firings("30 2 * * *", before, BERLIN, 3) == ["29 03:00:00+0200", "30 02:30:00+0200", "31 02:30:00+0200"]


def test_a_time_of_day_that_comes_twice_fires_once():
    before = datetime(2026, 10, 24, 12, tzinfo=BERLIN)
    assert firings("30 2 * * *", before, BERLIN, 3) == ["25 02:30:00+0200", "26 02:30:00+0100", "27 02:30:00+0100"]


def test_a_pattern_of_every_hour_follows_the_hours_that_pass():
    spring, autumn = datetime(2026, 3, 29, 0, 30, tzinfo=BERLIN), datetime(2026, 10, 25, 1, 10, tzinfo=BERLIN)
    assert firings("0 * * * *", spring, BERLIN) == [
        "29 01:00:00+0100",
        "29 03:00:00+0200",
        "29 04:00:00+0200",
        "29 05:00:00+0200",
    ]
    assert firings("30 * * * *", spring, BERLIN, 2) == ["29 01:30:00+0100", "29 03:30:00+0200"]
    assert firings("*/30 * * * *", autumn, BERLIN, 6) == [
        "25 01:30:00+0200",
        "25 02:00:00+0200",
        "25 02:30:00+0200",
        "25 02:00:00+0100",
        "25 02:30:00+0100",
        "25 03:00:00+0100",
    ]


def test_a_firing_right_after_the_clock_has_changed_is_not_lost():
    before = datetime(2026, 3, 29, 1, 30, tzinfo=BERLIN)
    assert firings("0 3 * * *", before, BERLIN, 1) == ["29 03:00:00+0200"]
    before = datetime(2026, 10, 25, 1, 30, tzinfo=BERLIN)
    assert firings("0 3 * * *", before, BERLIN, 1) == ["25 03:00:00+0100"]
    assert firings("0 2 * * *", before, BERLIN, 2) == ["25 02:00:00+0200", "26 02:00:00+0100"]


ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo"]


@given(
    pattern=st.sampled_from(["* * * * *", "0 * * * *", "*/7 * * * *", "30 2 * * *", "0 0 * * *", *ALIASES]),
    zone=st.sampled_from(ZONES),
    now=st.integers(1_000_000_000, 1_900_000_000),
)
def test_firings_go_forward_in_every_zone_and_leave_no_day_out(pattern, zone, now):
    cron, times = Cron(pattern, ZoneInfo(zone)), [float(now)]
    for _ in range(30):
        times.append(cron.next_after(times[-1]))
    assert all(earlier < later for earlier, later in pairwise(times))
    if pattern in ("* * * * *", "0 * * * *", "hourly"):
        longest_s = 60 if pattern == "* * * * *" else 5400  # Lord Howe's clock moves by half an hour
        assert all(later - earlier <= longest_s for earlier, later in pairwise(times))
    if pattern in ("30 2 * * *", "daily", "midnight"):
        days = [datetime.fromtimestamp(time, ZoneInfo(zone)).toordinal() for time in times[1:]]
        assert days == list(range(days[0], days[0] + 30))

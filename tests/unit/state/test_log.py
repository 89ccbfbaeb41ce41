"""The log: contiguous revisions, bounded history, and never silence about what is gone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_grpc.state.log import Log

bounds = st.tuples(st.integers(1, 8), st.integers(1, 40))
sizes = st.lists(st.integers(0, 50), max_size=40)


def filled(limits, entry_sizes):
    log = Log(max_entries=limits[0], max_bytes=limits[1])
    for size in entry_sizes:
        log.append(f"entry {log.revision + 1}", size)
    return log


@given(bounds, sizes)
def test_revisions_are_contiguous_from_one(limits, entry_sizes):
    log = Log(max_entries=limits[0], max_bytes=limits[1])
    assert log.revision == 0
    assert [log.append("entry", size) for size in entry_sizes] == list(range(1, len(entry_sizes) + 1))


@given(bounds, sizes)
def test_a_log_keeps_within_its_bounds(limits, entry_sizes):
    log = filled(limits, entry_sizes)
    held = log.revision - log.oldest + 1
    assert held <= limits[0]
    assert log.size_bytes <= limits[1]
    assert log.size_bytes == sum(entry_sizes[len(entry_sizes) - held :])


@given(bounds, sizes)
def test_a_log_forgets_no_entry_that_its_bounds_have_room_for(limits, entry_sizes):
    log = filled(limits, entry_sizes)
    held = log.revision - log.oldest + 1
    if held < min(limits[0], len(entry_sizes)):
        newer = entry_sizes[len(entry_sizes) - held - 1 :]
        assert any(sum(entry_sizes[start:stop]) > limits[1] for start, stop in spans(entry_sizes, newer))


def spans(entry_sizes, newer):
    """Every run of entries that was in the log at once with the oldest of `newer`."""
    start = len(entry_sizes) - len(newer)
    return [(start, stop) for stop in range(start + 1, len(entry_sizes) + 1)]


@given(bounds, sizes)
def test_a_reader_at_any_revision_gets_all_that_follows_or_is_told_that_it_is_gone(limits, entry_sizes):
    log = filled(limits, entry_sizes)
    for revision in range(-2, log.revision + 3):
        entries = log.since(revision)
        if log.oldest - 1 <= revision <= log.revision:
            assert list(entries) == [f"entry {i}" for i in range(revision + 1, log.revision + 1)]
        else:
            assert entries is None


@given(bounds, sizes, st.integers(0, 5))
def test_a_reader_that_comes_often_enough_loses_nothing(limits, entry_sizes, pause):
    log = Log(max_entries=max(limits[0], pause + 1), max_bytes=10_000)
    read = []
    for number, size in enumerate(entry_sizes, start=1):
        log.append(number, size)
        if number % (pause + 1) == 0:
            read += log.since(len(read))
    assert read + list(log.since(len(read))) == list(range(1, len(entry_sizes) + 1))


def test_an_entry_larger_than_the_log_counts_as_a_revision_and_is_not_held():
    log = Log(max_bytes=10)
    log.append("small", 5)
    assert log.append("large", 11) == 2
    assert log.oldest == 3
    assert log.size_bytes == 0
    assert log.since(1) is None
    assert log.since(2) == []


def test_what_a_reader_gets_is_its_own():
    log = Log()
    log.append("a", 1)
    log.since(0).clear()
    assert log.since(0) == ["a"]


@pytest.mark.parametrize("revision", [1, 5])
def test_a_reader_from_the_future_needs_a_snapshot(revision):
    assert Log().since(revision) is None

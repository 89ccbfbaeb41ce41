"""Calls: their identity, and the entries that tell of them."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import LOOKALIKES, pairs, permuted, texts, values

from lightning_grpc.components.calls import (
    advanced,
    call_hash,
    has_timed_out,
    is_finished,
    latest_entry,
    new_calls,
    num_successes,
    requested,
    stage_of,
    statuses_of,
)
from lightning_grpc.components.status import FINAL_STAGES, WorkStageStatus, WorkStatus, make_status
from lightning_grpc.errors import InvalidValueError, InvariantError
from lightning_grpc.state.values import copy, same, validate

STAGES = [
    WorkStageStatus.PENDING,
    WorkStageStatus.STARTED,
    WorkStageStatus.RUNNING,
    WorkStageStatus.SUCCEEDED,
    WorkStageStatus.FAILED,
    WorkStageStatus.STOPPED,
]
ALLOWED = {
    "pending": {"started", "running", "succeeded", "failed", "stopped"},
    "running": {"succeeded", "failed", "stopped"},
    "started": {"failed", "stopped"},
    "succeeded": {"stopped"},
    "failed": {"stopped"},
    "stopped": set(),
}


@pytest.mark.parametrize("wrap", [lambda v: ((v,), {}), lambda v: ((), {"x": v}), lambda v: (([v],), {"y": {"k": v}})])
def test_arguments_that_look_alike_are_different_calls(wrap):
    hashes = {call_hash(*wrap(value)) for value in LOOKALIKES}
    assert len(hashes) == len(LOOKALIKES)


@given(pairs())
def test_calls_are_the_same_exactly_when_their_arguments_are(pair):
    a, b = pair
    assert (call_hash((a,), {}) == call_hash((b,), {})) == same(a, b)
    assert (call_hash((), {"x": a}) == call_hash((), {"x": b})) == same(a, b)


@given(st.dictionaries(texts(), values(4), max_size=4))
def test_the_order_of_named_arguments_does_not_matter(kwargs):
    assert call_hash((), permuted(kwargs)) == call_hash((), kwargs)


def test_positional_and_named_arguments_are_two_calls():
    assert call_hash((1,), {}) != call_hash((), {"x": 1})
    assert call_hash((), {}) != call_hash((None,), {})
    assert call_hash(({},), {}) != call_hash((), {})
    assert call_hash(([],), {}) != call_hash(((),), {})


@pytest.mark.parametrize(
    ("args", "kwargs", "canonical"),
    [
        ((), {}, b"u2:u0:m0:"),
        ((1, "a"), {"x": [True, None]}, b"u2:u2:i1;s1:am1:s1:xl2:tn"),
    ],
)
def test_a_hash_is_that_of_the_canonical_bytes_and_so_the_same_in_every_process(args, kwargs, canonical):
    assert call_hash(args, kwargs) == "run:" + hashlib.blake2b(canonical, digest_size=8).hexdigest()


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        (({1},), {}, r"argument 0 of run\(\) is \{1\}"),
        ((0, [b"x"]), {}, r"argument 1 of run\(\)\[0\] is b'x'"),
        ((), {"x": {"k": object()}}, r"argument x of run\(\)\['k'\] is <object"),
    ],
)
def test_an_argument_that_is_no_value_is_refused_by_name(args, kwargs, message):
    with pytest.raises(InvalidValueError, match=message):
        call_hash(args, kwargs)


def test_a_requested_call_is_pending():
    entry = requested("run", "8", 12.5)
    assert entry == {
        "name": "run",
        "call_id": "8",
        "statuses": [{"stage": "pending", "timestamp": 12.5}],
        "successes": 0,
    }
    assert stage_of(entry) == "pending"


def entry_at(stage):
    entry = requested("run", "1", 1.0)
    entry["statuses"] = [make_status(stage, 1.0)]
    return entry


@pytest.mark.parametrize("before", STAGES)
@pytest.mark.parametrize("after", STAGES)
def test_an_execution_goes_through_its_stages_and_no_other_way(before, after):
    entry = entry_at(before)
    if after in ALLOWED[before]:
        assert stage_of(advanced(entry, make_status(after, 2.0))) == after
    else:
        with pytest.raises(InvariantError, match=f"from {before} to {after}"):
            advanced(entry, make_status(after, 2.0))


def test_advancing_leaves_the_entry_as_it_was():
    entry = requested("run", "1", 1.0)
    before = copy(entry)
    advanced(entry, make_status("running", 2.0))
    assert entry == before


def test_a_success_has_a_return_value_and_is_counted_on():
    first = advanced(entry_at("running"), make_status("succeeded", 2.0))
    assert (first["successes"], first["ret"]) == (1, None)
    second = requested("run", "2", 3.0, first)
    assert second["successes"] == 1
    assert "ret" not in second
    failed = advanced(second, make_status("failed", 4.0))
    assert failed["successes"] == 1
    assert "ret" not in failed


@pytest.mark.parametrize("stage", STAGES)
def test_an_execution_is_finished_when_its_own_entry_is_final(stage):
    entry = entry_at(stage)
    assert is_finished(entry, "1") == (stage in FINAL_STAGES)
    assert not is_finished(entry, "2")
    assert not is_finished(None, "1")


def test_new_calls_have_no_latest():
    calls = new_calls()
    assert latest_entry(calls) is None
    assert num_successes(calls) == 0
    assert stage_of(latest_entry(calls)) == "not_started"
    assert statuses_of(None) == []


def test_the_latest_entry_is_that_of_the_latest_call():
    calls = {"latest_call_hash": "run:b", "run:a": entry_at("running"), "run:b": entry_at("pending")}
    assert latest_entry(calls) is calls["run:b"]


def test_statuses_are_given_as_objects_oldest_first():
    entry = advanced(requested("run", "1", 1.0), make_status("failed", 2.0, "timeout", "too slow"))
    first, last = statuses_of(entry)
    assert first == WorkStatus("pending", 1.0)
    assert last == WorkStatus("failed", 2.0, "timeout", "too slow")
    assert has_timed_out(last)
    assert not has_timed_out(WorkStatus("failed", 2.0, "user_exception"))
    assert not has_timed_out(WorkStatus("running", 2.0, "timeout"))


def test_a_status_leaves_out_what_is_not_known():
    assert make_status("running", 1.0) == {"stage": "running", "timestamp": 1.0}
    assert make_status("failed", 1.0, "timeout", "m") == {
        "stage": "failed",
        "timestamp": 1.0,
        "reason": "timeout",
        "message": "m",
    }


def test_entries_are_values():
    validate(advanced(requested("run", "1", 1.0), make_status("failed", 2.0, "timeout", "m")))

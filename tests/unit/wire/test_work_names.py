"""Which Work of a server a call is for."""

from __future__ import annotations

import grpc
import pytest

from lightning_grpc.wire.work_names import NotMeant, choose

BOTH = ("left", "right")


@pytest.mark.parametrize(
    ("metadata", "names", "chosen"),
    [
        ([], ("only",), "only"),
        ([("work-name", "only")], ("only",), "only"),
        ([("authorization", "Bearer x"), ("work-name", "right")], BOTH, "right"),
    ],
)
def test_a_call_is_for_the_work_that_it_names_or_for_the_only_one(metadata, names, chosen):
    assert choose(metadata, names) == chosen


@pytest.mark.parametrize(
    ("metadata", "names", "code", "reason"),
    [
        ([], BOTH, grpc.StatusCode.INVALID_ARGUMENT, "WORK_UNNAMED"),
        ([("work-name", "left"), ("work-name", "right")], BOTH, grpc.StatusCode.INVALID_ARGUMENT, "WORK_UNNAMED"),
        ([("work-name", "up")], BOTH, grpc.StatusCode.NOT_FOUND, "WORK_UNKNOWN"),
        ([("work-name", "")], BOTH, grpc.StatusCode.NOT_FOUND, "WORK_UNKNOWN"),
        ([("work-name", "up")], ("only",), grpc.StatusCode.NOT_FOUND, "WORK_UNKNOWN"),
        ([("work-name", "x" * 100_000)], BOTH, grpc.StatusCode.NOT_FOUND, "WORK_UNKNOWN"),
    ],
)
def test_a_call_that_is_for_none_is_told_the_names(metadata, names, code, reason):
    refusal = choose(metadata, names)
    assert isinstance(refusal, NotMeant)
    assert (refusal.code, refusal.reason) == (code, reason)
    assert ", ".join(names) in refusal.message
    assert len(refusal.message) < 1000  # it travels in a header

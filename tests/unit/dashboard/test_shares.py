"""How much is done of what an attribute counts."""

from __future__ import annotations

import math

import pytest

from lightning_grpc.dashboard.view_detail import share_of


@pytest.mark.parametrize(
    ("done", "total"),
    [(math.inf, math.inf), (0.5, 10**400), (math.nan, 1.0), (3, 0)],
    ids=["infinities", "an integer that no float holds", "nan", "of nothing"],
)
def test_of_numbers_without_a_share_there_is_none(done, total):
    assert share_of(("vars", "done"), done, {"done": done, "total": total}) is None


def test_integers_of_any_size_have_a_share():
    assert share_of(("vars", "done"), 10**400, {"total": 4 * 10**400}) == 0.25

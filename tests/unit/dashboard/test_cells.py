"""Lines of history, whatever the numbers are."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import NOW_S, Scene, document

from lightning_grpc.dashboard.cells import spark
from lightning_grpc.state.delta import Set

finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    "points", [(0.0, 5e-324), (1e-300, 1e-320, 1e-310), (1.7e308, -1.7e308), (math.nextafter(1, 2), 1.0)]
)
def test_the_smallest_and_the_largest_numbers_are_drawn(points):
    scene = Scene(document(n=points[0]))
    for point in points[1:] * 2:
        scene.change(Set(("vars", "n"), point))
    assert len(scene.lines) == 40


@given(st.lists(finite, min_size=1, max_size=20), st.booleans())
def test_a_larger_number_never_stands_lower(points, is_amount):
    points = [abs(point) for point in points] if is_amount else points
    drawn = spark(points, len(points), from_zero=is_amount)
    assert len(drawn) == len(points)
    heights = [letter for _, letter in sorted(zip(points, drawn, strict=True))]
    assert heights == sorted(heights)


def test_a_rate_that_hardly_changes_is_drawn_as_a_level_line():
    assert set(spark([20, 20.2, 19.9, 20.1], 4, from_zero=True)) == {"█"}
    scene = Scene()
    revision = 0
    for second, revisions in enumerate((0, 20, 20, 21, 20, 19, 20)):
        revision += revisions
        scene.measure(NOW_S + second, revision=revision)
    assert "▇" in scene.line("bad  ") or "█" in scene.line("bad  ")
    assert not set("▁▂▃▄▅▆") & set(scene.line("bad  "))

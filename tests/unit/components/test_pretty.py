"""The pretty form of a state."""

from __future__ import annotations

import pytest

from lightning_grpc.components.pretty import pretty_state


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({}, {}),
        ({"vars": {}, "calls": {"x": 1}, "changes": {}}, {}),
        ({"vars": {"a": 1, "_url": ""}}, {"vars": {"a": 1}}),
        ({"vars": {"_url": ""}}, {}),
        ({"works": {"w": {"vars": {}}}}, {"works": {"w": {}}}),
        ({"flows": {"f": {"vars": {"a": []}}}}, {"flows": {"f": {"vars": {"a": []}}}}),
        (
            {"structures": {"s": {"works": {"0": {"vars": {"a": 1}}}}}, "app_state": {}},
            {"structures": {"s": {"works": {"0": {"vars": {"a": 1}}}}}},
        ),
    ],
)
def test_attributes_are_shown_without_internal_ones_and_empty_sections(state, expected):
    assert pretty_state(state) == expected

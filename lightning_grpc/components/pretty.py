"""State as people want to read it."""

from __future__ import annotations

from typing import Any


def pretty_state(state: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a state alone, without internal ones and empty sections.

    Args:
        state: As ``flow.state`` or ``work.state`` returns it.

    Returns:
        A fresh dict; attribute values are shared with `state`.

    Source: Lightning Apps 2.3, its documentation of communication between components.

    Example:
        >>> pretty_state({"vars": {"_url": "", "counter": 1}, "calls": {}, "works": {}})
        {'vars': {'counter': 1}}
    """
    pretty: dict[str, Any] = {}
    variables = {name: value for name, value in state.get("vars", {}).items() if not name.startswith("_")}
    if variables:
        pretty["vars"] = variables
    for kind in ("flows", "works", "structures"):
        children = {key: pretty_state(child) for key, child in state.get(kind, {}).items()}
        if children:
            pretty[kind] = children
    return pretty

"""A state that somebody sends as a whole, as the changes that it amounts to."""

from __future__ import annotations

from lightning_grpc.components.structures import KINDS
from lightning_grpc.errors import UpdateRefusedError
from lightning_grpc.state.delta import Change, Set
from lightning_grpc.state.values import Document, Path, Value, same

_NOT_LOOKED_AT = frozenset({"calls", "changes", "app_state"})


def changes_to(document: Document, wanted: Document, path: Path = ()) -> list[Change]:
    """Return the changes of attributes that make a state into another one.

    Args:
        document: The state as it is.
        wanted: A state of the same components, or of some of them; what is left out stays as it is.
        path: Where both stand.

    Raises:
        UpdateRefusedError: There is no such component or attribute, or a part is no dict.
    """
    changes: list[Change] = []
    for section, entries in _items(wanted, path):
        here = (*path, section)
        if section in _NOT_LOOKED_AT:
            continue
        if section != "vars" and section not in KINDS:
            raise UpdateRefusedError(here, "a state has the sections vars, flows, works and structures")
        known = document.get(str(section), {})
        for key, value in _items(entries, here):
            if key not in known:
                raise UpdateRefusedError((*here, key), "there is no such attribute or component")
            if section != "vars":
                changes += changes_to(known[key], value, (*here, key))
            elif not same(known[key], value):
                changes.append(Set((*here, key), value))
    return changes


def _items(value: Value, path: Path) -> list[tuple[str | int, Value]]:
    if type(value) is not dict:
        raise UpdateRefusedError(path, "this part of a state is a dict")
    return list(value.items())

"""Where something stands in an app's document, as people write it, and what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lightning_grpc.dashboard.cells import clean
from lightning_grpc.errors import ConfigurationError
from lightning_grpc.state.values import Key, Path


@dataclass(frozen=True)
class Found:
    """What stands at a place.

    Attributes:
        path: The keys that lead there in the document.
        value: What is there; shared with the document.
    """

    path: Path
    value: Any


def find(document: dict[str, Any], place: str) -> Found:
    """Return what stands at a place of an app's document.

    Args:
        document: The document.
        place: Names with dots, such as ``root.w.table.a``; with keys in brackets, ``root.w.table['a']``; or the
            document's own keys, ``root['works']['w']['vars']['table']['a']``. Empty for all of it.

    Raises:
        ConfigurationError: It is no place, or nothing stands there; the message says what does.

    Example:
        >>> find({"works": {"w": {"vars": {"n": 3}}}}, "root.w.n")
        Found(path=('works', 'w', 'vars', 'n'), value=3)
    """
    from lightning_grpc.components.structures import KINDS

    found: Any = document
    path: list[Key] = []
    in_tree = True
    keys = _keys(place)
    for depth, key in enumerate(keys):
        sections = [(kind, found.get(kind, {})) for kind in (*KINDS, "vars")] if in_tree else []
        is_own_key = _step(found, key) is not None
        in_tree = in_tree and not is_own_key and _step(dict(sections)["vars"], key) is None
        for prefix, container in [*(((kind,), each) for kind, each in sections), ((), found)]:
            step = _step(container, key)
            if step is not None:
                path += [*prefix, step[0]]
                found = step[1]
                break
        else:
            raise ConfigurationError(_nothing(keys, depth, sections, found))
    return Found(tuple(path), found)


def _keys(place: str) -> Sequence[Key]:
    if "[" in place:
        from lightning_grpc.service.places import parse

        return parse(place)[1]
    keys = [key for key in place.split(".") if key]
    return keys[1:] if keys[:1] == ["root"] else keys


def _step(container: Any, key: Key) -> tuple[Key, Any] | None:
    """Return the key by which a container knows what people call so, and what stands there."""
    if isinstance(container, dict):
        if key in container:
            return key, container[key]
        return next(((each, value) for each, value in container.items() if str(each) == str(key)), None)
    if isinstance(container, list | tuple) and str(key).isdecimal() and int(key) < len(container):
        return int(key), container[int(key)]
    return None


def _nothing(keys: Sequence[Key], depth: int, sections: Sequence[tuple[str, Any]], found: Any) -> str:
    where = clean(".".join(["root", *map(str, keys[:depth])]))
    named = [each for _, each in sections] or [found]
    names = [clean(str(each)) for container in named if isinstance(container, dict) for each in container]
    if isinstance(found, list | tuple) and found:
        names = [f"0 to {len(found) - 1}"]
    names = sorted(each for each in names if not each.startswith("_"))
    return f"{where} has no {str(keys[depth])!r}; it has {', '.join(names) or 'nothing below it'}"

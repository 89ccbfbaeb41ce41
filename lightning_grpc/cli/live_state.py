"""The state of the running app: printed once, or change by change as it comes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from lightning_grpc.cli.connection import connect, find_app, telling_errors
from lightning_grpc.cli.output import one_line, print_json, say, schema
from lightning_grpc.cli.progress import waiting_for
from lightning_grpc.cli.state_paths import find
from lightning_grpc.state.public import PublicDelta, render_path
from lightning_grpc.state.values import Path


def print_state(app: str | None, place: str, *, as_json: bool) -> None:
    """Print what stands at a place of the running app's state.

    Args:
        app: Its name or address; None for the only one that runs.
        place: Where; empty for all of it.
        as_json: Whether to print JSON instead of a tree.
    """
    with telling_errors():
        target = find_app(app)
        with connect(target) as client, waiting_for(f"{target.name} to answer"):
            document = client.state
        found = find(document, place)
    if as_json:
        print_json(found.value, indented=True)
        return
    from lightning_grpc.cli.state_tree import print_tree

    print_tree(f"{place or 'root'} of {os.path.basename(target.name)}", found.value)


def watch_state(app: str | None, place: str, *, as_json: bool) -> None:
    """Print each change of the running app's state as it comes, in DeepDiff's form, until the app ends.

    Args:
        app: Its name or address; None for the only one that runs.
        place: Only what changes there, or below; empty for all.
        as_json: Whether as JSON.
    """
    with telling_errors():
        target = find_app(app)
        with connect(target) as client:
            changes = client.watch()
            first = next(changes, None)
            if first is not None:
                path = find(first.state, place).path
                say(f"Watching {place or 'root'} of {target.name} from revision {first.revision} on; Ctrl-C ends this.")
                for change in changes:
                    seen = below(change.changes, path)
                    if not seen:
                        continue
                    if as_json:
                        print_json(schema("change", revision=change.revision, changes=seen), indented=False)
                    else:
                        print(one_line(seen), flush=True)
    say(f"{target.name} has ended.")


def below(changes: PublicDelta, path: Path) -> PublicDelta:
    """Return what of a delta, in DeepDiff's form, is about a place: what stands there, below, or holds it.

    Example:
        >>> below({"values_changed": {"root['a']": {"new_value": 1}, "root['ab']": {"new_value": 2}}}, ("a",))
        {'values_changed': {"root['a']": {'new_value': 1}}}
    """
    if not path:
        return changes
    place = render_path(path)
    seen: PublicDelta = {}
    for kind, entries in changes.items():
        if isinstance(entries, Mapping):
            kept: Any = {key: entry for key, entry in entries.items() if place is None or _touches(key, place)}
        else:  # lists of keys, for what DeepDiff cannot say
            kept = [keys for keys in entries if all(a == b for a, b in zip(keys, path, strict=False))]
        if kept:
            seen[kind] = kept
    return seen


def _touches(one: str, other: str) -> bool:
    """Tell whether one place holds the other, or is it."""
    shorter, longer = sorted((one, other), key=len)
    return longer == shorter or longer.startswith(f"{shorter}[")

"""Changes to the app's state that come from outside: found in the tree, checked, and only then made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lightning_grpc.components.component import Component, Node
from lightning_grpc.components.structures import KINDS, kind_of
from lightning_grpc.errors import InvalidValueError, ProtocolError, UpdateRefusedError
from lightning_grpc.keys import render_keys
from lightning_grpc.state.delta import Change, Delete, apply, moved
from lightning_grpc.state.values import Path, Value, copy, validate


@dataclass(frozen=True)
class Assignment:
    """One attribute that is to be assigned.

    Attributes:
        component: Whose.
        name: The attribute.
        value: Its new value; fresh.
        path: Where the attribute stands in the app's document.
    """

    component: Component
    name: str
    value: Value
    path: Path


def plan(root: Node, changes: Iterable[Change]) -> list[Assignment]:
    """Return the assignments that amount to some changes; nothing is assigned.

    Args:
        root: The app's root Flow.
        changes: Changes of the app's document, to be applied in order. A path leads to a declared attribute, such as
            ``("flows", "child", "vars", "n")``, or into one.

    Raises:
        UpdateRefusedError: A change does not fit: there is no such component or attribute, or no such place in it, or
            state cannot hold the value.
    """
    planned: dict[tuple[int, str], Assignment] = {}
    for change in changes:
        component, start = _component_at(root, change.path)
        section, *rest = change.path[start:] or ("",)
        name = str(rest[0]) if rest else ""
        if section != "vars" or name not in component._declared or name.startswith("_"):
            raise UpdateRefusedError(
                change.path, f"{component.name} has no such attribute; it has {_names(component)}, below 'vars'"
            )
        known = planned.get((id(component), name))
        holder = {name: known.value if known else copy(component.__dict__[name])}
        if type(change) is Delete and len(rest) == 1:
            raise UpdateRefusedError(change.path, "a declared attribute cannot be deleted; set it to None")
        try:
            apply(holder, [moved(change, tuple(rest))])
            validate(holder[name], (name,))
        except (ProtocolError, InvalidValueError) as error:
            raise UpdateRefusedError(change.path, str(error)) from None
        planned[id(component), name] = Assignment(component, name, holder[name], change.path[: start + 2])
    return list(planned.values())


def carry_out(assignments: Sequence[Assignment]) -> None:
    """Make planned assignments."""
    for each in assignments:
        setattr(each.component, each.name, each.value)


def _component_at(root: Node, path: Path) -> tuple[Component, int]:
    """Return the component whose document a path leads into, and how many keys lead there."""
    node, depth = root, 0
    while depth + 1 < len(path) and path[depth] in KINDS:
        section, key = path[depth], str(path[depth + 1])
        child = next((each for name, each in node._children_by_key() if name == key), None)
        if child is None or kind_of(child) != section:
            raise UpdateRefusedError(path, f"{node.name} has no {key!r} among its {section}")
        node, depth = child, depth + 2
    if not isinstance(node, Component):
        raise UpdateRefusedError(path, f"{node.name} is a structure of components, which has no attributes")
    return node, depth


def _names(component: Component) -> str:
    names = [name for name in component._declared if not name.startswith("_")]
    return render_keys([", ".join(names)]) if names else "none"

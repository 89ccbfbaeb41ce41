"""Where components stand in the app's document, and how they come into it and leave it."""

from __future__ import annotations

from lightning_grpc.components.component import Node
from lightning_grpc.components.structures import Structure, kind_of
from lightning_grpc.state.delta import Change, Delete, Set
from lightning_grpc.state.values import Path


def document_path(node: Node) -> Path:
    """Return where a node's document stands in the app's, such as ``("works", "w")``."""
    path: Path = ()
    while node._parent is not None:
        path = (kind_of(node), node._key, *path)
        node = node._parent
    return path


def appearance(node: Node) -> Change:
    """Return the change by which a node comes into the app's document."""
    path, state = document_path(node), node.state
    if _is_only_structure_in_its_parent(node):
        return Set(path[:-1], {path[-1]: state})
    return Set(path, state)


def disappearance(node: Node) -> Change:
    """Return the change by which a node that is still there leaves the app's document."""
    path, state = document_path(node), node.state
    if _is_only_structure_in_its_parent(node):
        return Delete(path[:-1], {path[-1]: state})
    return Delete(path, state)


def _is_only_structure_in_its_parent(node: Node) -> bool:
    """Whether a node decides if its parent's document has a section for it: that of a structure may lack one."""
    parent = node._parent
    if not isinstance(parent, Structure) or not isinstance(node, Structure):
        return False
    return not any(isinstance(child, Structure) and child is not node for _, child in parent._children_by_key())

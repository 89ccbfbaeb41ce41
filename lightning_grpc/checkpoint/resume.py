"""Sets a tree of components to what an app's document says, so that the app can go on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from lightning_grpc.components.calls import resumed
from lightning_grpc.components.component import Node
from lightning_grpc.components.flow import LightningFlow, reload_state
from lightning_grpc.components.structures import KINDS, Dict, List, Structure, kind_of
from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import CheckpointError, DefinitionError
from lightning_grpc.state.values import Document, copy

_log = logging.getLogger("lightning_grpc")

_OF_A_PROCESS = frozenset({"_url", "_port", "_internal_ip", "_public_ip"})
"""Attributes of a Work that tell of its process, which is gone."""


def resume(root: LightningFlow, document: Document) -> None:
    """Set a freshly made tree to a document.

    Components that were attached while the app ran are attached again by `LightningFlow.load_state_dict` of the Flow
    above them; items of structures that were removed while it ran are removed again.

    Args:
        root: The tree; no app runs it yet.
        document: An app's, as of any revision.

    Raises:
        CheckpointError: A component was not attached again, or has no such attribute.
    """
    states = states_of(document)
    try:
        reload_state(root, states)
    except (ValueError, DefinitionError) as error:
        why = str(error).rstrip(".")
        raise CheckpointError(
            f"the app cannot be resumed, because its components are not those of the checkpoint: {why}. Components "
            "that run() attaches are attached again in load_state_dict() of their Flow; see docs/checkpoints.md."
        ) from error
    remove_what_was_removed(root, document)
    for work in root.works():
        if work.name in states:
            is_attached = work.attachment is not None
            calls = resumed(work._calls, raise_exception=work._raise_exception, is_attached=is_attached)
            work._set_calls(calls)
            if is_attached:
                work._note_baseline()  # its service has gone on; it is not to be set back


def states_of(document: Document) -> dict[str, dict[str, Any]]:
    """Return the states of all components in an app's document, by full name; what `reload_state` takes."""
    return dict(_states(document, "root", "flows"))


def remove_what_was_removed(root: LightningFlow, document: Document) -> None:
    """Remove the items of structures that a document's structures do not have.

    A structure that is not in the document at all is left as it is: it is new.
    """
    for structure, states in list(_structures(root, document)):
        there = {key for kind in KINDS for key in states.get(kind, {})}
        for key, item in list(structure._children_by_key()):
            if key not in there:
                _log.info("%s had been removed when the checkpoint was made; it is removed again", item.name)
                if isinstance(structure, List):
                    structure.remove(item)
                elif isinstance(structure, Dict):
                    del structure[key]


def _states(document: Any, name: str, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if kind != "structures":
        state: dict[str, Any] = {each: copy(document.get(each, {})) for each in ("vars", "calls", "changes")}
        if kind == "works":
            state["vars"] = {key: value for key, value in state["vars"].items() if key not in _OF_A_PROCESS}
        else:
            state.update(flows={}, works={}, structures={})
        yield name, state
    for each in KINDS:
        for key, child in document.get(each, {}).items():
            yield from _states(child, f"{name}.{key}", each)


def _structures(node: Node, document: Any) -> Iterator[tuple[Structure, dict[str, Any]]]:
    """Yield the structures that are both in a tree and in its document, with their part of it."""
    if isinstance(node, Structure):
        yield node, document
    if isinstance(node, LightningWork):
        return
    for key, child in node._children_by_key():
        state = document.get(kind_of(child), {}).get(key)
        if state is not None:
            yield from _structures(child, state)

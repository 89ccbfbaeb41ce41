"""Entries of calls in a document that may be anything: what is malformed counts as not there."""

from __future__ import annotations

from typing import Any

from lightning_grpc.state.values import Document

FINAL = frozenset({"succeeded", "failed", "stopped"})
NEXT: dict[str, frozenset[str]] = {
    "pending": frozenset({"running", "failed", "stopped"}),
    "running": FINAL,
}
"""The stages that may follow a stage within one execution."""


def entry_of(document: Document | None, call_hash: str, call_id: str) -> dict[str, Any] | None:
    """Return the entry of an execution, if the document tells of it."""
    if document is None:
        return None
    entry = document.get("calls", {}).get(call_hash)
    return entry if isinstance(entry, dict) and entry.get("call_id") == call_id else None


def statuses_of(entry: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the statuses of an entry that are such."""
    statuses = entry.get("statuses") if entry is not None else None
    if not isinstance(statuses, list):
        return []
    return [each for each in statuses if isinstance(each, dict) and isinstance(each.get("stage"), str)]


def stage_of(document: Document | None, call_hash: str, call_id: str) -> str:
    """Return the stage of an execution; empty if the document does not tell."""
    statuses = statuses_of(entry_of(document, call_hash, call_id))
    return str(statuses[-1]["stage"]) if statuses else ""

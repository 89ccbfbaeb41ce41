"""A model as a document, for programs: what ``--json`` prints. docs/dashboard.md describes it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lightning_grpc.dashboard.model import Component, Data, Figures, Model
from lightning_grpc.dashboard.tree import find, progress_of
from lightning_grpc.state.public import to_public

SCHEMA = "lightning-grpc/dashboard/1"
"""The number is raised when a reader of the one before could not read it; new keys may come without that."""


def document_of(model: Model) -> dict[str, Any]:
    """Return what a dashboard knows, as a document of values: dicts, lists, tuples, texts and numbers."""
    data = model.data
    app = data.app
    return {
        "schema": SCHEMA,
        "at_s": model.now_s,
        "kind": "work" if data.work else "app",
        "name": app.name if app is not None else "",
        "address": data.address,
        "connection": asdict(data.connection),
        "stage": stage_of(data),
        "pid": app.pid if app is not None else None,
        "epoch": app.epoch if app is not None else None,
        "started_at_s": app.started_at_s if app is not None else None,
        "revision": data.revision,
        "deltas_per_s": data.total.rate,
        "runs": data.metrics.runs if data.metrics is not None else None,
        "runs_per_s": data.runs_rate,
        "under_way_s": data.metrics.under_way_s if data.metrics is not None else None,
        "usage": _usage(data.total),
        "components": [_component(data, each) for each in data.components],
        "latest_runs": [
            {
                "number": run.number,
                "began_s": run.began_s,
                "took_s": run.took_s,
                "deltas": run.deltas,
                "suspended": run.suspended,
                "causes": [
                    {"kind": cause.kind, "component": cause.component, "paths": list(cause.paths)}
                    for cause in run.causes
                ],
            }
            for run in data.runs
        ],
        "deltas": [
            {
                "at_s": each.at_s,
                "first": each.first,
                "revision": each.revision,
                "component": each.component,
                "changes": to_public(each.changes),
            }
            for each in data.deltas
        ],
        "lines": [asdict(each.line) for each in data.lines],
        "schedules": [asdict(each) for each in data.schedules],
        "commands": [
            {
                "name": each.name,
                "flow": each.flow,
                "description": each.description,
                "parameters": [
                    {"name": parameter.name, "type": parameter.type, "required": parameter.required}
                    for parameter in each.parameters
                ],
            }
            for each in data.commands or ()
        ],
    }


def stage_of(data: Data) -> str:
    """Return the stage that the app has reached, as its state tells."""
    stage = find(data.document, ("app_state", "stage"))
    if isinstance(stage, str):
        return stage
    return data.app.stage if data.app is not None else ""


def _component(data: Data, component: Component) -> dict[str, Any]:
    document = find(data.document, component.path)
    told: dict[str, Any] = {"name": component.name, "kind": component.kind}
    if component.kind != "structure":
        told["vars"] = (document or {}).get("vars", {})
    if component.kind != "work":
        return told
    figures = data.figures.get(component.name, Figures())
    return {
        **told,
        **asdict(progress_of(document)),
        "calls": (document or {}).get("calls", {}),
        "revision": figures.revision,
        "revisions_per_s": figures.rate,
        "lag_s": figures.lag_s,
        "silent_s": figures.silent_s,
        "resyncs": figures.resyncs,
        "usage": _usage(figures),
    }


def _usage(figures: Figures) -> dict[str, Any]:
    return {
        "pid": figures.pid,
        "cpu_share": figures.cpu_share,
        "memory_bytes": figures.memory_bytes,
        "threads": figures.threads,
    }

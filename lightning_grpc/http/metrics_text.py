"""Prometheus' text format, and an app's metrics in it.

Source: Prometheus, exposition formats, text format 0.0.4.
"""

from __future__ import annotations

from collections.abc import Iterable

from lightning_grpc.coordinator.metrics import Metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = dict[str, str]
Sample = tuple[Labels, float]
"""One number, and what it is about."""

_OF_WORKS = (
    ("revision", "revision", "gauge", "The newest revision of the Work's state that the Flow has seen."),
    ("lag_seconds", "lag_s", "gauge", "How old that revision was when the Flow saw it."),
    ("resyncs_total", "resyncs", "counter", "How often the Work's mirror was made anew from a snapshot."),
    ("conflated_total", "conflated", "counter", "Revisions of which a part was left out because later ones said more."),
    ("cuts_total", "cuts", "counter", "Cuts that the Work's process has taken."),
    ("cuts_seconds_total", "cuts_s", "counter", "Processor time that the cuts took."),
    ("scans_total", "scans", "counter", "Cuts that only looked for changes in place."),
    ("scans_seconds_total", "scans_s", "counter", "Processor time that these took."),
)


def render_metrics(metrics: Metrics, *, revision: int, started_at_s: float) -> str:
    """Return the metrics as text.

    Args:
        metrics: The app's.
        revision: The newest revision of its state.
        started_at_s: When it began, in seconds since 1970.
    """
    lines = [
        *family("runs_total", "counter", "How often the root Flow was run.", [({}, metrics.runs)]),
        *family("revision", "gauge", "The newest revision of the app's state.", [({}, revision)]),
        *family("start_time_seconds", "gauge", "When the app began, in seconds since 1970.", [({}, started_at_s)]),
        *family("works", "gauge", "How many Works the app has.", [({}, len(metrics.works))]),
    ]
    for name, attribute, kind, text in _OF_WORKS:
        samples = [({"work": work}, getattr(numbers, attribute)) for work, numbers in metrics.works.items()]
        lines += family(f"work_{name}", kind, text, samples)
    return render_lines(lines)


def render_lines(lines: Iterable[str]) -> str:
    """Return the lines of some families as one text."""
    return "".join(f"{line}\n" for line in lines)


def family(name: str, kind: str, text: str, samples: Iterable[Sample], *, prefix: str = "lightning_grpc") -> list[str]:
    """Return the lines of one family of metrics; none if it has no samples.

    Args:
        name: Of the family, without the prefix.
        kind: ``counter`` or ``gauge``.
        text: What it means, for people.
        samples: The numbers.
        prefix: Stands before the name.
    """
    name = f"{prefix}_{name}"
    lines = [f"{name}{_labels(labels)} {value!r}" for labels, value in samples]
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *lines] if lines else []


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

"""Metrics in Prometheus' format."""

from __future__ import annotations

from lightning_grpc.coordinator.metrics import Metrics, WorkMetrics
from lightning_grpc.http.metrics_text import render_metrics


def test_every_work_has_its_numbers_and_every_family_its_type():
    metrics = Metrics(3, (), {"root.a": WorkMetrics(revision=7, lag_s=0.25, cuts_s=1e-7), 'root."b\\\n': WorkMetrics()})
    text = render_metrics(metrics, revision=9, started_at_s=5.5)
    lines = text.splitlines()
    assert text.endswith("\n")
    assert "lightning_grpc_runs_total 3" in lines
    assert "lightning_grpc_revision 9" in lines
    assert 'lightning_grpc_work_revision{work="root.a"} 7' in lines
    assert 'lightning_grpc_work_lag_seconds{work="root.a"} 0.25' in lines
    assert 'lightning_grpc_work_cuts_seconds_total{work="root.a"} 1e-07' in lines
    assert 'lightning_grpc_work_resyncs_total{work="root.\\"b\\\\\\n"} 0' in lines
    samples = {line.split("{")[0].split(" ")[0] for line in lines if not line.startswith("#")}
    assert samples == {line.split()[2] for line in lines if line.startswith("# TYPE")}


def test_an_app_without_works_has_no_empty_families():
    text = render_metrics(Metrics(), revision=1, started_at_s=0.0)
    assert "lightning_grpc_work_" not in text
    assert "lightning_grpc_works 0" in text

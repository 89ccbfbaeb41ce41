"""What a Work remembers of the runs it was asked for."""

from __future__ import annotations

from lightning_grpc.worker.remembered import RememberedRuns


def test_a_run_is_new_once_per_caller():
    runs = RememberedRuns()
    assert [runs.accept(run) for run in (("ada", "1"), ("grace", "1"), ("ada", "1"))] == [True, True, False]
    assert ("ada", "1") in runs
    assert ("ada", "2") not in runs


def test_the_oldest_runs_are_forgotten_first():
    runs = RememberedRuns(max_runs=3)
    for number in range(5):
        runs.accept(("ada", f"{number}"))
    assert [("ada", f"{number}") in runs for number in range(5)] == [False, False, True, True, True]


def test_the_statuses_of_the_newest_runs_are_kept():
    runs = RememberedRuns(max_statuses=2)
    for number in range(4):
        runs.accept(("ada", f"{number}"))
        runs.ended(("ada", f"{number}"), {"stage": "succeeded", "timestamp": number})
    statuses = [runs.final_status(("ada", f"{number}")) for number in range(4)]
    assert statuses == [None, None, {"stage": "succeeded", "timestamp": 2}, {"stage": "succeeded", "timestamp": 3}]
    assert ("ada", "0") in runs
    assert runs.final_status(("ada", "9")) is None

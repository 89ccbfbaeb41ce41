"""Every example runs for real, ends by itself, and prints what its README says."""

from __future__ import annotations

import pytest
from example_runs import EXAMPLES, STARTED

NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/app.py"))


@pytest.mark.parametrize("name", NAMES)
def test_every_example_says_how_it_is_run(name):
    readme = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    assert readme.startswith(f"# {name}\n")
    assert f"\n    lightning-grpc run app examples/{name}/app.py\n" in readme


def test_the_counter_reaches_ten_million(run_example):
    ran = run_example("counter")
    assert (ran.code, ran.err) == (0, STARTED)
    *counts, last = ran.lines
    assert last == "The Work has succeeded."
    counts = [int(count) for count in counts]
    assert counts == sorted(counts)
    assert len({count // 1_000_000 for count in counts}) == len(counts)
    assert counts[-1] == 10_000_000


def test_the_blocking_counter_shows_the_state_after_each_of_its_runs(run_example):
    ran = run_example("blocking_counter")
    assert (ran.code, ran.err) == (0, STARTED)
    states = list(dict.fromkeys(ran.lines))  # in order, each once
    expected = [f"State: {{'works': {{'w': {{'vars': {{'counter': {counter}}}}}}}}}" for counter in range(6)]
    assert states in (expected, expected[1:])  # the Flow may see the first run's end before it sees that it has begun


def test_what_a_flow_writes_on_a_running_work_does_not_reach_it(run_example):
    ran = run_example("divergence")
    assert (ran.code, ran.err) == (0, STARTED)
    flow = [line for line in ran.lines if line.startswith("Flow")]
    work = [line for line in ran.lines if line.startswith("Work")]
    assert len(flow) >= 8
    assert flow == [f"Flow {counter}" for counter in range(len(flow))]
    assert len(work) >= 3
    assert set(work) == {"Work 0"}
    assert len(flow) + len(work) == len(ran.lines)


def test_deepdiff_applies_every_delta_that_is_printed(run_example):
    ran = run_example("deltas")
    assert (ran.code, ran.err) == (0, STARTED)
    *deltas, verdict = ran.lines
    assert verdict == f"The copy, made of {len(deltas)} deltas, equals the app's state."
    printed = "\n".join(deltas)
    assert "'values_changed': {" in printed
    assert "\"root['works']['trainer']['vars']['counter']\": {'new_value': 3}" in printed
    assert "\"root['works']['trainer']['vars']['losses'][2]\": 0.3333333333333333" in printed
    assert "\"root['works']['trainer']['vars']['options']['patience']\": 2" in printed
    assert "\"root['works']['trainer']['vars']['options']['rate']\": 0.1" in printed
    assert "\"root['works']['trainer']['vars']['best']\": {'old_type': <class 'NoneType'>" in printed


def test_a_flow_tells_of_its_tree_and_loads_its_state_into_a_new_one(run_example):
    ran = run_example("flow_basics")
    assert (ran.code, ran.err) == (0, STARTED)
    flows, works, state, undeclared, loaded, equal, missing, last = ran.lines
    assert flows == "flows: ['root.stage']"
    assert works == "works: ['root.w', 'root.stage.w'], its own: ['root.w']"
    assert "'flows': {'stage': {'vars': {'times': 3}, 'works': {'w': {'vars': {'counter': 3}}}}}" in state
    assert "'works': {'w': {'vars': {'counter': 4}}}" in state
    assert undeclared.startswith("AttributeError: ")
    assert "result" in undeclared
    assert loaded.removeprefix("loaded: ") == state.removeprefix("state: ")
    assert equal == "loaded equals saved: True"
    assert missing == "ValueError: The component w wasn't instantiated for the component root"
    assert last == "The Flow has stopped the app."


def test_works_are_attached_and_removed_while_the_app_runs(run_example):
    ran = run_example("dynamic_works")
    assert (ran.code, ran.err) == (0, STARTED)
    *works, searches = ran.lines
    assert set(works) == {
        "root.analyses.below_10: gaps {1: 1, 2: 2}",
        "root.analyses.below_100: gaps {1: 1, 2: 8, 4: 7, 6: 7, 8: 1}",
        "root.analyses.below_1000: gaps {1: 1, 2: 35, 4: 40, 6: 44, 8: 15, 10: 16, 12: 7, 14: 7, 18: 1, 20: 1}",
        "root.searches.0: 4 primes",
        "root.searches.1: 25 primes",
        "root.searches.2: 168 primes",
    }
    assert searches == "searches: ['root.searches.0', 'root.searches.1', 'root.searches.3']"


def test_a_dag_is_made_and_run_each_time_a_schedule_fires(run_example):
    ran = run_example("scheduled_dag")
    assert (ran.code, ran.err) == (0, STARTED)
    *dags, last = ran.lines
    assert sorted(dags) == [
        "root.dags.0: the mean of 10 readings is 2.5",
        "root.dags.1: the mean of 10 readings is 12.5",
        "root.dags.2: the mean of 10 readings is 22.5",
    ]
    assert last == "3 DAGs are done."


def test_an_app_goes_on_after_works_have_failed(run_example):
    ran = run_example("error_handling")
    assert (ran.code, ran.err) == (0, STARTED)
    assert ran.lines == [
        "root.means.attic has failed, reason: user_exception",
        "  ValueError: could not convert string to float: 'n/a'",
        "  what it wrote before is kept: [19.0]",
        "root.crash has failed, reason: process_died",
        "  its process exited with code 3",
        "kitchen: 21.50 from 3 readings",
        "attic: 19.50 from 2 readings",
        "cellar: 12.50 from 3 readings",
    ]

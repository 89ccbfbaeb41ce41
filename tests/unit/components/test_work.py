"""Works: how they are made, what they tell, and what becomes of calls when no app runs."""

from __future__ import annotations

import copy as copying
import pickle
import warnings

import pytest

from lightning_grpc.components.calls import LATEST, advanced, requested
from lightning_grpc.components.compute import BuildConfig, CloudCompute
from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.components.status import WorkFailureReasons, WorkStageStatus, make_status
from lightning_grpc.components.structures import Dict, List
from lightning_grpc.components.work import LightningWork, holds_component
from lightning_grpc.errors import ChildError, InvalidValueError, MissingRunError, StateTooLargeError


class Work(LightningWork):
    def __init__(self, **options):
        super().__init__(**options)
        self.executed = []

    def run(self, *args, **kwargs):
        self.executed.append([list(args), kwargs])


class Portly(Work):
    """Finds ports without a socket."""

    found = 0

    @staticmethod
    def _find_port():
        Portly.found += 1
        return 40_000 + Portly.found


# Construction.


def test_a_work_without_its_own_run_is_a_type_error_that_says_so():
    class Idle(LightningWork):
        pass

    with pytest.raises(TypeError, match=r"The work `Idle` is missing the `run\(\)` method") as caught:
        Idle()
    assert isinstance(caught.value, MissingRunError)


def test_a_work_may_inherit_its_run():
    class Inheriting(Work):
        pass

    assert Inheriting().executed == []


def test_a_work_has_the_defaults_of_lightning_apps():
    work = Work()
    assert (work.parallel, work.cache_calls, work.host) == (False, True, "127.0.0.1")
    assert (work.url, work.internal_ip, work.public_ip, work.display_name, work.name) == ("", "", "", "", "")
    assert work.lightningignore == ()
    assert isinstance(work.local_build_config, BuildConfig)
    assert isinstance(work.cloud_build_config, BuildConfig)
    assert isinstance(work.cloud_compute, CloudCompute)


def test_a_work_accepts_every_argument_of_lightning_apps_and_keeps_it():
    build, cloud_build, compute = BuildConfig(["rich"]), BuildConfig(image="x"), CloudCompute("gpu")
    work = Work(
        parallel=True,
        cache_calls=False,
        raise_exception=False,
        host="0.0.0.0",
        port=8080,
        local_build_config=build,
        cloud_build_config=cloud_build,
        cloud_compute=compute,
        start_with_flow=False,
    )
    assert (work.parallel, work.cache_calls, work.host, work.port) == (True, False, "0.0.0.0", 8080)
    assert work.local_build_config is build
    assert work.cloud_build_config is cloud_build
    assert work.cloud_compute is compute
    assert (work._raise_exception, work._start_with_flow) == (False, False)


def test_the_arguments_of_lightning_apps_may_be_given_by_position():
    class Positional(LightningWork):
        def __init__(self, *args):
            super().__init__(*args)

        def run(self):
            pass

    work = Positional(True, False, True, "localhost", 8080)
    assert (work.parallel, work.cache_calls, work.host, work.port) == (True, False, "localhost", 8080)


@pytest.mark.parametrize("run_once", [True, False])
def test_run_once_is_the_former_name_of_cache_calls(run_once):
    with pytest.warns(DeprecationWarning, match="use cache_calls"):
        work = Work(cache_calls=not run_once, run_once=run_once)
    assert work.cache_calls is run_once


def test_configurations_may_be_set_later():
    work = Work()
    work.local_build_config = build = BuildConfig(["a"])
    work.cloud_build_config = cloud_build = BuildConfig(["b"])
    work.cloud_compute = compute = CloudCompute("cpu")
    work.lightningignore = ["*.tmp"]
    assert work.local_build_config is build
    assert work.cloud_build_config is cloud_build
    assert work.cloud_compute is compute
    assert work.lightningignore == ("*.tmp",)
    assert build.build_commands() == []


# Children.


@pytest.mark.parametrize(
    "make",
    [
        Work,
        LightningFlow,
        lambda: [Work()],
        lambda: {"k": LightningFlow()},
        lambda: (1, Work()),
        lambda: [1, Work()],
        List,
        Dict,
    ],
    ids=["work", "flow", "list", "dict", "tuple", "mixed list", "structure List", "structure Dict"],
)
@pytest.mark.parametrize("when", ["in init", "later"])
def test_a_work_cannot_have_components_as_attributes_and_says_why(make, when):
    class Parent(LightningWork):
        def __init__(self, child):
            super().__init__()
            self.child = child

        def run(self):
            pass

    def attach():
        if when == "in init":
            Parent(make())
        else:
            Parent(0).child = make()

    with pytest.raises(AttributeError, match=r"Parent\): A ``LightningWork`` isn't allowed to take any") as caught:
        attach()
    assert isinstance(caught.value, ChildError)
    assert "A Work runs in a process of its own" in str(caught.value)
    assert "child" in str(caught.value)


def test_what_holds_a_component_is_told_from_what_does_not():
    assert all(map(holds_component, [Work(), [Work()], (Work(),), {"k": Work()}, List(), Dict()]))
    assert not any(map(holds_component, [1, "x", [], [1], {"k": 1}, {1}, None, Work]))


# State.


def test_the_state_of_a_work_has_three_sections():
    work = Work()
    assert set(work.state) == {"vars", "calls", "changes"}
    assert work.state["calls"] == {LATEST: None}
    assert set(work.state_vars) == {"vars"}
    assert work.state_with_changes == work.state


def test_what_every_work_has_is_part_of_its_state_under_names_of_its_own():
    work = Work(host="localhost", port=5)
    work.url = "http://x"
    variables = work.state["vars"]
    assert variables.pop("executed") == []
    assert variables == {
        "_url": "http://x",
        "_host": "localhost",
        "_port": 5,
        "_internal_ip": "",
        "_public_ip": "",
        "_display_name": "",
    }


def test_a_work_may_set_its_url():
    work = Work()
    work.url = "http://127.0.0.1:5000"
    assert work.url == "http://127.0.0.1:5000"
    with pytest.raises(InvalidValueError):
        work.url = object()


def test_a_text_above_the_limit_of_the_work_is_refused_when_it_is_assigned():
    work = Work()
    work.url = "a"
    work.__dict__["_state_limit_bytes"] = 1000
    with pytest.raises(AttributeError, match=r"Work\): _url takes .* above its limit") as caught:
        work.url = "x" * 2000
    assert isinstance(caught.value, StateTooLargeError)
    assert work.url == "a"
    work.url = "x" * 900
    assert len(work.url) == 900


def test_the_port_is_picked_when_it_is_first_read_and_kept():
    Portly.found = 0
    work, other = Portly(), Portly()
    assert work.state["vars"]["_port"] is None
    assert work.port == work.port == 40_001
    assert other.port == 40_002
    assert work.state["vars"]["_port"] == 40_001


def test_a_port_that_was_given_is_used():
    Portly.found = 0
    assert Portly(port=80).port == 80
    assert Portly.found == 0


def test_a_port_without_anything_to_find_one_is_an_error_that_says_so():
    class Lost(Work):
        _find_port = None

    with pytest.raises(RuntimeError, match="no port was given"):
        _ = Lost().port


# How it fares.


def with_statuses(*stages, reason=None, message=None):
    """A Work whose latest call has gone through some stages."""
    work = Work()
    entry = requested("run", "1", 1.0)
    for number, stage in enumerate(stages, start=2):
        last = number == len(stages) + 1
        status = make_status(stage, float(number), reason if last else None, message if last else None)
        entry = advanced(entry, status)
    work.set_state({"calls": {LATEST: "run:x", "run:x": entry}})
    return work


PREDICATES = ["is_pending", "is_running", "has_succeeded", "has_failed", "has_stopped"]


def true_predicates(work):
    return [name for name in PREDICATES if getattr(work, name)]


def test_a_new_work_has_not_started():
    work = Work()
    assert work.status.stage == WorkStageStatus.NOT_STARTED
    assert work.statuses == []
    assert true_predicates(work) == []
    assert (work.has_started, work.has_timeout, work.num_successes) == (False, False, 0)


@pytest.mark.parametrize(
    ("stages", "predicate"),
    [
        ([], "is_pending"),
        (["running"], "is_running"),
        (["running", "succeeded"], "has_succeeded"),
        (["running", "failed"], "has_failed"),
        (["running", "stopped"], "has_stopped"),
        (["stopped"], "has_stopped"),
        (["failed"], "has_failed"),
    ],
)
def test_each_stage_has_a_predicate(stages, predicate):
    work = with_statuses(*stages)
    assert true_predicates(work) == [predicate]
    assert work.has_started
    assert [status.stage for status in work.statuses] == ["pending", *stages]
    assert work.status == work.statuses[-1]


def test_the_status_tells_reason_and_message():
    work = with_statuses("running", "failed", reason=WorkFailureReasons.USER_EXCEPTION, message="Traceback ...")
    assert (work.status.stage, work.status.reason, work.status.message) == ("failed", "user_exception", "Traceback ...")
    assert work.status.timestamp == 3.0
    assert work.status.count == 1
    assert work.statuses[0].reason is None


def test_a_timeout_is_a_failure_with_that_reason():
    late = with_statuses("running", "failed", reason=WorkFailureReasons.TIMEOUT)
    assert (late.has_timeout, late.num_timeouts) == (True, 1)
    broken = with_statuses("running", "failed", reason=WorkFailureReasons.USER_EXCEPTION)
    assert (broken.has_timeout, broken.num_timeouts) == (False, 0)
    assert Work().num_timeouts == 0


def test_successes_are_counted_over_all_calls():
    work = Work()
    done = advanced(advanced(requested("run", "1", 1.0), make_status("running", 2.0)), make_status("succeeded", 3.0))
    again = advanced(
        advanced(requested("run", "2", 4.0, done), make_status("running", 5.0)), make_status("succeeded", 6.0)
    )
    failed = advanced(requested("run", "3", 7.0), make_status("failed", 8.0))
    work.set_state({"calls": {LATEST: "run:b", "run:a": again, "run:b": failed, "run:c": done}})
    assert work.num_successes == 3
    assert work.has_failed


def test_the_display_name_may_be_set_until_the_work_has_started():
    work = Work()
    work.display_name = "Trainer"
    assert work.display_name == "Trainer"
    started = with_statuses("running")
    with pytest.raises(RuntimeError, match="only before the work has started"):
        started.display_name = "Late"
    started.display_name = started.display_name


# Hooks.


def test_hooks_do_nothing_unless_overridden():
    work = Work(raise_exception=False)
    assert work.on_start() is work.on_exit() is work.on_exception(ValueError()) is None


def test_on_exception_raises_what_it_is_given_if_the_work_is_to_raise():
    error = ValueError("x")
    with pytest.raises(ValueError, match="x") as caught:
        Work().on_exception(error)
    assert caught.value is error


# Without an app.


def test_a_cached_call_is_executed_once_per_distinct_arguments():
    work = Work()
    for argument in (1, 1, 2, 1):
        work.run(argument)
    assert work.executed == [[[1], {}], [[2], {}]]


def test_calls_that_look_alike_are_executed_each():
    work = Work()
    for argument in (1, 1.0, True, "1", 0.0, -0.0, (1,), [1], None):
        work.run(argument)
        work.run(argument)
    assert len(work.executed) == 9


def test_uncached_calls_are_executed_each_time():
    work = Work(cache_calls=False)
    for _ in range(3):
        work.run(1)
    assert len(work.executed) == 3


def test_a_call_that_raised_is_executed_again():
    class Failing(Work):
        def run(self, *args):
            super().run(*args)
            raise ValueError("no")

    work = Failing()
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            work.run()
    assert len(work.executed) == 2


def test_an_argument_that_is_no_value_is_refused():
    with pytest.raises(AttributeError, match=r"argument 1 of run\(\)\[0\] is \{1\} of type set"):
        Work().run(0, [{1}])
    with pytest.raises(AttributeError, match=r"argument x of run\(\)"):
        Work().run(x=object())


def test_a_call_without_an_app_leaves_statuses_alone():
    work = Work()
    work.run()
    assert work.statuses == []
    assert work.status.stage == WorkStageStatus.NOT_STARTED
    assert work.num_successes == 0
    assert not work.has_started


def test_the_gate_looks_like_the_run_it_stands_before():
    class Documented(LightningWork):
        def run(self, path, epochs=3):
            """Train."""

    work = Documented()
    assert work.run.__doc__ == "Train."
    assert work.run.__name__ == "run"


@pytest.mark.parametrize("ask", ["start", "stop", "delete"])
def test_a_process_needs_an_app(ask):
    with pytest.raises(RuntimeError, match="Only the `LightningFlow` can request this work"):
        getattr(Work(), ask)()


# Copies.


@pytest.mark.parametrize("duplicate", [lambda work: pickle.loads(pickle.dumps(work)), copying.deepcopy])
def test_a_pickled_work_has_its_attributes_and_none_of_its_links(duplicate):
    root = LightningFlow()
    root.w = Work(parallel=True, cache_calls=False, port=7)
    root.w.executed.append(1)
    root.w._private = {1}
    root.w.__dict__["_watcher"] = lambda work: None
    twin = duplicate(root.w)
    assert twin is not root.w
    assert twin.state == root.w.state
    assert (twin._private, twin.parallel, twin.port) == ({1}, True, 7)
    assert twin.name == ""
    assert twin._find_backend() is None
    twin.executed.append(2)
    assert root.w.executed == [1]
    with pytest.raises(AttributeError):
        twin.undeclared = 1


def test_a_pickled_work_can_be_called():
    twin = pickle.loads(pickle.dumps(Work()))
    twin.run(5)
    assert twin.executed == [[[5], {}]]


def test_a_pickled_work_can_be_attached():
    twin = pickle.loads(pickle.dumps(Work()))
    root = LightningFlow()
    root.w = twin
    assert twin.name == "root.w"


def test_a_work_makes_no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Work().run()

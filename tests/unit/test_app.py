"""LightningApp as long as it does not run: the tree, its names and its state."""

from __future__ import annotations

import pytest

from lightning_grpc import BuildConfig, CloudCompute, LightningApp, LightningFlow, LightningWork
from lightning_grpc.components.status import AppStage
from lightning_grpc.errors import ConfigurationError, MissingRunError
from lightning_grpc.runners import MultiProcessRuntime
from lightning_grpc.state.values import same
from lightning_grpc.structures import Dict, List


class Work(LightningWork):
    def __init__(self):
        super().__init__()
        self.counter = 0

    def run(self):
        self.counter += 1


class Flow(LightningFlow):
    def __init__(self, **attributes):
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)

    def run(self):
        pass


@pytest.fixture
def app():
    inner = Flow(n=1, w=Work(), items=List(Work(), Flow(w=Work())))
    return LightningApp(Flow(total=5, w=Work(), a=Flow(b=inner), table=Dict(key=Work())))


def test_a_root_without_its_own_run_is_a_type_error_that_names_its_class():
    class Idle(LightningFlow):
        pass

    with pytest.raises(TypeError, match=r"does not override the `run\(\)` method.*`Idle`") as caught:
        LightningApp(Idle())
    assert isinstance(caught.value, MissingRunError)


def test_a_flow_below_the_root_needs_no_run():
    class Idle(LightningFlow):
        pass

    LightningApp(Flow(child=Idle()))


def test_a_root_may_inherit_its_run():
    class Inheriting(Flow):
        pass

    LightningApp(Inheriting())


@pytest.mark.parametrize(
    "root", [None, 5, "app.py", object(), Flow, List()], ids=["None", "int", "str", "object", "class", "structure"]
)
def test_a_root_that_is_no_component_is_refused(root):
    with pytest.raises(ConfigurationError, match="root of an app"):
        LightningApp(root)


def test_a_work_as_root_is_called_root_dot_work():
    work = Work()
    app = LightningApp(work)
    assert app.root.work is work
    assert work.name == "root.work"
    assert app.named_works == [("root.work", work)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"log_level": "loud"}, "Log Level should be in"),
        ({"idle_interval_s": 0}, "idle_interval_s"),
        ({"state_limit_bytes": 0}, "state_limit_bytes"),
    ],
)
def test_an_option_that_cannot_be_is_a_value_error(options, message):
    with pytest.raises(ValueError, match=message):
        LightningApp(Flow(), **options)


def test_the_app_tells_of_its_tree(app):
    root = app.root
    assert app.works == root.works()
    assert [name for name, _ in app.named_works] == [
        "root.w",
        "root.a.b.w",
        "root.a.b.items.0",
        "root.a.b.items.1.w",
        "root.table.key",
    ]
    assert app.flows[0] is root
    assert [flow.name for flow in app.flows] == ["root", "root.a", "root.a.b", "root.a.b.items.1"]
    assert app.ready


def test_every_component_is_found_by_its_name(app):
    for component in [*app.flows, *app.works]:
        assert app.get_component_by_name(component.name) is component
    assert app.get_component_by_name("root.a.b.items.0") is app.root.a.b.items[0]
    assert app.get_component_by_name("root.table.key") is app.root.table["key"]


@pytest.mark.parametrize("name", ["", "w", "a.b", "Root", "rooty", ".root", "root/a", "root w"])
def test_a_name_that_does_not_start_with_root_is_a_value_error(app, name):
    with pytest.raises(ValueError, match="must start with 'root'"):
        app.get_component_by_name(name)


@pytest.mark.parametrize(
    ("name", "where", "key"),
    [
        ("root.missing", "root", "missing"),
        ("root.a.missing", "root.a", "missing"),
        ("root.a.b.items.5", "root.a.b.items", "5"),
        ("root.a.b.items.-1", "root.a.b.items", "-1"),
        ("root.w.counter", "root.w", "counter"),
        ("root.total", "root", "total"),
        ("root.", "root", ""),
        ("root..a", "root", ""),
        ("root.run", "root", "run"),
    ],
)
def test_an_unknown_child_is_an_attribute_error_that_says_where(app, name, where, key):
    with pytest.raises(AttributeError, match=rf"'{where}' has no child component with name '{key}'"):
        app.get_component_by_name(name)


def test_a_structure_is_no_component(app):
    with pytest.raises(AttributeError, match="is a structure"):
        app.get_component_by_name("root.a.b.items")


def test_the_state_of_an_app_is_that_of_its_root_and_its_own(app):
    state = app.state
    assert set(state) == {"vars", "calls", "flows", "works", "structures", "changes", "app_state"}
    assert state["app_state"] == {"stage": "running"}
    assert same({**app.root.state, "app_state": state["app_state"]}, state)
    assert set(app.state_vars) == {"vars", "flows", "works", "structures", "app_state"}
    assert same(app.state_with_changes, state)
    assert same(app.state_dict(), state)


def test_the_state_of_an_app_may_be_set(app):
    app.root.w.counter = 7
    app.root.a.b.items[1].w.counter = 8
    state = app.state
    state["app_state"]["stage"] = "stopping"
    inner = Flow(n=0, w=Work(), items=List(Work(), Flow(w=Work())))
    fresh = LightningApp(Flow(total=0, w=Work(), a=Flow(b=inner), table=Dict(key=Work())))
    fresh.load_state_dict(state)
    assert same(fresh.state, state)
    assert fresh.stage is AppStage.STOPPING
    assert "app_state" not in fresh.root.state


def test_a_state_with_a_component_that_is_not_there_is_a_value_error(app):
    with pytest.raises(ValueError, match="missing"):
        app.set_state({"works": {"missing": {"vars": {}}}})


def test_the_stage_is_an_enum_with_the_names_of_lightning_apps(app):
    assert app.stage is AppStage.RUNNING
    assert {stage.value for stage in AppStage} >= {"running", "stopping", "failed", "blocking", "restarting"}


def test_arguments_of_lightning_apps_are_accepted_and_kept():
    compute = CloudCompute("cpu")
    app = LightningApp(Flow(), compute, "debug", {"title": "x"}, "/proxy")
    assert app.flow_cloud_compute is compute
    assert (app.log_level, app.info, app.root_path) == ("debug", {"title": "x"}, "/proxy")
    assert LightningApp(Flow()).flow_cloud_compute == CloudCompute("flow-lite")
    assert BuildConfig(["rich"]).requirements == ["rich"]


def test_an_app_that_has_not_run_says_so(app):
    assert not app.has_run
    assert app.revision == 0
    assert app.exception is None


def test_the_runner_of_lightning_apps_takes_the_app_and_whether_to_serve(app):
    runner = MultiProcessRuntime(app, start_server=False)
    assert runner.app is app
    assert runner.start_server is False

"""Flows: the tree, its names, its state, and the end."""

from __future__ import annotations

import pytest

from lightning_grpc.components.flow import LightningFlow, RootFlow, collect_state, reload_state
from lightning_grpc.components.pretty import pretty_state
from lightning_grpc.components.structures import Dict, List
from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import ChildError
from lightning_grpc.signals import ExitAppException, FlowSignal, FlowSuspended, LightningFlowException
from lightning_grpc.state.values import same


class Work(LightningWork):
    def __init__(self, counter=0, **options):
        super().__init__(**options)
        self.counter = counter

    def run(self, *args, **kwargs):
        self.counter += 1


class Flow(LightningFlow):
    def __init__(self, **attributes):
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)


def tree():
    """A root with a bit of everything."""
    return Flow(
        total=1,
        w=Work(),
        b=Flow(total=2, w=Work(), items=[Work(), Work()]),
        a=Flow(child=Flow(w=Work())),
        table={"x": Work(), "y": Flow(w=Work())},
    )


# Names.


def test_the_root_is_called_root_and_components_after_their_places():
    root = tree()
    assert root.name == "root"
    assert root.w.name == "root.w"
    assert root.a.child.w.name == "root.a.child.w"
    assert root.b.items[1].name == "root.b.items.1"
    assert root.table["x"].name == "root.table.x"
    assert root.table["y"].w.name == "root.table.y.w"


def test_names_follow_when_a_tree_is_attached_to_another():
    child = Flow(w=Work())
    assert child.w.name == "root.w"
    root = Flow(middle=Flow(child=child))
    assert child.w.name == "root.middle.child.w"
    assert root.middle.child.name == "root.middle.child"


def test_a_work_that_is_attached_to_nothing_has_no_name():
    assert Work().name == ""


def test_flows_are_all_flows_below_by_full_name():
    root = tree()
    assert root.flows == {
        "root.a": root.a,
        "root.a.child": root.a.child,
        "root.b": root.b,
        "root.table.y": root.table["y"],
    }
    assert root.a.flows == {"root.a.child": root.a.child}
    assert root.a.child.flows == {}


def test_works_are_its_own_then_those_of_its_flows_then_those_of_its_structures():
    root = tree()
    expected = ["root.w", "root.a.child.w", "root.b.w", "root.b.items.0", "root.b.items.1", "root.table.x"]
    assert [work.name for work in root.works()] == [*expected, "root.table.y.w"]
    assert root.named_works() == [(work.name, work) for work in root.works()]


def test_works_without_recursion_are_its_own():
    root = tree()
    assert root.works(recurse=False) == [root.w]
    assert root.named_works(recurse=False) == [("root.w", root.w)]
    assert root.a.works(recurse=False) == []


# Attaching.


def test_a_child_may_be_attached_in_init_and_later():
    root = Flow()
    root.later = Work()
    root.later_still = Flow()
    root.many = [Work()]
    assert root.later.name == "root.later"
    assert set(root.state["works"]) == {"later"}
    assert set(root.state["flows"]) == {"later_still"}
    assert set(root.state["structures"]) == {"many"}


def test_a_child_may_take_the_place_of_a_declared_attribute():
    root = Flow(w=None, n=1)
    assert not getattr(root, "w", None)
    root.w = Work()
    assert root.state["vars"] == {"n": 1}
    assert set(root.state["works"]) == {"w"}


@pytest.mark.parametrize("other", [Work, Flow, lambda: None, lambda: 5, lambda: [Work()], list, List])
@pytest.mark.parametrize("child", [Work, Flow, lambda: [Work()], lambda: {"k": Work()}], ids=["w", "f", "list", "dict"])
def test_an_attached_child_cannot_be_replaced(child, other):
    root = Flow(child=child())
    attached = root.child
    with pytest.raises(AttributeError, match="can't be changed once defined: child"):
        root.child = other()
    assert root.child is attached
    assert attached.name == "root.child"


@pytest.mark.parametrize("child", [Work, Flow, lambda: [Work()], lambda: {"k": Work()}, List, Dict])
def test_assigning_the_same_child_again_is_fine(child):
    root = Flow(child=child())
    attached = root.child
    root.child = attached
    assert root.child is attached
    assert attached.name == "root.child"


def test_a_child_cannot_be_deleted():
    root = Flow(child=Work())
    with pytest.raises(ChildError, match="child cannot be deleted"):
        del root.child


@pytest.mark.parametrize("child", [Work, Flow, lambda: List(Work())])
def test_a_component_has_one_place(child):
    root = Flow(first=child())
    with pytest.raises(AttributeError, match=r"attached as root\.first already"):
        root.second = root.first
    assert not hasattr(root, "second")
    with pytest.raises(ChildError):
        Flow(elsewhere=root.first)
    assert root.first.name == "root.first"


def test_a_flow_cannot_stand_below_itself():
    root = Flow(child=Flow())
    with pytest.raises(ChildError, match="below itself"):
        root.child.back = root
    with pytest.raises(ChildError, match="below itself"):
        root.myself = root


def test_a_list_with_components_and_other_things_is_refused_by_path():
    with pytest.raises(AttributeError, match=r"mixed\[1\] is <Work"):
        Flow(mixed=[1, Work()])
    with pytest.raises(AttributeError, match=r"mixed\['b'\] is <Work"):
        Flow(mixed={"a": 1, "b": Work()})
    with pytest.raises(AttributeError, match=r"nested\[0\]\[0\] is <Work"):
        Flow(nested=[[Work()]])


def test_a_private_attribute_may_hold_a_component_without_attaching_it():
    work = Work()
    root = Flow(_kept=work)
    assert root._kept is work
    assert root.works() == []
    root.w = work
    assert work.name == "root.w"


@pytest.mark.parametrize("wrap", [lambda w: [w], lambda w: {"k": w}, lambda w: (w,)], ids=["list", "dict", "tuple"])
def test_a_private_list_of_components_stays_what_it_is(wrap):
    work = Work()
    kept = wrap(work)
    root = Flow(_before=kept)
    root.w = work
    root._after = kept
    assert root._before is kept
    assert root._after is kept
    assert work.name == "root.w"
    assert root.works() == [work]


def test_a_tree_is_ready_when_all_flows_below_are():
    class Late(Flow):
        @property
        def ready(self):
            return self.done

    root = Flow(child=Flow(late=Late(done=False)))
    assert not root.ready
    root.child.late.done = True
    assert root.ready


# State.

FLOW_SECTIONS = {"vars", "calls", "flows", "works", "structures", "changes"}


def test_the_state_of_a_flow_has_six_sections_all_the_way_down():
    state = tree().state
    assert set(state) == FLOW_SECTIONS
    assert set(state["flows"]["b"]) == FLOW_SECTIONS
    assert set(state["works"]["w"]) == {"vars", "calls", "changes"}
    assert set(state["structures"]["table"]) == {"works", "flows"}
    assert state["vars"] == {"total": 1}
    assert state["flows"]["b"]["structures"]["items"]["works"]["1"]["vars"]["counter"] == 0
    assert state["structures"]["table"]["flows"]["y"]["works"]["w"]["calls"] == {"latest_call_hash": None}


def test_state_vars_are_the_attributes_alone():
    state = tree().state_vars
    assert set(state) == {"vars", "flows", "works", "structures"}
    assert set(state["works"]["w"]) == {"vars"}
    assert set(state["structures"]["table"]["works"]["x"]) == {"vars"}
    assert state["flows"]["b"]["vars"] == {"total": 2}


def test_state_with_changes_is_the_state():
    root = tree()
    assert same(root.state_with_changes, root.state)


def test_state_follows_the_attributes():
    root = tree()
    root.total = "many"
    root.b.items[0].counter = 7
    assert root.state["vars"] == {"total": "many"}
    assert root.state["flows"]["b"]["structures"]["items"]["works"]["0"]["vars"]["counter"] == 7


def test_set_state_sets_the_whole_tree():
    root, other = tree(), tree()
    root.total = 10
    root.a.child.w.counter = 11
    root.b.items[1].counter = 12
    root.table["y"].w.counter = 13
    other.set_state(root.state)
    assert same(other.state, root.state)
    assert other.b.items[1].counter == 12


def test_set_state_without_recursion_sets_the_flow_alone():
    root, other = tree(), tree()
    root.total = 10
    root.w.counter = 11
    other.set_state(root.state, recurse=False)
    assert (other.total, other.w.counter) == (10, 0)


@pytest.mark.parametrize("kind", ["flows", "works", "structures"])
def test_set_state_refuses_a_child_that_is_not_there(kind):
    with pytest.raises(ValueError, match=r"missing wasn't instantiated for the component root"):
        tree().set_state({kind: {"missing": {"vars": {}}}})


def test_state_dict_is_the_state_without_the_children():
    state = tree().state_dict()
    assert set(state) == FLOW_SECTIONS
    assert state["vars"] == {"total": 1}
    assert state["flows"] == state["works"] == state["structures"] == {}


# Reloading, as the documentation of LightningFlow shows it.


class WorkReload(LightningWork):
    def __init__(self):
        super().__init__(cache_calls=False)
        self.counter = 0

    def run(self):
        self.counter += 1


class FlowReload(LightningFlow):
    """Attaches a Work while it runs."""

    def __init__(self):
        super().__init__()
        self.counter = 0

    def run(self):
        if not getattr(self, "w", None):
            self.w = WorkReload()
        self.counter += 1
        self.w.run()

    def load_state_dict(self, flow_state, children_states, strict=True):
        self.w = WorkReload()
        super().load_state_dict(flow_state, children_states, strict=strict)


class ForgetfulReload(FlowReload):
    def load_state_dict(self, flow_state, children_states, strict=True):
        LightningFlow.load_state_dict(self, flow_state, children_states, strict=strict)


def test_load_state_dict_reloads_a_child_that_was_attached_again():
    flow = FlowReload()
    flow.run()
    flow.run()
    assert (flow.counter, flow.w.counter) == (2, 2)

    fresh = FlowReload()
    fresh.load_state_dict(flow.state_dict(), {"w": flow.w.state})
    assert (fresh.counter, fresh.w.counter) == (2, 2)
    fresh.run()
    assert (fresh.counter, fresh.w.counter) == (3, 3)


def test_load_state_dict_refuses_a_child_that_was_not_attached_again():
    flow = ForgetfulReload()
    flow.run()
    with pytest.raises(ValueError, match=r"The component w wasn't instantiated for the component root"):
        ForgetfulReload().load_state_dict(flow.state_dict(), {"w": flow.w.state})


def test_load_state_dict_skips_a_child_that_is_not_there_if_it_is_not_strict():
    flow = ForgetfulReload()
    flow.run()
    fresh = ForgetfulReload()
    fresh.load_state_dict(flow.state_dict(), {"w": flow.w.state}, strict=False)
    assert fresh.counter == 1
    assert fresh.works() == []


def test_load_state_dict_passes_on_what_stands_below_a_dynamic_flow():
    class Outer(LightningFlow):
        def __init__(self):
            super().__init__()
            self.n = 0

        def load_state_dict(self, flow_state, children_states, strict=True):
            self.inner = FlowReload()
            super().load_state_dict(flow_state, children_states, strict=strict)

    old = Outer()
    old.inner = FlowReload()
    old.inner.run()
    states = {"inner.w": old.inner.w.state, "inner": old.inner.state_dict()}  # in whatever order
    fresh = Outer()
    fresh.load_state_dict(old.state_dict(), states)
    assert (fresh.inner.counter, fresh.inner.w.counter) == (1, 1)


def test_load_state_dict_refuses_what_is_missing_below_a_dynamic_flow():
    class Outer(LightningFlow):
        def load_state_dict(self, flow_state, children_states, strict=True):
            self.inner = Flow()
            super().load_state_dict(flow_state, children_states, strict=strict)

    with pytest.raises(ValueError, match=r"w wasn't instantiated for the component root\.inner"):
        Outer().load_state_dict({}, {"inner": {}, "inner.w": {}})


class ListReload(LightningFlow):
    """Appends a Work to a structure each time it runs."""

    def __init__(self):
        super().__init__()
        self.items = List()
        self.table = Dict()

    def run(self):
        self.items.append(WorkReload())
        self.table[f"k{len(self.table)}"] = WorkReload()

    def load_state_dict(self, flow_state, children_states, strict=True):
        for name in children_states:
            if name.startswith("items."):
                self.items.append(WorkReload())
            elif name.startswith("table."):
                self.table[name.removeprefix("table.")] = WorkReload()
        super().load_state_dict(flow_state, children_states, strict=strict)


def test_load_state_dict_reloads_items_of_structures_that_were_attached_again():
    flow = ListReload()
    flow.run()
    flow.run()
    flow.items[1].counter = 5
    flow.table["k0"].counter = 6
    fresh = ListReload()
    fresh.load_state_dict(
        flow.state_dict(),
        {work.name.removeprefix("root."): work.state for work in flow.works()},
    )
    assert [work.counter for work in fresh.items] == [0, 5]
    assert [work.counter for work in fresh.table.values()] == [6, 0]


def test_load_state_dict_refuses_an_item_of_a_structure_that_was_not_attached_again():
    with pytest.raises(ValueError, match=r"items\.0"):
        LightningFlow.load_state_dict(ListReload(), {}, {"items.0": {"vars": {"counter": 1}}})


def test_a_whole_tree_is_collected_and_reloaded_by_full_names():
    class Root(LightningFlow):
        def __init__(self):
            super().__init__()
            self.n = 0
            self.child = FlowReload()
            self.items = List(WorkReload())

        def run(self):
            self.n += 1
            self.child.run()

    old = Root()
    old.run()
    old.items[0].counter = 9
    states = collect_state(old)
    assert set(states) == {"root", "root.child", "root.child.w", "root.items.0"}
    fresh = Root()
    reload_state(fresh, states)
    assert same(fresh.state, old.state)


def test_a_whole_tree_with_dynamic_items_is_reloaded():
    old = ListReload()
    old.run()
    old.items[0].counter = 9
    old.table["k0"].counter = 10
    fresh = ListReload()
    reload_state(fresh, collect_state(old))
    assert same(fresh.state, old.state)


def test_reloading_a_tree_refuses_components_that_nobody_attached_again():
    old = Flow(child=ForgetfulReload())
    old.child.run()
    states = collect_state(old)
    with pytest.raises(ValueError, match="w"):
        reload_state(Flow(child=ForgetfulReload()), states)
    reload_state(fresh := Flow(child=ForgetfulReload()), states, strict=False)
    assert fresh.child.counter == 1


# The end.


@pytest.mark.parametrize(("end", "signal"), [("stop", ExitAppException), ("fail", LightningFlowException)])
def test_stop_and_fail_leave_run_through_except_exception(end, signal, capsys):
    flow = Flow(swallowed=False)

    def run():
        try:
            getattr(flow, end)("that was it")
        except Exception:
            flow.swallowed = True

    with pytest.raises(signal, match="that was it"):
        run()
    assert not flow.swallowed
    assert capsys.readouterr().out == "that was it\n"


@pytest.mark.parametrize("signal", [ExitAppException, LightningFlowException, FlowSuspended])
def test_what_leaves_a_flow_early_is_no_exception(signal):
    assert issubclass(signal, FlowSignal)
    assert issubclass(signal, BaseException)
    assert not issubclass(signal, Exception)


@pytest.mark.parametrize("end", ["stop", "fail"])
def test_an_end_without_a_message_prints_nothing(end, capsys):
    with pytest.raises(FlowSignal):
        getattr(Flow(), end)()
    assert capsys.readouterr().out == ""


def test_stop_works_needs_an_app():
    flow = Flow(w=Work())
    with pytest.raises(RuntimeError, match="backend"):
        flow.stop_works([flow.w])


# Without an app.


def test_a_flow_without_an_app_calls_its_works_directly():
    class Root(LightningFlow):
        def __init__(self):
            super().__init__()
            self.w = Work()

        def run(self):
            self.w.run()

    root = Root()
    root.run()
    assert root.w.counter == 1
    root.run()
    assert root.w.counter == 1  # cached


def test_the_flow_of_the_seed_document():
    class RootFlow(LightningFlow):
        def __init__(self):
            super().__init__()
            self.counter = 0

        def run(self):
            self.counter += 1

    flow = RootFlow()
    flow.run()
    assert flow.counter == 1
    assert flow.state["vars"]["counter"] == 1


def test_the_base_run_does_nothing():
    assert LightningFlow().run() is None


def test_a_work_as_root_is_root_dot_work():
    root = RootFlow(Work())
    assert root.work.name == "root.work"
    assert [work.name for work in root.works()] == ["root.work"]
    assert not root.ready
    root.work.url = "http://127.0.0.1"
    assert root.ready


# How it is printed.


def test_pretty_state_prints_as_in_the_seed_document():
    class Counting(LightningFlow):
        def __init__(self):
            super().__init__()
            self.w = Work(cache_calls=False)

    flow = Counting()
    flow.w.run()
    assert str(pretty_state(flow.state)) == "{'works': {'w': {'vars': {'counter': 1}}}}"


def test_pretty_state_shows_attributes_at_every_level_and_nothing_empty():
    assert pretty_state(tree().state) == {
        "vars": {"total": 1},
        "flows": {
            "a": {"flows": {"child": {"works": {"w": {"vars": {"counter": 0}}}}}},
            "b": {
                "vars": {"total": 2},
                "works": {"w": {"vars": {"counter": 0}}},
                "structures": {"items": {"works": {str(i): {"vars": {"counter": 0}} for i in range(2)}}},
            },
        },
        "works": {"w": {"vars": {"counter": 0}}},
        "structures": {
            "table": {
                "flows": {"y": {"works": {"w": {"vars": {"counter": 0}}}}},
                "works": {"x": {"vars": {"counter": 0}}},
            }
        },
    }


def test_pretty_state_leaves_the_state_as_it_is():
    state = tree().state
    before = repr(state)
    pretty_state(state)
    assert repr(state) == before


def test_lightningignore_may_be_set_until_an_app_runs():
    flow = Flow(w=Work())
    flow.lightningignore = ["*.log"]
    assert flow.lightningignore == ("*.log",)
    assert flow.w.lightningignore == ()

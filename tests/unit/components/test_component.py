"""Attributes of Flows and Works: what is state, what may be assigned, and what errors say."""

from __future__ import annotations

import abc
import threading

import pytest
from hypothesis import given
from strategies import mutable_parts, texts, values

from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import DefinitionError, InvalidValueError, NotInitializedError, UndeclaredAttributeError
from lightning_grpc.state.values import same


class Flow(LightningFlow):
    def __init__(self, **attributes):
        super().__init__()
        self.x = 0
        self._private = object()
        for name, value in attributes.items():
            setattr(self, name, value)

    def run(self):
        pass


class Work(LightningWork):
    def __init__(self, **attributes):
        super().__init__()
        self.x = 0
        self._private = object()
        for name, value in attributes.items():
            setattr(self, name, value)

    def run(self):
        pass


both = pytest.mark.parametrize("Component", [Flow, Work])


def public_vars(component):
    return {name: value for name, value in component.state["vars"].items() if not name.startswith("_")}


@both
def test_public_attributes_set_in_init_are_state_and_private_ones_are_not(Component):
    component = Component(name_of_mine="a", items=[1])
    assert public_vars(component) == {"x": 0, "name_of_mine": "a", "items": [1]}
    assert "_private" not in component.state["vars"]


@both
@pytest.mark.parametrize(
    "value",
    [object(), {1}, b"x", lambda: None, threading.Lock(), [object()]],
    ids=["object", "set", "bytes", "function", "lock", "objects"],
)
def test_a_private_attribute_may_hold_anything_at_any_time(Component, value):
    component = Component(_early=value)
    component._private = value
    component._late = value
    assert component._early is component._private is component._late is value
    assert public_vars(component) == {"x": 0}


@both
def test_assigning_an_undeclared_public_attribute_names_component_and_attribute(Component):
    component = Component()
    with pytest.raises(AttributeError, match=r"not defined in __init__: missing \(component .*") as caught:
        component.missing = 1
    assert isinstance(caught.value, UndeclaredAttributeError)
    assert caught.value.attribute == "missing"
    assert Component.__name__ in caught.value.component
    assert not hasattr(component, "missing")


@both
@pytest.mark.parametrize("value", [None, True, 5, 1.5, "text", [1], (1, [2]), {"k": {1: 2}}, {}], ids=repr)
def test_a_declared_attribute_may_be_given_a_value_of_another_type(Component, value):
    component = Component()
    component.x = value
    assert same(component.state["vars"]["x"], value)
    component.x = 0
    assert component.state["vars"]["x"] == 0


@given(values())
def test_a_flow_holds_every_value(value):
    assert same(Flow(value=value).state["vars"]["value"], value)


@given(values())
def test_a_work_holds_every_value(value):
    assert same(Work(value=value).state["vars"]["value"], value)


@given(values())
def test_the_state_is_fresh(value):
    flow = Flow(value=value)
    assert not mutable_parts(flow.state) & mutable_parts(flow.value)
    assert not mutable_parts(flow.state_vars) & mutable_parts(flow.value)


def test_an_attribute_is_the_very_object_that_was_assigned():
    items = [1]
    flow = Flow(items=items)
    assert flow.items is items
    items.append(2)
    assert flow.state["vars"]["items"] == [1, 2]


INVALID = [
    (object(), r"x is <object"),
    ({1, 2}, r"x is \{1, 2\} of type set"),
    (b"ab", r"x is b'ab' of type bytes"),
    (lambda: None, r"x is <function"),
    ([1, {"a": (0, {1})}], r"x\[1\]\['a'\]\[1\] is \{1\} of type set"),
    ({"a": [b"ab"]}, r"x\['a'\]\[0\] is b'ab' of type bytes"),
    ({"a": {1.5: 0}}, r"x\['a'\] has the key 1.5 of type float"),
    ("\ud800", r"x has the lone surrogate"),
    (1j, r"x is 1j of type complex"),
]


@both
@pytest.mark.parametrize(("value", "message"), INVALID, ids=[message for _, message in INVALID])
def test_a_value_that_is_not_json_like_is_refused_by_its_path_with_a_hint(Component, value, message):
    component = Component()
    with pytest.raises(AttributeError, match=rf"{Component.__name__}\): {message}") as caught:
        component.x = value
    assert isinstance(caught.value, InvalidValueError)
    assert "HINT: Private attributes (self._x = y)" in str(caught.value)
    assert component.x == 0


@both
def test_a_value_that_is_not_json_like_is_refused_in_init_too(Component):
    with pytest.raises(AttributeError, match=rf"{Component.__name__}\): y is \{{1\}} of type set"):
        Component(y={1})


@both
def test_a_refused_value_declares_nothing(Component):
    component = Component()

    class Trying(Component):
        def __init__(self):
            super().__init__()
            try:
                self.y = {1}
            except AttributeError:
                self.tried = True

    component = Trying()
    assert public_vars(component) == {"x": 0, "tried": True}
    with pytest.raises(UndeclaredAttributeError):
        component.y = 1


def test_the_error_names_the_component_by_its_full_name():
    root = Flow()
    root.child = Flow()
    root.child.work = Work()
    with pytest.raises(AttributeError, match=r"root\.child\.work \(Work\): x is"):
        root.child.work.x = {1}
    with pytest.raises(AttributeError, match=r"root\.child \(Flow\)"):
        root.child.undeclared = 1


@pytest.mark.parametrize("Base", [LightningFlow, LightningWork])
def test_forgetting_super_init_says_so_at_the_first_attribute(Base):
    class Forgetful(Base):
        def __init__(self):
            self.x = 0

        def run(self):
            pass

    with pytest.raises(AttributeError, match=r"super\(\).__init__\(\) in Forgetful") as caught:
        Forgetful()
    assert isinstance(caught.value, NotInitializedError)
    assert isinstance(caught.value, DefinitionError)


@pytest.mark.parametrize("Base", [LightningFlow, LightningWork])
@pytest.mark.parametrize("attribute", ["x", "_x"])
def test_an_attribute_before_super_init_says_so_too(Base, attribute):
    class Hasty(Base):
        def __init__(self):
            setattr(self, attribute, [0])
            super().__init__()

        def run(self):
            pass

    with pytest.raises(NotInitializedError, match="before any attribute is assigned"):
        Hasty()


@pytest.mark.parametrize("Base", [LightningFlow, LightningWork])
def test_forgetting_super_init_without_any_attribute_says_so_too(Base):
    class Empty(Base):
        def __init__(self):
            pass

        def run(self):
            pass

    with pytest.raises(NotInitializedError):
        Empty()


def test_a_child_before_super_init_says_so_too():
    class Hasty(LightningFlow):
        def __init__(self):
            self.child = Flow()

    with pytest.raises(NotInitializedError):
        Hasty()


@both
def test_a_subclass_may_declare_more_after_its_bases_init(Component):
    class Deeper(Component):
        def __init__(self):
            super().__init__(y=1)
            self.z = 2

    assert public_vars(Deeper()) == {"x": 0, "y": 1, "z": 2}


@both
def test_attributes_may_be_declared_by_methods_that_init_calls(Component):
    class Delegating(Component):
        def __init__(self):
            super().__init__()
            self.prepare()

        def prepare(self):
            self.prepared = True

    component = Delegating()
    assert public_vars(component) == {"x": 0, "prepared": True}
    component.prepare()


@both
def test_a_class_attribute_is_no_state_until_it_is_assigned(Component):
    class WithDefault(Component):
        y = 1
        z = 2

        def __init__(self):
            super().__init__()
            self.y = 3

    component = WithDefault()
    assert public_vars(component) == {"x": 0, "y": 3}
    assert component.z == 2
    with pytest.raises(UndeclaredAttributeError):
        component.z = 3


@both
def test_a_property_with_a_setter_works_as_in_any_class_and_is_no_state(Component):
    class WithProperty(Component):
        @property
        def double(self):
            return self.x * 2

        @double.setter
        def double(self, value):
            self.x = value // 2

        @property
        def fixed(self):
            return 1

    component = WithProperty()
    component.double = 10
    assert (component.x, component.double) == (5, 10)
    assert public_vars(component) == {"x": 5}
    with pytest.raises(AttributeError):
        component.fixed = 2


@both
def test_components_may_be_mixed_with_abstract_base_classes(Component):
    class Saver(abc.ABC):
        @abc.abstractmethod
        def save(self):
            """Save."""

    class Abstract(Component, Saver):
        pass

    class Concrete(Abstract):
        def save(self):
            self.x = "saved"

    with pytest.raises(TypeError, match="abstract"):
        Abstract()
    component = Concrete()
    component.save()
    assert isinstance(component, Saver)
    assert public_vars(component) == {"x": "saved"}


@both
def test_components_may_be_mixed_with_other_classes_whatever_the_order(Component):
    class Mixin:
        def __init__(self):
            super().__init__()
            self.mixed = True

    class Mixed(Mixin, Component):
        pass

    assert public_vars(Mixed()) == {"x": 0, "mixed": True}


@both
def test_an_attribute_that_is_state_cannot_be_deleted(Component):
    component = Component()
    with pytest.raises(AttributeError, match="is part of the state and cannot be deleted"):
        del component.x
    del component._private
    assert component.x == 0


@both
def test_reading_an_attribute_that_is_not_there_is_pythons_own_error(Component):
    with pytest.raises(AttributeError, match="missing"):
        _ = Component().missing


@both
def test_components_are_compared_by_identity_and_can_be_keys(Component):
    a, b = Component(), Component()
    assert a != b
    assert len({a, b, a}) == 2


@both
def test_a_component_says_who_it_is(Component):
    component = Component()
    assert Component.__name__ in repr(component)
    root = Flow()
    root.child = component
    assert repr(component) == f"<{Component.__name__} root.child>"


@both
def test_the_watcher_of_an_idle_component_is_called_after_the_write(Component):
    component = Component(items=[])
    seen = []

    def watch(watched):
        seen.append((watched, watched.x, len(watched.items)))
        watched._disarm()

    component.__dict__["_watcher"] = watch
    component._arm()
    component.x = 1
    component.x = 2
    assert seen == [(component, 1, 0)]
    component._arm()
    component.items = [1]
    assert seen[1:] == [(component, 2, 1)]


@both
def test_a_refused_write_does_not_wake_the_watcher(Component):
    component = Component()
    calls = []
    component.__dict__["_watcher"] = calls.append
    component._arm()
    with pytest.raises(AttributeError):
        component.x = {1}
    assert calls == []


@given(texts().filter(lambda text: not text.startswith("_")))
def test_an_attribute_may_have_any_name_that_python_lets_it_have(name):
    flow = Flow(**{name: 1}) if name not in dir(LightningFlow) else Flow(fine=1)
    assert 1 in flow.state["vars"].values()


@both
def test_set_state_sets_attributes_and_leaves_missing_sections(Component):
    component = Component(items=[1])
    provided = {"vars": {"items": [1, 2]}}
    component.set_state(provided)
    assert component.items == [1, 2]
    assert component.x == 0
    provided["vars"]["items"].append(3)
    assert component.items == [1, 2]


@both
def test_set_state_takes_what_state_returned(Component):
    component, other = Component(items=[1]), Component(items=[])
    component.x = 5
    other.set_state(component.state)
    assert same(other.state, component.state)


@both
def test_set_state_refuses_an_attribute_that_is_not_declared(Component):
    with pytest.raises(AttributeError, match="missing"):
        Component().set_state({"vars": {"missing": 1}})


@both
def test_state_with_changes_shows_changes_that_were_set_and_state_does_not(Component):
    component = Component()
    component.set_state({"changes": {"x": {"from": 0, "to": 1}}})
    assert component.state["changes"] == {}
    assert component.state_with_changes["changes"] == {"x": {"from": 0, "to": 1}}
    assert component.changes == {"x": {"from": 0, "to": 1}}

"""List and Dict of components: they behave like list and dict, and their items have places in the tree."""

from __future__ import annotations

import pytest

from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.components.structures import Dict, List
from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import ChildError
from lightning_grpc.state.values import same


class Work(LightningWork):
    def __init__(self, counter=0):
        super().__init__()
        self.counter = counter

    def run(self):
        pass


class Flow(LightningFlow):
    def __init__(self, **attributes):
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)


def names(items):
    return [item.name for item in items]


# Plain ones.


def test_a_plain_list_of_components_becomes_a_list_structure():
    works = [Work(), Flow()]
    root = Flow(items=works)
    assert type(root.items) is List
    assert list(root.items) == works
    assert names(root.items) == ["root.items.0", "root.items.1"]
    assert "items" not in root.state["vars"]


def test_a_plain_dict_of_components_becomes_a_dict_structure():
    root = Flow(table={"a": Work(), "b": Flow()})
    assert type(root.table) is Dict
    assert names(root.table.values()) == ["root.table.a", "root.table.b"]
    assert "table" not in root.state["vars"]


def test_an_empty_list_or_dict_is_a_value():
    root = Flow(items=[], table={})
    assert root.state["vars"] == {"items": [], "table": {}}
    assert type(root.items) is list


def test_an_empty_structure_is_a_structure():
    root = Flow(items=List(), table=Dict())
    assert root.state["vars"] == {}
    assert set(root.state["structures"]) == {"items", "table"}


def test_a_declared_list_may_give_way_to_a_structure_of_the_same_name():
    root = Flow(items=[])
    root.items = [Work()]
    assert root.state["vars"] == {}
    assert names(root.items) == ["root.items.0"]


# Lists.


def test_a_list_is_read_like_a_list():
    a, b, c = Work(), Work(), Flow()
    items = List(a, b, c)
    assert len(items) == 3
    assert (items[0], items[-1], items[:2]) == (a, c, [a, b])
    assert list(items) == [a, b, c] == [*reversed(list(reversed(items)))]
    assert b in items
    assert Work() not in items
    assert (items.index(c), items.count(a)) == (2, 1)
    assert items == [a, b, c]
    assert isinstance(items, list)
    assert not List()


def test_a_list_grows_like_a_list():
    root = Flow(items=List())
    root.items.append(Work(1))
    root.items.extend([Work(2), Work(3)])
    root.items += [Work(4)]
    assert [work.counter for work in root.items] == [1, 2, 3, 4]
    assert names(root.items) == [f"root.items.{i}" for i in range(4)]
    assert [work.name for work in root.works()] == names(root.items)


def test_a_list_may_grow_before_it_is_attached():
    items = List(Work())
    items.append(Work())
    root = Flow(items=items)
    root.items.append(Work())
    assert names(root.items) == [f"root.items.{i}" for i in range(3)]


@pytest.mark.parametrize(
    "remove",
    [
        lambda items, work: items.remove(work),
        lambda items, work: items.pop(1),
        lambda items, work: items.__delitem__(1),
        lambda items, work: items.__delitem__(slice(1, 2)),
        lambda items, work: items.pop(-2),
    ],
    ids=["remove", "pop", "del", "del slice", "pop from the end"],
)
def test_a_removed_item_leaves_the_others_their_names_for_good(remove):
    root = Flow(items=[Work(), Work(), Work()])
    first, gone, last = root.items
    remove(root.items, gone)
    assert list(root.items) == [first, last]
    assert names(root.items) == ["root.items.0", "root.items.2"]
    assert gone.name == ""
    root.items.append(Work())
    assert names(root.items) == ["root.items.0", "root.items.2", "root.items.3"]
    assert set(root.items.state["works"]) == {"0", "2", "3"}


def test_a_removed_item_may_be_attached_elsewhere():
    root = Flow(items=[Work()])
    root.w = root.items.pop()
    assert root.w.name == "root.w"
    assert root.items == []


def test_a_list_may_be_cleared():
    root = Flow(items=[Work(), Work()])
    gone = list(root.items)
    root.items.clear()
    assert root.items == []
    assert names(gone) == ["", ""]


def test_removing_what_is_not_there_is_the_error_of_a_list():
    items = List(Work())
    with pytest.raises(ValueError, match="not in list"):
        items.remove(Work())
    with pytest.raises(IndexError):
        items.pop(5)
    with pytest.raises(IndexError):
        del items[5]
    assert len(items) == 1


def test_an_item_of_a_list_cannot_be_replaced_or_inserted():
    root = Flow(items=[Work()])
    with pytest.raises(AttributeError, match=r"root\.items\[0\]: a component cannot be replaced"):
        root.items[0] = Work()
    with pytest.raises(AttributeError, match="append it"):
        root.items.insert(0, Work())
    assert len(root.items) == 1


@pytest.mark.parametrize("value", [1, "x", None, [1], object()], ids=["int", "str", "None", "list", "object"])
def test_a_structure_holds_components_and_nothing_else(value):
    items, table = List(), Dict()
    with pytest.raises(ChildError, match="holds components"):
        items.append(value)
    with pytest.raises(ChildError, match="holds components"):
        table["k"] = value
    assert not items
    assert not table


def test_a_component_has_one_place_in_structures_too():
    work = Work()
    root = Flow(items=[work])
    with pytest.raises(ChildError, match=r"attached as root\.items\.0 already"):
        root.items.append(work)
    with pytest.raises(ChildError, match="already"):
        root.table = {"k": work}
    assert list(root.items) == [work]


def test_a_structure_cannot_stand_below_itself():
    outer = List()
    outer.append(inner := List())
    with pytest.raises(ChildError, match="below itself"):
        inner.append(outer)


def test_structures_are_told_apart_and_can_be_keys():
    assert len({List(), List(), Dict(), Dict()}) == 4


# Dicts.


def test_a_dict_is_read_like_a_dict():
    a, b = Work(), Flow()
    table = Dict(a=a, b=b)
    assert len(table) == 2
    assert (table["a"], table.get("b"), table.get("c"), table.get("c", 5)) == (a, b, None, 5)
    assert list(table) == list(table.keys()) == ["a", "b"]
    assert list(table.values()) == [a, b]
    assert list(table.items()) == [("a", a), ("b", b)]
    assert "a" in table
    assert "c" not in table
    assert table == {"a": a, "b": b}
    assert isinstance(table, dict)
    with pytest.raises(KeyError):
        table["c"]


def test_a_dict_grows_like_a_dict():
    root = Flow(table=Dict())
    root.table["a"] = Work(1)
    root.table.update({"b": Work(2)}, c=Work(3))
    root.table |= {"d": Work(4)}
    work = Work(5)
    assert root.table.setdefault("e", work) is work
    assert root.table.setdefault("e", Work(6)) is work
    assert [work.counter for work in root.table.values()] == [1, 2, 3, 4, 5]
    assert names(root.table.values()) == [f"root.table.{key}" for key in "abcde"]


def test_assigning_the_same_item_again_is_fine_and_another_is_not():
    root = Flow(table={"a": Work()})
    root.table["a"] = root.table["a"]
    root.table.update(a=root.table["a"])
    with pytest.raises(AttributeError, match=r"root\.table\['a'\]: a component cannot be replaced"):
        root.table["a"] = Work()
    assert root.table["a"].name == "root.table.a"


def test_a_dict_shrinks_like_a_dict():
    root = Flow(table={key: Work() for key in "abcd"})
    a, b, _, d = root.table.values()
    del root.table["a"]
    assert root.table.pop("b") is b
    assert root.table.pop("x", None) is None
    assert root.table.popitem() == ("d", d)
    assert list(root.table) == ["c"]
    assert names([a, b, d]) == ["", "", ""]
    root.table["a"] = a
    assert a.name == "root.table.a"
    root.table.clear()
    assert root.table == {}
    for action in (root.table.popitem, lambda: root.table.pop("x"), lambda: root.table.__delitem__("x")):
        with pytest.raises(KeyError):
            action()


@pytest.mark.parametrize(("key", "error"), [(1, TypeError), (None, TypeError), ("a.b", ValueError), (".", ValueError)])
def test_a_key_is_a_text_without_dots(key, error):
    table = Dict()
    with pytest.raises(error):
        table[key] = Work()
    assert not table


@pytest.mark.parametrize("key", ["self", "items", "keys", "update", "name", "", "a b", "é"])
def test_a_key_may_be_any_other_text(key):
    root = Flow(table={key: Work()})
    assert root.table[key].name == f"root.table.{key}"


def test_a_plain_dict_with_other_keys_is_refused():
    with pytest.raises((TypeError, ValueError)):
        Flow(table={1: Work()})
    with pytest.raises(ValueError, match="forbidden"):
        Flow(table={"a.b": Work()})


# Nesting and state.


def test_structures_may_be_nested():
    root = Flow(grid=List(List(Work(), Work()), Dict(k=Work())))
    assert names(root.works()) == ["root.grid.0.0", "root.grid.0.1", "root.grid.1.k"]
    state = root.state["structures"]["grid"]
    assert set(state) == {"flows", "works", "structures"}
    assert set(state["structures"]["0"]["works"]) == {"0", "1"}
    root.grid[0].append(Flow())
    assert list(root.flows) == ["root.grid.0.2"]


def test_structures_tell_of_the_works_and_flows_below():
    root = Flow(table={"w": Work(), "f": Flow(w=Work())}, items=[Flow(inner=Flow())])
    assert names(root.table.works) == ["root.table.w", "root.table.f.w"]
    assert list(root.items.flows) == ["root.items.0", "root.items.0.inner"]
    assert root.table.name == "root.table"


def test_the_state_of_a_structure_follows_its_items():
    root = Flow(items=[Work(1), Work(2)])
    root.items[1].counter = 5
    assert root.items.state["works"]["1"]["vars"]["counter"] == 5
    assert root.items.state_vars["works"]["0"]["vars"]["counter"] == 1
    assert same(root.items.state_with_changes, root.items.state)


def test_set_state_sets_the_items():
    root, other = Flow(items=[Work(1), Flow(n=2)]), Flow(items=[Work(), Flow(n=0)])
    other.items.set_state(root.items.state)
    assert same(other.state, root.state)


@pytest.mark.parametrize("keys", [[], ["0"], ["0", "1", "2"], ["0", "x"]])
def test_set_state_refuses_a_state_with_other_keys(keys):
    items = Flow(items=[Work(), Work()]).items
    with pytest.raises(ValueError, match="un-matching keys"):
        items.set_state({"works": {key: {"vars": {}} for key in keys}})

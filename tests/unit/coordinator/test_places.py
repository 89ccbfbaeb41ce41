"""Places: where nodes stand in the app's document, and how they come into it and leave it."""

from __future__ import annotations

import pytest
from tick_harness import Flow, Root, Work

from lightning_grpc.components.structures import Dict, List
from lightning_grpc.coordinator.places import appearance, disappearance, document_path
from lightning_grpc.state.delta import apply
from lightning_grpc.state.values import copy, same

GROWTHS = {
    "a work": lambda root: (root, "w", Work(5)),
    "a flow": lambda root: (root, "late", Flow(n=1, w=Work())),
    "a structure": lambda root: (root, "many", List(Work(), Flow(n=1))),
    "an item of a list": lambda root: (root.items, None, Work(5)),
    "a flow in a dict": lambda root: (root.table, "k", Flow(n=1)),
    "the first list in a list": lambda root: (root.items, None, List(Work())),
    "a second list in a list": lambda root: (root.grid, None, List(Work())),
    "a work deep down": lambda root: (root.child.table["f"], "w", Work(5)),
}


def tree():
    return Root(
        n=0,
        items=List(Work()),
        table=Dict(),
        grid=List(List(Work())),
        child=Flow(table=Dict(f=Flow())),
    )


def attach(parent, key, node):
    if key is None:
        parent.append(node)
    elif isinstance(parent, Dict):
        parent[key] = node
    else:
        setattr(parent, key, node)


@pytest.mark.parametrize("growth", GROWTHS.values(), ids=GROWTHS.keys())
def test_a_node_comes_into_the_document_with_all_below_it(growth):
    root = tree()
    document = copy(root.state)
    parent, key, node = growth(root)
    attach(parent, key, node)
    apply(document, [appearance(node)])
    assert same(document, root.state)


@pytest.mark.parametrize(
    "node", [lambda r: r.items[0], lambda r: r.grid[0], lambda r: r.child.table["f"]], ids=["work", "list", "flow"]
)
def test_a_node_leaves_the_document_as_it_leaves_the_tree(node):
    root = tree()
    document = copy(root.state)
    leaving = node(root)
    change = disappearance(leaving)
    parent = leaving._parent
    if isinstance(parent, Dict):
        del parent[leaving._key]
    else:
        parent.remove(leaving)
    (done,) = apply(document, [change])
    assert same(document, root.state)
    assert same(done.old, change.old)


def test_the_path_of_a_document_is_its_place_in_the_state():
    root = Root(child=Flow(items=List(Dict(k=Work()))))
    assert document_path(root) == ()
    assert document_path(root.child) == ("flows", "child")
    path = document_path(root.child.items[0]["k"])
    assert path == ("flows", "child", "structures", "items", "structures", "0", "works", "k")

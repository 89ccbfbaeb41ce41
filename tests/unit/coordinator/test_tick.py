"""The coordinator's mind: when the root is run, what is told of, and components that come and go."""

from __future__ import annotations

import deepdiff
import pytest
from tick_harness import App, Flow, Root, Work, app_of, essence

from lightning_grpc.components.structures import Dict, List
from lightning_grpc.coordinator.events import (
    EndRequested,
    StartWork,
    StopWork,
    WorkExited,
)
from lightning_grpc.coordinator.tick import Tick
from lightning_grpc.errors import InvalidValueError
from lightning_grpc.signals import FlowSuspended
from lightning_grpc.state.delta import Set, Splice
from lightning_grpc.state.public import to_public
from lightning_grpc.state.values import same

# When the root is run.


def test_a_root_that_changes_nothing_is_run_once():
    app, _, _ = app_of()
    assert app.settle() == 1
    assert app.settle() == 0


def test_a_flow_that_writes_is_run_again_until_it_writes_no_more():
    def body(root):
        if root.n < 5:
            root.n += 1

    app, _, _ = app_of(body, n=0)
    assert app.settle() == 6


def test_a_flow_that_changes_a_container_in_place_is_run_again():
    def body(root):
        if len(root.seen) < 3:
            root.seen.append(len(root.seen))

    app, _, _ = app_of(body, seen=[])
    assert app.settle() == 4
    assert app.document["vars"]["seen"] == [0, 1, 2]


def test_what_a_suspended_run_wrote_is_kept_and_no_reason_to_run_it_again():
    def body(root):
        root.n += 1
        root.w.run()

    app, _, _ = app_of(body, n=0)
    app.settle()
    assert not app.tick.changed
    assert app.document["vars"]["n"] == app.root.n > 0


def test_a_works_write_is_a_reason_to_run_the_root():
    app, _, process = app_of()
    app.settle()
    process.write(counter=1)
    assert app.settle() == 1


def test_a_bookmark_is_no_reason_to_run_the_root():
    app, _, process = app_of()
    app.settle()
    process.tell_frames(process.bookmark())
    assert not app.tick.changed


def test_a_signal_is_noted_for_the_loop():
    app, _, _ = app_of()
    app.hear(EndRequested(15))
    assert app.tick.end_signal == 15


def test_what_a_flow_put_into_a_container_that_state_cannot_hold_is_its_error():
    app, _, _ = app_of(lambda root: root.child.seen.append({1}), child=Flow(seen=[]))
    with pytest.raises(InvalidValueError, match=r"root\.child \(Flow\): seen\[0\] is \{1\}"):
        app.run()


def test_what_a_flow_put_into_a_mirrors_container_that_state_cannot_hold_is_its_error():
    def body(root):
        root.w.items.append({1})
        root.w.counter = 1

    app, _, _ = app_of(body)
    with pytest.raises(InvalidValueError, match=r"root\.w \(Work\): items\[0\] is \{1\}"):
        app.run()


# What the tick tells of.


def test_changes_carry_the_place_of_their_component():
    root = Root(w=Work(), child=Flow(n=0, w=Work()), items=[Work(), Flow(n=0)], table={"k": Work()})
    app = App(root)
    app.settle()

    def paths():
        return sorted(change.path for change in app.changes)

    for name, path in {
        "root.w": ("works", "w"),
        "root.child.w": ("flows", "child", "works", "w"),
        "root.items.0": ("structures", "items", "works", "0"),
        "root.table.k": ("structures", "table", "works", "k"),
    }.items():
        app.processes[name].write(counter=5)
        assert paths() == [(*path, "vars", "counter")]
        assert app.changes == [Set((*path, "vars", "counter"), 5)]
        assert app.changes[0].old == 0
    root.child.n = 1
    root.items[1].n = 2
    root.w.counter = 3
    app.run()
    assert paths() == [
        ("flows", "child", "vars", "n"),
        ("structures", "items", "flows", "1", "vars", "n"),
        ("works", "w", "vars", "counter"),
    ]


def test_a_change_inside_a_container_is_told_as_such():
    app, _, process = app_of()
    process.write(items=list(range(100)))
    process.edit(lambda variables: variables["items"].append(100))
    assert app.changes == [Splice(("works", "w", "vars", "items"), 100, 0, [100])]


def test_deepdiff_applies_every_delta_of_the_app_one_after_the_other():
    def body(root):
        root.seen.append(root._begun)
        if root._begun == 3:
            root.late = Work(parallel=True)
            root.items.append(Flow(n=[1]))
        if root._begun > 3:
            root.late.run()
            root.items[1].n.insert(0, root._begun)
        root.w.run(root._begun % 3)
        root.w.table = {"from": ["the", "flow"]}

    root = Root(body, seen=[], late=None, w=Work(parallel=True, raise_exception=False), items=[Work()])
    app = App(root)
    document = root.state
    app.told.clear()

    def look():
        nonlocal document
        while app.told:
            document = document + deepdiff.Delta(to_public(app.told.pop(0)), raise_errors=True)
        assert same(essence(document), essence(root.state))

    for step in range(6):
        app.run()
        look()
        process = app.processes["root.w"]
        if process.is_alive and process.orders:
            process.begin()
            process.edit(lambda variables: variables["items"].extend([1, {"a": 2}]))
            process.edit(lambda variables: variables["items"].pop(0))
            look()
            process.fail() if step == 2 else process.succeed(counter=step)
            look()
    process.exit()
    root.items.pop(0)
    app.step()
    look()


def test_commands_and_changes_are_given_out_once():
    tick = Tick(Root(lambda root: root.w.run(), w=Work()), lambda work: b"")
    tick.start_with_flow()
    assert [type(command) for command in tick.take_commands()] == [StartWork]
    assert tick.take_commands() == []
    tick.cut()
    tick.take_changes()
    assert tick.take_changes() == []


# Components that come and go.


def grow(root):
    if not getattr(root, "late", None):
        root.late = Work(parallel=True)
        root.late.counter = 5
    root.late.run()


def test_a_work_attached_during_run_is_started_by_its_call():
    app = App(Root(grow, late=None))
    app.run()
    assert [command.work for command in app.sent(StartWork)] == ["root.late"]
    assert app.packages[-1]["vars"]["counter"] == 5
    app.processes["root.late"].start()
    app.processes["root.late"].execute(counter=6)
    app.settle()
    assert app.root.late.counter == 6
    assert app.root.late.has_succeeded


def test_a_tree_attached_during_run_is_taken_in_as_a_whole():
    def body(root):
        if not getattr(root, "child", None):
            root.child = Flow(n=1, items=[Work(parallel=True)], w=Work(parallel=True))
            root.child.items.append(Work(parallel=True))
        for work in root.child.works():
            work.run()

    app = App(Root(body))
    app.run()
    names = ["root.child.w", "root.child.items.0", "root.child.items.1"]
    assert [command.work for command in app.sent(StartWork)] == names
    for name in names:
        app.processes[name].start()
        app.processes[name].execute(counter=1)
    assert [work.counter for work in app.root.child.works()] == [1, 1, 1]


@pytest.mark.parametrize(
    ("attributes", "attach"),
    [
        ({}, lambda root: setattr(root, "w", Work())),
        ({"w": None}, lambda root: setattr(root, "w", Work())),
        ({}, lambda root: setattr(root, "child", Flow(n=1))),
        ({}, lambda root: setattr(root, "child", Flow(n=1, w=Work()))),
        ({}, lambda root: setattr(root, "many", [Work(), Flow(n=1)])),
        ({"items": List()}, lambda root: root.items.append(Work())),
        ({"table": Dict()}, lambda root: root.table.update(k=Flow(n=1))),
        ({"grid": List()}, lambda root: root.grid.append(List(Work()))),
        ({}, lambda root: (setattr(root, "child", Flow(n=1)), setattr(root.child, "n", 2))),
    ],
    ids=[
        "work",
        "work for None",
        "flow",
        "flow with a work",
        "list",
        "item of a list",
        "item of a dict",
        "list in a list",
        "flow that is written at once",
    ],
)
def test_a_component_that_is_attached_is_told_of_with_all_its_state(attributes, attach):
    def body(root):
        if root._begun == 1:
            attach(root)

    app = App(Root(body, **attributes))
    app.run()
    app.run()


@pytest.mark.parametrize(
    ("attributes", "remove"),
    [
        ({"items": [Work(), Work()]}, lambda root: root.items.pop(0)),
        ({"table": {"a": Work(), "b": Flow(w=Work())}}, lambda root: root.table.pop("b")),
    ],
    ids=["item of a list", "item of a dict"],
)
def test_a_component_that_is_removed_is_told_of(attributes, remove):
    def body(root):
        if root._begun == 1:
            remove(root)

    app = App(Root(body, **attributes))
    app.run()
    app.run()


def test_a_removed_work_is_stopped_and_forgotten():
    app = App(Root(items=[Work(parallel=True), Work(parallel=True)]))
    gone = app.root.items[0]
    app.root._body = lambda root: [work.run() for work in root.items]
    app.run()
    process = app.processes["root.items.0"]
    app.root._body = lambda root: root.items.remove(gone) if gone in root.items else None
    app.run()
    assert [command.work for command in app.sent(StopWork)] == ["root.items.0"]
    app.hear(WorkExited("root.items.0", process.incarnation, "exited with code 0"))
    assert app.tick.failure is None
    assert gone.name == ""
    assert [work.name for work in app.root.works()] == ["root.items.1"]


def test_what_a_removed_flow_writes_is_told_to_nobody():
    app = App(Root(table={"f": Flow(n=0, seen=[])}))
    gone = app.root.table.pop("f")
    app.root._body = lambda root: gone.seen.append(1)
    app.run()
    gone.n = 1
    app.run()
    assert app.changes == []


def test_a_removed_works_process_is_one_of_the_apps_until_it_has_ended():
    app = App(Root(items=[Work()]))
    process = app.processes["root.items.0"]
    app.root.items.clear()
    app.step()
    assert app.tick.has_processes
    app.hear(WorkExited("root.items.0", process.incarnation, "exited with code 0"))
    assert not app.tick.has_processes


def test_a_removed_work_may_come_back_as_another_incarnation():
    app = App(Root(table={"k": Work(parallel=True)}))
    old = app.processes["root.table.k"]
    app.root._body = lambda root: root.table["k"].run()
    app.run()
    work = app.root.table.pop("k")
    app.step()
    app.root.table["k"] = work
    app.run()
    new = app.processes["root.table.k"]
    assert new.incarnation > old.incarnation
    app.hear(WorkExited("root.table.k", old.incarnation, "exited with code 0"))
    assert app.tick.failure is None
    new.start()
    if new.orders:
        new.execute(counter=4)
    assert app.root.table["k"] is work


def test_a_flow_suspended_by_a_child_is_resumed_when_the_child_is_done():
    def body(root):
        root.child.w.run()
        root.done = True

    app = App(Root(body, child=Flow(w=Work()), done=False))
    app.settle()
    assert not app.root.done
    app.processes["root.child.w"].execute()
    app.settle()
    assert app.root.done


def test_a_call_outside_of_a_run_suspends_the_caller_too():
    _, work, _ = app_of()
    with pytest.raises(FlowSuspended, match=r"root\.w"):
        work.run()

"""What the Flow writes on its mirror of a Work."""

from __future__ import annotations

import pytest
from tick_harness import App, Root, Work, app_of, calls, essence

from lightning_grpc.components.structures import List
from lightning_grpc.state.delta import apply
from lightning_grpc.state.values import same


def test_what_the_flow_writes_on_a_running_work_changes_only_the_mirror():
    def body(root):
        root.w.run()
        if root.w.counter < 3:
            root.w.counter += 1

    app, work, process = app_of(body, options={"parallel": True})
    app.settle()
    assert work.counter == 3
    assert process.document["vars"]["counter"] == 0
    assert app.document["works"]["w"]["vars"]["counter"] == 3
    process.begin()
    process.tell_frames(process.bookmark())
    assert app.resyncs == []
    assert work.counter == 3


def test_what_the_flow_wrote_travels_once_with_the_next_call():
    app, work, _ = app_of(calls((1,)), options={"parallel": True})
    work.counter = 5
    work.items = [1]
    work.table["k"] = 1
    app.run()
    app.root._body = calls((1,), (2,))
    app.run()
    first, second = app.runs_ordered
    assert first.attributes == {"counter": 5, "items": [1], "table": {"k": 1}}
    assert second.attributes == {}


def test_what_the_flow_writes_after_a_call_travels_with_the_one_after():
    def body(root):
        root.w.run(1)
        root.w.counter = 7
        root.w.run(2)

    app, _, _ = app_of(body, options={"parallel": True})
    app.run()
    assert [order.attributes for order in app.runs_ordered] == [{}, {"counter": 7}]


def test_what_travels_is_not_changed_by_later_writes():
    def body(root):
        root.w.items.append(1)
        root.w.run(1)
        root.w.items.append(2)

    app, _, _ = app_of(body, options={"parallel": True})
    app.follow = False
    app.run()
    assert app.runs_ordered[0].attributes == {"items": [1]}


def test_what_the_flow_wrote_before_the_process_started_is_in_the_package():
    app, work, _ = app_of(calls(()), options={"start_with_flow": False})
    work.counter = 5
    app.run()
    assert app.packages[-1]["vars"]["counter"] == 5
    assert app.runs_ordered[0].attributes == {}


def test_what_the_flow_wrote_stays_when_the_first_snapshot_arrives():
    def body(root):
        if root._begun == 1:
            root.w.counter = 5
        else:
            root.w.run()

    app = App(Root(body, w=Work(parallel=True)), start=False)
    app.tick.start_with_flow()
    app.step()
    app.run()
    app.processes["root.w"].start()
    assert app.root.w.counter == 5
    app.run()
    assert app.runs_ordered[0].attributes == {"counter": 5}


def test_the_works_later_write_wins():
    app, work, process = app_of(calls((1,)), options={"parallel": True})
    work.counter = 5
    work.items = [5]
    work.table = {"flow": 1}
    app.run()
    app.processes["root.w"].orders[0].attributes.clear()  # as if it had been written after the call
    app.tick._works._by_name["root.w"].mirror.take_written()
    work.counter = 6
    work.items.append(6)
    work.table["more"] = 1
    app.run()
    process.write(counter=1, items=[1], table={"work": 1})
    assert (work.counter, work.items, work.table) == (1, [1], {"work": 1})
    app.root._body = calls((1,), (2,))
    app.run()
    assert app.runs_ordered[-1].attributes == {}


def test_an_attribute_the_work_does_not_touch_keeps_what_the_flow_wrote():
    app, work, process = app_of()
    work.counter = 5
    app.run()
    process.write(items=[1])
    assert (work.counter, work.items) == (5, [1])


def test_a_container_the_flow_changed_in_place_is_told_of_when_the_run_is_over():
    def body(root):
        if not root.w.items:
            root.w.items.append("from the flow")

    app, _, process = app_of(body)
    app.settle()
    assert app.document["works"]["w"]["vars"]["items"] == ["from the flow"]
    process.write(counter=1)
    assert process.document["vars"]["items"] == []


def test_a_container_the_flow_changed_in_place_is_the_works_again_when_the_work_writes_it():
    def body(root):
        if root.w.items == [1]:
            root.w.items.append("from the flow")

    app, work, process = app_of(body)
    process.write(items=[1])
    app.settle()
    assert work.items == [1, "from the flow"]
    process.edit(lambda variables: variables["items"].append(2))
    app.settle()
    assert work.items == [1, 2]
    assert app.document["works"]["w"]["vars"]["items"] == [1, 2]


@pytest.mark.parametrize("others", [0, 7])
def test_the_works_later_write_wins_over_what_the_flow_changed_in_place_if_every_work_has_its_turn(others):
    def body(root):
        if root.w.items == [1]:
            root.w.items.append("from the flow")

    root = Root(body, w=Work(), others=List(*[Work() for _ in range(others)]))
    app = App(root, follow=False)
    process = app.processes["root.w"]
    process.write(items=[1])
    app.run()
    process.edit(lambda variables: variables["items"].append(2))
    for _ in range(10):
        app.run()
    assert root.w.items == [1, 2]
    app.root._body = calls(())
    app.run()
    assert app.runs_ordered[0].attributes == {}


def test_what_the_flow_changed_in_place_is_told_of_in_the_end_however_many_works_there_are():
    def body(root):
        if not root.works.works[0].items:
            for work in root.works.works:
                work.items.append("from the flow")

    app = App(Root(body, works=List(*[Work() for _ in range(30)])), follow=False)
    app.document = app.root.state
    for _ in range(10):
        app.run()
        apply(app.document, app.changes)
    assert same(essence(app.document), essence(app.root.state))


def test_the_flows_reference_to_a_mirrors_container_stays_good():
    _, work, process = app_of()
    process.write(items=[1], table={"a": {"b": [1]}})
    items, inner = work.items, work.table["a"]
    process.edit(lambda variables: variables["items"].append(2))
    process.edit(lambda variables: variables["table"]["a"]["b"].append(2))
    assert work.items is items
    assert work.table["a"] is inner
    assert (items, inner) == ([1, 2], {"b": [1, 2]})


def test_a_flows_container_given_an_equal_one_of_other_types_is_told_of():
    def body(root):
        root.flags = [True, 0.0]

    app, _, _ = app_of(body, flags=[1, 0])
    app.settle()
    assert same(app.document["vars"]["flags"], [True, 0.0])

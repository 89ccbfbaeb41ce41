"""The tick under events in any order that Works and Flows can bring about."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tick_harness import App, Flow, Root, Work

from lightning_grpc.components.calls import LATEST
from lightning_grpc.components.status import FINAL_STAGES
from lightning_grpc.state.values import copy, same

OPTIONS = {
    "cached": {},
    "uncached": {"cache_calls": False},
    "parallel": {"parallel": True},
    "again": {"parallel": True, "cache_calls": False},
}
small = st.integers(0, 3)
steps = st.one_of(
    st.tuples(st.just("call"), small, st.integers(0, 1)),
    st.tuples(st.just("write on a mirror"), small, small),
    st.tuples(st.just("change a mirror in place"), small, small),
    st.tuples(st.just("write"), st.just(0), small),
    st.tuples(st.just("grow"), st.just(0), st.just(0)),
    st.tuples(st.just("shrink"), st.just(0), st.just(0)),
)


class AnApp(RuleBasedStateMachine):
    """Works that come and go, are called, write, finish, fail, fall silent and die.

    After every step, what the tick has told of must amount to the state of the tree (`App` checks that), every
    mirror must be the Work's own document, and no mirror may have lost track.
    """

    @initialize()
    def begin(self):
        works = {name: Work(raise_exception=False, **options) for name, options in OPTIONS.items()}
        root = Root(
            n=0,
            seen=[],
            cached=works["cached"],
            uncached=works["uncached"],
            child=Flow(parallel=works["parallel"]),
            items=[works["again"]],
        )
        self.app = App(root, start=False)
        self.app.tick.start_with_flow()
        self.app.step()
        self.serving = set()

    def work(self, index):
        works = self.app.root.works()
        return works[index % len(works)]

    def a_process(self, data, *, serving=True):
        """One of the living processes that serve, or do not yet; None if there is none."""
        processes = [each for each in self.app.all_processes if each.is_alive and (each in self.serving) == serving]
        return data.draw(st.sampled_from(processes)) if processes else None

    def record_of(self, process):
        """What the coordinator knows of a process, if it is the newest of a Work of the app."""
        record = self.app.tick._works._by_name.get(process.name)
        return record if record is not None and record.incarnation == process.incarnation else None

    @rule(program=st.lists(steps, max_size=4))
    def run_the_root(self, program):
        def body(root):
            for step, index, value in program:
                self.take(root, step, self.work(index), value)

        self.app.root._body = body
        self.app.run()

    def take(self, root, step, work, value):
        match step:
            case "call":
                work.run(value)
            case "write on a mirror":
                work.counter = value
                work.table = {"flow": value}
            case "change a mirror in place":
                work.items.append(value)
            case "grow" if len(root.items) < 3:
                root.items.append(Work(raise_exception=False, parallel=True))
            case "shrink" if root.items:
                root.items.pop(0)
            case _:
                root.n = value
                root.seen.append(value)

    @rule()
    def run_the_same_root_again(self):
        self.app.run()

    @rule(data=st.data())
    def a_process_comes_up(self, data):
        if process := self.a_process(data, serving=False):
            self.serving.add(process)
            process.start()

    @rule(data=st.data())
    def a_process_does_not_come_up(self, data):
        if process := self.a_process(data, serving=False):
            process.start_failed()

    @rule(data=st.data(), value=small)
    def a_work_writes(self, data, value):
        if process := self.a_process(data):
            process.write(counter=value)

    @rule(data=st.data(), value=small)
    def a_work_changes_a_container_in_place(self, data, value):
        if process := self.a_process(data):
            process.edit(lambda variables: variables["items"].append(value))
            process.edit(lambda variables: variables["table"].update({value: [value], "k": {"x": value}}))

    @rule(data=st.data())
    def a_run_begins(self, data):
        process = self.a_process(data)
        if process and process.orders and not process.current:
            process.begin()

    @rule(data=st.data())
    def a_run_succeeds(self, data):
        process = self.a_process(data)
        if process and process.current:
            process.succeed()

    @rule(data=st.data())
    def a_run_fails(self, data):
        process = self.a_process(data)
        if process and process.current:
            process.fail(raised=False)

    @rule(data=st.data())
    def a_call_is_refused(self, data):
        process = self.a_process(data)
        if process and process.orders:
            process.refuse()

    @rule(data=st.data())
    def a_process_dies(self, data):
        if process := self.a_process(data):
            process.exit()

    @rule(data=st.data(), silent=st.booleans())
    def a_work_falls_silent_or_is_heard_again(self, data, silent):
        if process := self.a_process(data):
            process.unreachable() if silent else process.reachable()

    @rule(data=st.data())
    def a_work_proves_its_state(self, data):
        if process := self.a_process(data):
            process.tell_frames(process.bookmark())

    @rule(data=st.data())
    def a_snapshot_arrives(self, data):
        if process := self.a_process(data):
            process.tell_frames(process.snapshot())

    @invariant()
    @precondition(lambda self: hasattr(self, "app"))
    def every_mirror_is_its_works_document(self):
        assert self.app.resyncs == []
        for process in self.app.all_processes:
            record = self.record_of(process)
            if record is not None and process in self.serving:
                assert same(record.mirror.replica, process.document)

    @invariant()
    @precondition(lambda self: hasattr(self, "app"))
    def every_call_is_ordered_once(self):
        orders = [order.call_id for order in self.app.runs_ordered]
        assert len(orders) == len(set(orders))

    @invariant()
    @precondition(lambda self: hasattr(self, "app"))
    def the_latest_call_is_one_that_is_there(self):
        for work in self.app.root.works():
            calls = work.state["calls"]
            assert calls[LATEST] is None or calls[LATEST] in calls
            assert work.status.stage == (work.statuses[-1].stage if work.statuses else "not_started")

    def teardown(self):
        if not hasattr(self, "app"):
            return
        app, works = self.app, self.app.root.works()
        living = [process for process in app.all_processes if process.is_alive]
        for process in living:
            if process not in self.serving:
                process.start()
            process.reachable()
            if process.current:
                process.succeed()
            while process.orders:
                process.execute()
        for work in works:
            assert app.tick._works._by_name[work.name].outstanding == {}
            entries = [entry for key, entry in work.state["calls"].items() if key.startswith("run:")]
            assert all(entry["statuses"][-1]["stage"] in FINAL_STAGES for entry in entries)
        before = [copy(work.state["calls"]) for work in works]
        app.tick.begin_end("the app is ending")
        app.step()
        for process in living:
            assert process.stop is not None
            process.exit("exited with code 0")
        assert not app.tick.has_processes
        assert app.tick.failure is None
        assert all(same(work.state["calls"], calls) for work, calls in zip(works, before, strict=True))


TestAnAppStaysInStepWithItsWorks = AnApp.TestCase
TestAnAppStaysInStepWithItsWorks.settings = settings(stateful_step_count=40)

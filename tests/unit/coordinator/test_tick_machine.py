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
NAMES = ["root.cached", "root.uncached", "root.child.parallel", "root.items.0"]

steps = st.one_of(
    st.tuples(st.just("call"), st.sampled_from(NAMES), st.integers(0, 1)),
    st.tuples(st.just("write on a mirror"), st.sampled_from(NAMES), st.integers(0, 3)),
    st.tuples(st.just("write"), st.just("root"), st.integers(0, 2)),
)
small = st.integers(0, 3)


class AnApp(RuleBasedStateMachine):
    """Four Works that are called, write, finish, fail, fall silent and die.

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
        self.works = {work.name: work for work in root.works()}
        self.app.tick.start_with_flow()
        self.app.step()
        self.serving = set()

    def process(self, name):
        """The live process of a Work that serves, or None."""
        process = self.app.processes[name]
        return process if process.is_alive and process in self.serving else None

    @rule(program=st.lists(steps, max_size=4))
    def run_the_root(self, program):
        def body(root):
            for step, name, value in program:
                if step == "call":
                    self.works[name].run(value)
                elif step == "write on a mirror":
                    self.works[name].counter = value
                    self.works[name].table = {"flow": value}
                else:
                    root.n = value
                    root.seen.append(value)

        self.app.root._body = body
        self.app.run()

    @rule()
    def run_the_same_root_again(self):
        self.app.run()

    @rule(name=st.sampled_from(NAMES))
    def a_process_comes_up(self, name):
        process = self.app.processes[name]
        if process.is_alive and process not in self.serving:
            self.serving.add(process)
            process.start()

    @rule(name=st.sampled_from(NAMES))
    def a_process_does_not_come_up(self, name):
        process = self.app.processes[name]
        if process.is_alive and process not in self.serving:
            process.start_failed()

    @rule(name=st.sampled_from(NAMES), value=small)
    def a_work_writes(self, name, value):
        if process := self.process(name):
            process.write(counter=value)

    @rule(name=st.sampled_from(NAMES), value=small)
    def a_work_changes_a_container_in_place(self, name, value):
        if process := self.process(name):
            process.edit(lambda variables: variables["items"].append(value))
            process.edit(lambda variables: variables["table"].update({value: [value], "k": {"x": value}}))

    @rule(name=st.sampled_from(NAMES))
    def a_run_begins(self, name):
        process = self.process(name)
        if process and process.orders and not process.current:
            process.begin()

    @rule(name=st.sampled_from(NAMES))
    def a_run_succeeds(self, name):
        process = self.process(name)
        if process and process.current:
            process.succeed()

    @rule(name=st.sampled_from(NAMES))
    def a_run_fails(self, name):
        process = self.process(name)
        if process and process.current:
            process.fail()

    @rule(name=st.sampled_from(NAMES))
    def a_call_is_refused(self, name):
        process = self.process(name)
        if process and process.orders:
            process.refuse()

    @rule(name=st.sampled_from(NAMES))
    def a_process_dies(self, name):
        if process := self.process(name):
            process.exit()

    @rule(name=st.sampled_from(NAMES), silent=st.booleans())
    def a_work_falls_silent_or_is_heard_again(self, name, silent):
        if process := self.process(name):
            process.unreachable() if silent else process.reachable()

    @rule(name=st.sampled_from(NAMES))
    def a_work_proves_its_state(self, name):
        if process := self.process(name):
            process.tell_frames(process.bookmark())

    @rule(name=st.sampled_from(NAMES))
    def a_snapshot_arrives(self, name):
        if process := self.process(name):
            process.tell_frames(process.snapshot())

    @invariant()
    @precondition(lambda self: hasattr(self, "app"))
    def every_mirror_is_its_works_document(self):
        assert self.app.resyncs == []
        for name in NAMES:
            if process := self.process(name):
                assert same(self.app.tick._works._by_name[name].mirror.replica, process.document)

    @invariant()
    @precondition(lambda self: hasattr(self, "app"))
    def every_call_goes_to_the_newest_process_once(self):
        orders = [(order.work, order.call_id) for order in self.app.runs_ordered]
        assert len(orders) == len(set(orders))

    @invariant()
    @precondition(lambda self: hasattr(self, "app"))
    def the_latest_call_is_one_that_is_there(self):
        for work in self.works.values():
            calls = work.state["calls"]
            assert calls[LATEST] is None or calls[LATEST] in calls
            assert work.status.stage == (work.statuses[-1].stage if work.statuses else "not_started")

    def teardown(self):
        if not hasattr(self, "app"):
            return
        app = self.app
        for name in NAMES:
            self.a_process_comes_up(name)
            if process := self.process(name):
                process.reachable()
                if process.current:
                    process.succeed()
        for process in app.processes.values():
            while process.is_alive and process.orders:
                process.execute()
        for name, work in self.works.items():
            assert app.tick._works._by_name[name].outstanding == {}
            entries = [entry for key, entry in work.state["calls"].items() if key.startswith("run:")]
            assert all(entry["statuses"][-1]["stage"] in FINAL_STAGES for entry in entries)
        before = {name: copy(work.state["calls"]) for name, work in self.works.items()}
        app.tick.begin_end("the app is ending")
        app.step()
        for process in app.processes.values():
            if process.is_alive:
                assert process.stop is not None
                process.exit("exited with code 0")
        assert not app.tick.has_processes
        assert app.tick.failure is None
        assert all(same(work.state["calls"], before[name]) for name, work in self.works.items())


TestAnAppStaysInStepWithItsWorks = AnApp.TestCase
TestAnAppStaysInStepWithItsWorks.settings = settings(stateful_step_count=40)

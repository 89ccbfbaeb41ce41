"""What a dashboard is told, by a real app and a real Work, over connections that break."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time

import pytest
from served_apps import DEADLINE_S, Board, Served, in_time
from served_works import SMALL, serving

from lightning_grpc.dashboard.controls import step
from lightning_grpc.dashboard.events import (
    ConnectionLost,
    ConnectionMade,
    Ended,
    MetricsSeen,
    StateChanged,
    StateReplaced,
)
from lightning_grpc.dashboard.looking import look
from lightning_grpc.dashboard.model import Model
from lightning_grpc.dashboard.recording import Recorder, replay
from lightning_grpc.dashboard.source import AppSource
from lightning_grpc.dashboard.work_source import WorkSource
from lightning_grpc.errors import UnknownCommandError, UnknownWorkError
from lightning_grpc.service.async_client import AsyncAppClient
from lightning_grpc.standalone.async_work_client import AsyncWorkClient
from lightning_grpc.state.subscription import Delta
from lightning_grpc.state.values import same
from lightning_grpc.testing import FaultProxy


class Watching:
    """A source that is followed on the running loop: its events, and the model that they make."""

    def __init__(self, source):
        self.source = source
        self.events = []
        self.model = Model()
        self._moved = asyncio.Event()

    def emit(self, event):
        self.events.append(event)
        self.model, _ = step(self.model, event)
        self._moved.set()

    async def __aenter__(self):
        self._task = asyncio.create_task(self.source.run(self.emit))
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.source.close()

    async def until(self, condition, what):
        deadline_s = time.monotonic() + DEADLINE_S
        while not (value := condition(self.model.data)):
            assert time.monotonic() < deadline_s, f"not reached: {what}; {self.events[-5:]}"
            self._moved.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), 1)
        return value


def source_of(served, address=None):
    token = served.entry.read_token()
    return AppSource(AsyncAppClient(address or served.entry.address, token=token, timeout_s=10))


def test_the_model_of_an_app_becomes_what_its_state_is_and_a_replay_the_same(tmp_path):
    recorder = Recorder(str(tmp_path / "r.jsonl"))

    async def watch(served):
        async with Watching(source_of(served)) as watching, served.async_client() as app:
            await watching.until(lambda data: data.document, "there is a state")
            await asyncio.to_thread(served.do, lambda: served.root.step.run(300))
            await app.update("root.n", 5)
            await app.update("root.leaf.table", {"x": (1, 2)})
            await watching.until(lambda data: data.document["works"]["step"]["vars"]["n"] == 300, "it has counted")
            await watching.until(lambda data: data.document["vars"]["seen"] == 5, "the root has seen it")
            await watching.until(lambda data: data.figures and data.commands and data.runs, "all is told")
            for event in watching.events:
                recorder.write(event)
            recorder.close()
            return watching, watching.model.data  # before more comes, which is not recorded

    with Served(Board(with_work=True)) as served:
        watching, data = in_time(watch(served))
        assert same(data.document, served.states[data.revision])
    assert data.document["flows"]["leaf"]["vars"]["table"] == {"x": (1, 2)}
    assert {each.name for each in data.components} >= {"root", "root.leaf", "root.shelf.one", "root.step"}
    assert [each.name for each in data.commands] == ["add", "fail", "name", "roar"]
    changes = [event for event in watching.events if isinstance(event, StateChanged)]
    assert all(later.first == before.revision + 1 for before, later in itertools.pairwise(changes))
    model = Model()
    for event in replay(str(tmp_path / "r.jsonl")):
        model, _ = step(model, event)
    assert same(model.data.document, data.document)
    assert [each.number for each in model.data.deltas] == [each.number for each in data.deltas]


def test_a_connection_that_breaks_is_told_and_the_state_goes_on(tmp_path):
    async def watch(served, proxy):
        async with Watching(source_of(served, proxy.address)) as watching, served.async_client() as app:
            await watching.until(lambda data: data.document, "there is a state")
            for value in range(3):
                proxy.refuse()
                proxy.cut()
                await watching.until(lambda data: data.connection.state == "lost", "the loss is told")
                await app.update("root.n", 100 + value)
                proxy.refuse(on=False)
                await watching.until(lambda data: data.connection.state == "live", "it is back")
                await watching.until(
                    lambda data, value=value: data.document["vars"]["n"] == 100 + value, "the state goes on"
                )
            return watching

    with Served() as served, FaultProxy(served.entry.address) as proxy:
        watching = in_time(watch(served, proxy))
    kinds = [type(event) for event in watching.events]
    assert kinds.count(StateReplaced) == 1, "it is resumed by revision"
    assert {ConnectionLost, ConnectionMade} <= set(kinds)


def test_the_end_of_an_app_is_told_once_and_ends_the_source():
    async def watch(served):
        async with Watching(source_of(served)) as watching:
            await watching.until(lambda data: data.document, "there is a state")
            async with served.async_client() as app:
                await app.stop("over")
            await watching._task
            return watching

    with Served() as served:
        watching = in_time(watch(served))
    assert [type(event) for event in watching.events].count(Ended) == 1
    assert watching.model.data.document["app_state"]["stage"] == "stopping"


def test_what_is_wanted_of_an_app_is_done_or_refused_in_words():
    async def act(served):
        source = source_of(served)
        try:
            assert await source.run_command("add number=4 times=2") == "add is done: 8"
            with pytest.raises(UnknownCommandError):
                await source.run_command("nothing")
            with pytest.raises(UnknownWorkError):
                await source.stop_work("root.nobody")
        finally:
            await source.close()

    with Served() as served:
        in_time(act(served))
        assert served.root.n == 8


def test_what_comes_in_a_pause_is_sent_in_one_frame():
    async def watch(served):
        async with served.channel() as channel, served.async_client() as app:
            messages = []
            async with contextlib.aclosing(channel.watch(0, 0, pause_s=1.0)) as stream:
                messages.append(await anext(stream))
                for value in range(40):
                    await app.update("root.n", value + 1)
                while messages[-1][-1].revision < await app.revision():
                    messages.append(await anext(stream))
            return messages

    with Served() as served:
        [first, *rest] = in_time(watch(served))
    deltas = [frame for message in rest for frame in message if isinstance(frame, Delta)]
    assert len(rest) < 20
    assert (deltas[0].first or deltas[0].revision) == first[0].revision + 1
    assert deltas[-1].revision >= first[0].revision + 40


def test_one_look_tells_rates_too():
    async def once(served):
        source = source_of(served)
        try:
            return await look(source, 100, 30)
        finally:
            await source.close()

    with Served(Board(with_work=True)) as served:
        data = in_time(once(served)).data
    assert data.total.rate is not None
    assert data.total.cpu_share is not None
    assert data.connection.state == "live"


def test_a_work_that_is_served_by_itself_is_followed_and_stopped():
    async def watch(address):
        client = AsyncWorkClient(address, timeout_s=DEADLINE_S)
        patient = AsyncWorkClient(address, timeout_s=600)  # the end shows at once all the same
        async with Watching(WorkSource(patient)) as watching:
            await watching.until(lambda data: data.document, "there is a state")
            async with client:
                await client.run(50, pause_s=0.01)
                await watching.until(lambda data: data.document["vars"]["counter"] == 50, "it has counted")
            await watching.until(lambda data: data.total.rate is not None, "there is a rate")
            assert [each.kind for each in watching.model.data.components] == ["work"]
            assert watching.model.data.deltas[-1].component == watching.model.data.work
            await watching.source.stop_work("it")
            await watching.until(lambda data: data.connection.state == "lost", "it has ended")

    with serving(f"{SMALL}:Counter") as served:
        in_time(watch(served.address))
        served.wait()


def test_of_a_work_by_itself_it_is_told_when_it_was_heard_and_what_its_process_uses():
    async def watch(served):
        async with Watching(WorkSource(AsyncWorkClient(served.address, timeout_s=5))) as watching:

            def used(data):
                figures = data.figures.get(data.work)
                return figures if figures is not None and figures.cpu_share is not None else None

            figures = await watching.until(used, "it is told what is used")
            assert figures.pid == watching.model.data.total.pid == served.pid
            assert figures.memory_bytes > 0
            assert figures.rate == 0

            def silences_s():
                return [each.metrics.works["Counter"].silent_s for each in watching.events if type(each) is MetricsSeen]

            await watching.until(
                lambda _: any(later_s > before_s for before_s, later_s in itertools.pairwise(silences_s())),
                "time passes",
            )
            await watching.until(
                lambda _: any(later_s < before_s for before_s, later_s in itertools.pairwise(silences_s())),
                "a bookmark has come",
            )

    with serving(f"{SMALL}:Counter") as served:
        in_time(watch(served))


def test_one_look_at_a_work_by_itself_tells_the_same():
    async def once(served):
        source = WorkSource(AsyncWorkClient(served.address, timeout_s=5))
        try:
            return await look(source, 100, 30)
        finally:
            await source.close()

    with serving(f"{SMALL}:Counter") as served:
        data = in_time(once(served)).data
        assert data.figures[data.work].pid == served.pid
    assert data.figures[data.work].cpu_share is not None
    assert data.figures[data.work].silent_s is not None
    assert data.total.rate == 0


def test_of_one_of_several_works_nothing_is_told_that_the_server_uses():
    async def once(served):
        source = WorkSource(AsyncWorkClient(served.address, work="Counter", timeout_s=5))
        try:
            return await look(source, 100, 30)
        finally:
            await source.close()

    with serving(None, "--work", f"{SMALL}:Counter", "--work", f"{SMALL}:Echo") as served:
        data = in_time(once(served)).data
    assert data.figures["Counter"].silent_s is not None
    assert data.figures["Counter"].pid is None
    assert data.total.memory_bytes is None

"""Works that die, hang or are cut off, as the Flow sees them (issue: the Work's process, the coordinator)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

import psutil
from patience import patient_clients

import lightning_grpc as L
from lightning_grpc.coordinator.backlog import CONFLATE_FROM, Backlog
from lightning_grpc.runtimes.local import LocalRuntime
from lightning_grpc.testing import ProxiedRuntime
from lightning_grpc.wire.client import WorkChannel

DEADLINE_S = 40


class Ticker(L.LightningWork):
    """Counts until it is told to end, or until a file is there, in which it then writes how far it has come."""

    def __init__(self):
        super().__init__(parallel=True, raise_exception=False)
        self.count = 0
        self.pid = 0

    def run(self, n, until=""):
        import time

        self.pid = os.getpid()
        for _ in range(n):
            if until and Path(until).exists():
                Path(until).write_text(str(self.count))
                return
            self.count += 1
            time.sleep(0.001)


def test_a_killed_work_is_seen_and_what_it_wrote_is_kept():
    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.work = Ticker()
            self.killed = False

        def run(self):
            self.work.run(1_000_000)
            if self.work.count > 100 and not self.killed:
                self.killed = True
                os.kill(self.work.pid, signal.SIGKILL)
            if self.work.has_failed:
                self.stop()

    flow = Flow()
    L.LightningApp(flow).run()
    assert flow.work.status.reason == "process_died"
    assert "SIGKILL" in flow.work.status.message
    assert flow.work.count > 100


def test_a_work_that_hangs_is_shown_as_unreachable_and_as_well_again():
    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.work = Ticker()
            self.stage = "up"
            self.seen = []

        def run(self):
            work = self.work
            work.run(1_000_000)
            if self.stage == "up" and work.count > 10:
                os.kill(work.pid, signal.SIGSTOP)
                self.stage = "stopped"
            elif self.stage == "stopped" and work.status.reason == "unreachable":
                assert work.is_running
                assert "no sign of life" in work.status.message
                os.kill(work.pid, signal.SIGCONT)
                self.stage = "continued"
            elif self.stage == "continued" and work.status.reason is None:
                self.stop()

    flow = Flow()
    L.LightningApp(flow).run()
    assert flow.stage == "continued"


def test_a_stream_that_is_cut_in_the_middle_is_resumed_without_loss(tmp_path):
    runtime = ProxiedRuntime(LocalRuntime())
    enough = tmp_path / "enough"

    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.work = Ticker()
            self.cuts = 0
            self.cut_at = 0
            self.connections = 0

        def run(self):
            self.work.run(1_000_000, str(enough))
            if self.work.count > self.cut_at + 300:
                self.cut_or_end(runtime.proxies["root.work"])
            if self.work.has_succeeded:
                self.stop()

        def cut_or_end(self, proxy):
            if proxy.connections == self.connections:
                return  # what comes now was on its way already when the last connection was cut
            self.connections = proxy.connections
            self.cut_at = self.work.count
            if self.cuts == 4:
                enough.touch()
            else:
                self.cuts += 1
                proxy.cut()

    flow = Flow()
    counts = []

    def listen(delta):
        change = delta.get("values_changed", {}).get("root['works']['work']['vars']['count']")
        if change:
            counts.append(change["new_value"])

    app = L.LightningApp(flow)
    app.add_delta_listener(listen)
    app.run(runtime)
    assert flow.work.count == int(enough.read_text())
    assert flow.cuts == 4
    assert flow.connections >= 5
    assert counts == sorted(set(counts))


class Flood(L.LightningWork):
    """Writes large values flat out."""

    def __init__(self):
        super().__init__(parallel=True)
        self.number = 0
        self.text = ""

    def run(self, n, done=""):
        for number in range(n):
            self.text = "x" * 10_000 + str(number)
            self.number = number
        if done:
            Path(done).touch()


def test_a_subscriber_that_reads_nothing_costs_no_memory_and_ends_converged():
    async def check():
        runtime = LocalRuntime()
        handle = await runtime.start("root.w", runtime.pack(Flood()))
        with patient_clients():
            slow, quick = (WorkChannel(handle.address, "root.w", runtime.token) for _ in range(2))
        try:
            process = psutil.Process(handle.pid)
            stream = slow.state_delta(handle.epoch, 0)
            await anext(stream)
            await quick.run("1", "run:1", (200_000,), {}, {})
            before = process.memory_info().rss
            numbers = []
            async with contextlib.aclosing(quick.state_delta(handle.epoch, 0)) as others:
                async for frames in others:
                    numbers += [
                        change.value
                        for frame in frames
                        for change in getattr(frame, "changes", ())
                        if change.path == ("vars", "number")
                    ]
                    if numbers and numbers[-1] == 199_999:
                        break
            assert process.memory_info().rss - before < 40 << 20
            assert numbers == sorted(numbers)
            text = ""
            async with asyncio.timeout(DEADLINE_S):
                async for frames in stream:
                    for frame in frames:
                        document = getattr(frame, "document", None)
                        if document is not None:
                            text = document["vars"]["text"]
                        for change in getattr(frame, "changes", ()):
                            if change.path == ("vars", "text"):
                                text = change.value
                    if text.endswith("x199999"):
                        break
            await stream.aclose()
        finally:
            await slow.close()
            await quick.close()
            await runtime.close()

    asyncio.run(check())


def test_a_flow_that_was_busy_sees_the_newest_state_at_once_from_a_bounded_backlog(monkeypatch, tmp_path):
    taken = []
    take = Backlog.take

    def watched_take(backlog):
        frames = take(backlog)
        taken.append(len(frames))
        return frames

    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.work = Flood()
            self.numbers = []

        def run(self):
            self.work.run(100_000, str(tmp_path / "done"))
            if self.work.number > 0:
                deadline = time.monotonic() + DEADLINE_S
                while not (tmp_path / "done").exists() and time.monotonic() < deadline:
                    time.sleep(0.01)
                self.numbers.append(self.work.number)
            if self.work.has_succeeded:
                self.stop()

    monkeypatch.setattr(Backlog, "take", watched_take)
    flow = Flow()
    L.LightningApp(flow).run()
    assert max(taken) <= 2 * CONFLATE_FROM
    assert flow.work.number == 99_999


def test_last_words_are_heard_however_busy_the_flow_is(tmp_path):
    class Farewell(L.LightningWork):
        def __init__(self):
            super().__init__(parallel=True)
            self.count = 0
            self.last = ""

        def run(self):
            while True:
                self.count += 1

        def on_exit(self):
            self.last = f"good bye at {self.count}"
            (tmp_path / "gone").touch()

    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.work = Farewell()
            self.stopped = False

        def run(self):
            self.work.run()
            if self.work.count > 1000 and not self.stopped:
                self.stopped = True
                self.work.stop()
                deadline = time.monotonic() + DEADLINE_S
                while not (tmp_path / "gone").exists() and time.monotonic() < deadline:
                    time.sleep(0.01)
            if self.work.last:
                self.stop()

    flow = Flow()
    L.LightningApp(flow).run()
    assert flow.work.last == f"good bye at {flow.work.count}"
    assert flow.work.has_stopped

"""Clients of a Work that is served by itself, while connections break and the Work is started anew."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import threading
import time

import pytest
from scripted_work import scripted
from served_works import SMALL, serving

import lightning_grpc as L
from lightning_grpc.errors import TransportError, WorkFailedError
from lightning_grpc.testing import FaultProxy

DEADLINE_S = 40


@pytest.fixture
def socket():
    path = tempfile.mkdtemp(prefix="lg-", dir="/tmp")
    yield f"unix:{path}/work.sock"
    shutil.rmtree(path, ignore_errors=True)


class Watcher:
    """Watches on a thread of its own."""

    def __init__(self, work, patience_s=None):
        self.seen = []
        self.error = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._watch, args=(work, patience_s), name="watcher", daemon=True)
        self._thread.start()

    def _watch(self, work, patience_s):
        try:
            for change in work.watch(patience_s):
                with self._changed:
                    self.seen.append(change)
                    self._changed.notify_all()
        except Exception as error:
            self.error = error
        finally:
            with self._changed:
                self._changed.notify_all()

    def until(self, condition):
        """Wait until a condition holds for the newest change; returns that."""
        with self._changed:
            held = self._changed.wait_for(
                lambda: self.error is not None or (self.seen and condition(self.seen[-1])), DEADLINE_S
            )
        assert held, "it did not come to that"
        assert self.error is None
        return self.seen[-1]

    def finish(self):
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()


@pytest.mark.parametrize("fault", ["cut", "garbage", "repeat"])
def test_a_watch_goes_on_by_revision_and_an_execution_is_waited_for_over_broken_connections(fault):
    with serving(f"{SMALL}:Counter") as served, FaultProxy(served.address, seed=5) as proxy:
        with L.WorkClient(proxy.address) as work:
            watcher = Watcher(work)
            watcher.until(lambda change: True)
            execution = work.run(400, pause_s=0.001)
            for count in (50, 150, 250):
                watcher.until(lambda change, count=count: change.state["vars"]["counter"] >= count)
                getattr(proxy, fault)()
            assert execution.wait(DEADLINE_S).stage == "succeeded"
            watcher.until(lambda change: change.state["vars"]["counter"] == 400)
            revisions = [change.revision for change in watcher.seen]
            assert revisions == sorted(set(revisions))
            if fault == "cut":
                assert revisions == list(range(revisions[0], revisions[0] + len(revisions)))
            counts = [change.state["vars"]["counter"] for change in watcher.seen]
            assert counts == sorted(counts)
        watcher.finish()


def test_a_watch_of_a_work_that_stays_away_raises_why_in_time():
    with serving(f"{SMALL}:Counter") as served, L.WorkClient(served.address) as work:
        watcher = Watcher(work, patience_s=1)
        watcher.until(lambda change: True)
        served.kill()
        watcher.finish()
        assert isinstance(watcher.error, TransportError)


def test_a_run_that_is_asked_for_while_the_connection_is_broken_is_made_once_when_it_is_back():
    with (
        serving(f"{SMALL}:Counter") as served,
        FaultProxy(served.address) as proxy,
        L.WorkClient(proxy.address, timeout_s=DEADLINE_S) as work,
    ):
        work.describe()
        proxy.refuse()
        proxy.cut()
        stages = []
        asker = threading.Thread(target=lambda: stages.append(work.run(3).wait(DEADLINE_S).stage), daemon=True)
        asker.start()
        asker.join(0.3)  # it cannot be through
        assert stages == []
        proxy.refuse(False)
        asker.join(DEADLINE_S)
        assert stages == ["succeeded"]
        assert work.state["vars"]["counter"] == 3


def test_a_run_whose_answers_are_lost_again_and_again_is_made_once():
    with (
        serving(f"{SMALL}:Counter") as served,
        FaultProxy(served.address) as proxy,
        L.WorkClient(proxy.address, timeout_s=DEADLINE_S) as work,
        L.WorkClient(served.address) as direct,
    ):
        work.describe()
        executions = []

        def ask():
            for _ in range(20):
                executions.append(work.run(1))

        asker = threading.Thread(target=ask, daemon=True)
        asker.start()
        end_s = time.monotonic() + DEADLINE_S
        pause_s = 0.03
        while asker.is_alive():
            before = len(executions)
            proxy.cut()
            asker.join(pause_s)
            pause_s = 0.03 if len(executions) > before else 2 * pause_s  # a busy machine does not connect so soon
            assert time.monotonic() < end_s
        assert [each.wait(DEADLINE_S).stage for each in executions] == ["succeeded"] * 20
        assert direct.state["vars"]["counter"] == 20


def test_a_work_that_is_killed_and_started_anew_is_followed_and_its_execution_is_lost(socket):
    with contextlib.closing(L.WorkClient(socket, timeout_s=DEADLINE_S)) as work:
        with serving(f"{SMALL}:Counter", "--bind", socket) as served:
            watcher = Watcher(work)
            execution = work.run(1_000_000, pause_s=0.01)
            before = watcher.until(lambda change: change.state["vars"]["counter"] >= 3)
            served.kill()
        with serving(f"{SMALL}:Counter", "--bind", socket) as again:
            after = watcher.until(lambda change: change.epoch == again.epoch)
            assert again.epoch > before.epoch
            assert after.state["vars"]["counter"] == 0
            first = next(change for change in watcher.seen if change.epoch == again.epoch)
            assert first.changes["values_changed"]["root['vars']['counter']"] == {"new_value": 0}
            with pytest.raises(WorkFailedError, match=f"its process is gone; epoch {again.epoch}") as lost:
                execution.wait(DEADLINE_S)
            assert lost.value.reason == "process_died"
            assert work.run(2).wait(DEADLINE_S).stage == "succeeded"
            assert work.state["vars"]["counter"] == 2
            work.stop()
            again.wait()


def test_a_run_that_an_ending_work_refuses_is_accepted_by_the_one_that_comes(socket):
    async def ask():
        async with (
            scripted(socket.removesuffix("/work.sock").removeprefix("unix:"), "ends and comes back") as address,
            L.AsyncWorkClient(address) as work,
        ):
            before = (await work.describe()).epoch
            execution = await work.run()
            assert execution.epoch > before
            assert (await execution.wait(DEADLINE_S)).stage == "succeeded"

    asyncio.run(ask())


def test_an_execution_that_ended_while_the_client_was_away_is_told_when_it_is_back():
    with (
        serving(f"{SMALL}:Counter") as served,
        FaultProxy(served.address) as proxy,
        L.WorkClient(proxy.address, timeout_s=DEADLINE_S) as work,
        L.WorkClient(served.address) as other,
    ):
        execution = work.run(1)
        proxy.refuse()
        proxy.cut()
        assert other.run(1).wait(DEADLINE_S).stage == "succeeded"  # the same call: its entry is replaced
        proxy.refuse(False)
        assert execution.wait(DEADLINE_S).stage == "succeeded"
        assert other.state["vars"]["counter"] == 2

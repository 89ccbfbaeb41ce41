"""What is asked of a running app from outside is answered, whatever it does, and the app's end is in order."""

from __future__ import annotations

import asyncio
import threading

import psutil
import pytest
from sample_works import Counter
from updated_works import Listing

import lightning_grpc as L
from lightning_grpc.coordinator.events import EndRequested
from lightning_grpc.errors import AppEndedError, FlowFailedError, RequestSuspendedError
from lightning_grpc.service.running_app import RunningApp
from lightning_grpc.state.values import same

DEADLINE_S = 30


class Idle(L.LightningFlow):
    """Does nothing until it is asked."""

    def __init__(self):
        super().__init__()
        self.works_ = L.structures.List(*(Listing() for _ in range(12)))
        self.blocking = Counter(parallel=False)
        self.busy = Counter(parallel=True)
        self.seen = 0
        self.said = []

    def run(self):
        self.seen += 1


class Asking:
    """Runs an app on a thread of its own, and asks it something on the supervisor's loop."""

    def __init__(self):
        self.flow = Idle()
        self.app = L.LightningApp(self.flow)
        self.outcome = None
        self.thread = threading.Thread(target=self._run, name="app", daemon=True)
        self.thread.start()
        deadline = threading.Event()
        for _ in range(3000):
            if self.flow.seen:
                break
            deadline.wait(0.01)
        self.coordinator = self.app._coordinator
        self.running = RunningApp("asked", self.flow, self.coordinator)

    def _run(self):
        try:
            self.app.run()
        except BaseException as error:
            self.outcome = error

    def ask(self, act):
        """Ask, and wait for the answer, on the supervisor's loop, where the app's own servers do it."""
        loop = self.coordinator._supervisor._loop
        return asyncio.run_coroutine_threadsafe(self.running.ask("a test", act), loop).result(DEADLINE_S)

    def end(self):
        self.coordinator._inbox.put(EndRequested(15))
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive()


@pytest.fixture
def asking():
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    asking = Asking()
    yield asking
    asking.end()
    left = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
    assert psutil.wait_procs(left, timeout=10)[1] == []


def raising(error):
    def act():
        raise error

    return act


@pytest.mark.parametrize(
    ("left_by", "told"),
    [
        (ValueError("no"), ValueError),
        (StopIteration(3), RuntimeError),
        (SystemExit(3), AppEndedError),
        (KeyboardInterrupt(), AppEndedError),
        (GeneratorExit(), RuntimeError),
    ],
)
def test_whatever_a_request_raises_the_asker_is_told_and_the_app_ends_in_order(asking, left_by, told):
    with pytest.raises(told):
        asking.ask(raising(left_by))


def test_a_request_that_stops_the_app_is_answered(asking):
    assert asking.ask(lambda: asking.flow.stop()) is None
    asking.thread.join(DEADLINE_S)
    assert asking.outcome is None
    with pytest.raises(AppEndedError):
        asking.coordinator.requests.ask("too late", lambda: 1)


def test_a_request_that_fails_the_app_is_told_so(asking):
    with pytest.raises(FlowFailedError):
        asking.ask(lambda: asking.flow.fail("enough"))
    asking.thread.join(DEADLINE_S)
    assert isinstance(asking.outcome, FlowFailedError)


def test_a_request_that_calls_a_blocking_work_is_told_that_only_a_run_can_wait(asking):
    with pytest.raises(RequestSuspendedError, match=r"root\.blocking"):
        asking.ask(lambda: asking.flow.blocking.run(1))


def test_the_document_that_is_followed_is_that_of_its_deltas_even_where_the_flow_has_written_in_place(asking):
    def write():
        for work in asking.flow.works_:
            work.history.append(7)

    asking.ask(write)
    asking.ask(asking.coordinator.follow)
    for _ in range(10):
        asking.ask(lambda: setattr(asking.flow, "seen", asking.flow.seen + 1))

    def committed():
        asking.coordinator.commit("a test")
        return same(asking.coordinator.log._document, asking.app.state)

    assert asking.ask(committed)
    assert asking.flow.works_[11].history == [7]


def test_an_app_whose_document_is_followed_ends_with_its_own_outcome(asking):
    asking.ask(asking.coordinator.follow)
    asking.end()
    assert isinstance(asking.outcome, SystemExit)

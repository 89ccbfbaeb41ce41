"""Works that are attached to services, with real processes: what apps see of them, and what they do to them."""

from __future__ import annotations

import httpx
import pytest
from attached_apps import DEADLINE_S, Root, running
from served_works import SMALL, serving
from small_work import Counter, Echo, Failing, Waiting

import lightning_grpc as L
from lightning_grpc.errors import WorkFailedError


@pytest.fixture(scope="module")
def counter():
    """A Counter that is served; what tests before have counted is there."""
    with serving(f"{SMALL}:Counter") as served:
        yield served
        assert served.process.poll() is None, "an app has ended its service"


def kinds(address, **options):
    """The two ways to attach a Counter."""
    return [Counter().at(address, **options), L.RemoteWork(address, parallel=True, **options)]


@pytest.mark.parametrize("kind", [0, 1], ids=["class", "RemoteWork"])
def test_an_attached_work_is_called_and_seen_like_any_other(kind, counter):
    before = L.RemoteWork(counter.address).counter
    work = kinds(counter.address)[kind]
    with running(Root(work, (5,), (7,))) as app:
        app.until(lambda: work.num_successes == 2)
        assert work.counter == before + 12
        assert app.end() is None
    assert app.app.state["works"]["w"]["vars"]["counter"] == before + 12
    assert counter.process.poll() is None


def test_a_blocking_call_returns_when_the_service_has_done_it_and_a_cached_one_is_done_once(counter):
    seen = []
    work = L.RemoteWork(counter.address)
    before = work.counter
    root = Root(work, (3,), until=lambda root: seen.append(root.w.counter) or len(seen) >= 3)
    with running(root) as app:
        assert app.join() is None
    assert seen == [before + 3] * 3


def test_a_blocking_call_that_is_not_cached_is_done_once_in_each_pass(counter):
    work = L.RemoteWork(counter.address, cache_calls=False)
    before = work.counter
    with running(Root(work, (2,), until=lambda root: root.passes >= 3)) as app:
        assert app.join() is None
    assert work.counter == before + 6
    assert work.num_successes == 3


def test_a_remote_work_has_the_attributes_of_its_service_before_the_app_runs():
    with serving(f"{SMALL}:Counter", "--args", '{"counter": 41}') as served:
        work = L.RemoteWork(served.address)
        assert work.counter == 41
        assert work.introduction.class_name == "Counter"
        assert work.introduction.run_signature == "(n=1, pause_s=0.0)"
        assert not work.receive_updates


def test_a_run_that_fails_in_the_service_fails_the_app_as_a_local_one_does():
    with serving(f"{SMALL}:Failing") as served:
        with running(Root(Failing().at(served.address), ("it shall",))) as app:
            failure = app.join()
        assert isinstance(failure, WorkFailedError)
        assert failure.remote_type == "ValueError"
        assert "it shall" in failure.remote_traceback
        assert served.process.poll() is None


def test_what_the_flow_writes_before_a_call_is_set_in_the_service_before_the_run():
    with serving(f"{SMALL}:Counter") as served:
        work, other = Counter().at(served.address), L.RemoteWork(served.address)
        root = Root(work, (1,))
        root.w.counter = 50
        root.other = other
        root.other.counter = 70
        with running(root) as app:
            app.until(lambda: work.has_succeeded and other.counter == 51)
            assert work.counter == 51
            root._until = lambda root: root.other.run(2)
            app.until(lambda: other.has_succeeded)
            assert other.counter == 53


def test_what_the_flow_writes_reaches_a_service_that_receives_updates():
    with serving(f"{SMALL}:Waiting") as served:
        work = Waiting().at(served.address)
        root = Root(work, ())
        with running(root) as app:
            app.until(lambda: work.entered == 1)
            root._until = lambda root: setattr(root.w, "stop", True)
            app.until(lambda: work.has_succeeded)
            assert work.left == 1


def test_two_apps_see_every_change_of_one_work_and_each_its_own_calls(counter):
    first, second = Counter().at(counter.address), L.RemoteWork(counter.address, parallel=True)
    before = second.counter
    with running(Root(first, (2,))) as one, running(Root(second, (2,))) as two:
        one.until(lambda: first.has_succeeded and first.counter == before + 4)
        two.until(lambda: second.has_succeeded and second.counter == before + 4)
        assert first.num_successes == second.num_successes == 1
        ids = [work.state["calls"][work.state["calls"]["latest_call_hash"]]["call_id"] for work in (first, second)]
        assert len(set(ids)) == 2


def test_an_app_that_only_looks_on_sees_what_another_one_has_done(counter):
    caller, watcher = Counter().at(counter.address), L.RemoteWork(counter.address)
    before = watcher.counter
    with running(Root(watcher)) as two:
        with running(Root(caller, (9,))) as one:
            one.until(lambda: caller.has_succeeded)
        two.until(lambda: watcher.counter == before + 9 and watcher.status.stage != "not_started")
        assert watcher.status.stage == "started"


def test_a_work_of_a_server_with_several_is_named():
    with serving(None, "--work", f"{SMALL}:Counter", "--work", f"{SMALL}:Echo") as served:
        names = {work["class"]: work["name"] for work in served.works}
        counter = L.RemoteWork(f"{served.address}#{names['Counter']}", parallel=True)
        echo = Echo().at(f"{served.address}#{names['Echo']}")
        root = Root(counter, (4,))
        root.other = echo
        with running(root) as app:
            root._until = lambda root: root.other.run("hello", key=1)
            app.until(lambda: echo.has_succeeded and counter.has_succeeded)
            assert (echo.args, echo.kwargs, counter.counter) == (["hello"], {"key": 1}, 4)


def test_a_work_that_is_stopped_is_let_go_and_its_service_goes_on(counter):
    work = Counter().at(counter.address)
    root = Root(work, (1,))
    with running(root) as app:
        app.until(lambda: work.has_succeeded)
        root._until = lambda root: root.w.stop()
        app.until(lambda: work.has_stopped)
        assert app.end() is None
    assert counter.process.poll() is None
    with running(Root(L.RemoteWork(counter.address, parallel=True), (1,))) as again:
        again.until(lambda: again.root.w.has_succeeded)


def test_clients_of_the_app_see_an_attached_work_without_a_process(counter):
    work = Counter().at(counter.address)
    with running(Root(work, (3,)), service_address="127.0.0.1:0") as app:
        app.until(lambda: work.has_succeeded)
        with app.client() as client:
            (known,) = client.works()
            assert (known.name, known.class_name, known.pid, known.stage) == ("root.w", "Counter", 0, "succeeded")
            assert known.address == counter.address
            assert known.epoch == counter.epoch
        assert app.app.metrics.works["root.w"].revision > 0


TALKER = """
import lightning_grpc as L

class Talker(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.said = 0

    def run(self, what):
        print(what, flush=True)
        self.said += 1
"""


def test_what_an_attached_work_prints_is_read_under_the_name_that_it_has_in_the_app(tmp_path):
    (tmp_path / "talker.py").write_text(TALKER)
    with serving(f"{tmp_path}/talker.py:Talker", "--name", "talker") as served:
        work = L.RemoteWork(served.address, parallel=True)
        with running(Root(work, ("hello",)), http_port=0) as app:
            app.until(lambda: work.has_succeeded)
            with app.client() as client:
                assert [(line.component, line.text) for line in client.logs("root.w")] == [("root.w", "hello")]
            app.until(lambda: app.app.http_url)
            state = httpx.get(f"{app.app.http_url}/api/v1/state", timeout=DEADLINE_S)
            assert state.status_code == 200
            assert state.json()["works"]["w"]["vars"]["said"] == 1


def test_a_resumed_app_is_attached_again_and_does_not_set_its_service_back(counter, tmp_path):
    def app_with(*arguments):
        work = L.RemoteWork(counter.address, parallel=True)
        return running(Root(work, *arguments), checkpoint_dir=tmp_path, resume=True)

    with app_with((1,)) as app:
        app.until(lambda: app.root.w.has_succeeded)
        before = app.root.w.counter
    with running(Root(Counter().at(counter.address), (3,))) as other:
        other.until(lambda: other.root.w.has_succeeded)
    with app_with((1,), (2,)) as again:
        again.until(lambda: again.root.w.num_successes == 2)
        assert again.root.w.counter == before + 5


PATIENT = """
import pathlib
import time
import lightning_grpc as L

class Patient(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.entered = self.left = 0

    def run(self, file):
        self.entered += 1
        while not pathlib.Path(file).exists():
            time.sleep(0.01)
        self.left += 1
"""


def test_a_resumed_app_does_not_have_done_twice_what_its_service_is_still_at(tmp_path):
    def resumable():
        root = Root(L.RemoteWork(served.address, parallel=True), (str(go_on),))
        return running(root, checkpoint_dir=tmp_path / "checkpoint", resume=True, name="resumable")

    go_on = tmp_path / "go on"
    (tmp_path / "patient.py").write_text(PATIENT)
    with serving(f"{tmp_path}/patient.py:Patient") as served:
        with resumable() as app:
            app.until(lambda: app.root.w.is_running and app.root.w.entered)
        assert app.status.reason == "detached"
        with resumable() as again:
            again.until(lambda: again.root.w.is_running)
            go_on.touch()
            again.until(lambda: again.root.w.has_succeeded)
            assert (again.root.w.entered, again.root.w.left) == (1, 1)

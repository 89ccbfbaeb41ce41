"""Services that are killed, started anew and ended while apps are attached to them."""

from __future__ import annotations

import contextlib
import logging
import signal

import pytest
from attached_apps import Root, running
from served_works import SMALL, serving
from small_work import Counter, Waiting

import lightning_grpc as L
from lightning_grpc.errors import WorkFailedError


@contextlib.contextmanager
def restarted(served, target, *options):
    """Kill a service and serve it again at the same address."""
    served.kill()
    with serving(target, "--bind", served.address, *options) as again:
        yield again


def in_a_run(app):
    """Wait until the service is in the middle of the run, in which it stays until it is let go."""
    app.until(lambda: app.root.w.is_running and app.root.w.entered > 0)


def let_go(served):
    """Let the run of a service go on to its end."""
    with L.WorkClient(served.address) as client:
        assert client.update(stop=True).conflicts == {}


@pytest.mark.parametrize(("on_lost", "is_again"), [("fail", False), ("retry", True), ("wait", False)])
def test_a_service_that_is_killed_in_a_run_and_comes_back_follows_the_policy(on_lost, is_again):
    with serving(f"{SMALL}:Waiting") as served:
        work = Waiting().at(served.address, on_lost=on_lost)
        with running(Root(work, ())) as app:
            in_a_run(app)
            with restarted(served, f"{SMALL}:Waiting") as again:
                if is_again:
                    app.until(lambda: work.is_running and work.pid == again.pid)
                    let_go(again)
                    app.until(lambda: work.has_succeeded)
                    assert (work.entered, work.left) == (1, 1)
                    assert work.num_successes == 1
                else:
                    failure = app.join()
                    assert isinstance(failure, WorkFailedError)
                    assert failure.reason == "lost"
                    assert served.address in str(failure)


def test_a_service_that_is_away_is_shown_as_unreachable_and_waited_for():
    with serving(f"{SMALL}:Waiting") as served:
        work = Waiting().at(served.address, on_lost="wait", lost_after_s=0.1)
        with running(Root(work, ())) as app:
            app.until(lambda: work.is_running)
            served.kill()
            app.until(lambda: work.status.reason == "unreachable")
            assert work.is_running
            assert "no sign of life" in work.status.message


def test_a_run_is_lost_when_its_service_stays_away():
    with serving(f"{SMALL}:Waiting") as served:
        work = Waiting().at(served.address, lost_after_s=1.5)
        with running(Root(work, ())) as app:
            app.until(lambda: work.is_running)
            served.kill()
            failure = app.join()
        assert isinstance(failure, WorkFailedError)
        assert failure.reason == "lost"
        assert "is away" in str(failure)


def test_a_run_of_which_nobody_knows_whether_it_was_heard_of_follows_the_policy_too():
    with serving(f"{SMALL}:Counter") as served:
        work = Counter().at(served.address, on_lost="retry")
        with running(Root(work)) as app:
            app.until(lambda: work.status.stage == "started")
            served.process.send_signal(signal.SIGSTOP)  # it hears the request, and does not answer
            app.root._arguments = [(3,)]
            app.until(lambda: work.is_pending)
            with restarted(served, f"{SMALL}:Counter"):
                app.until(lambda: work.has_succeeded)
                assert (work.counter, work.num_successes) == (3, 1)
                app.root._arguments = [(4,)]
                app.until(lambda: work.num_successes == 2)


def test_an_app_goes_on_with_a_service_that_comes_back_while_nothing_was_under_way():
    with serving(f"{SMALL}:Counter", "--args", '{"counter": 5}') as served:
        work = L.RemoteWork(served.address, parallel=True)
        with running(Root(work, (1,))) as app:
            app.until(lambda: work.counter == 6 and work.has_succeeded)
            with restarted(served, f"{SMALL}:Counter", "--args", '{"counter": 80}'):
                app.until(lambda: work.counter == 80)
                assert work.has_succeeded
                app.root._arguments = [(1,), (2,)]
                app.until(lambda: work.num_successes == 2)
                assert work.counter == 82
                assert app.app.metrics.works["root.w"].resyncs == 0


def test_a_service_that_is_asked_to_end_finishes_the_run_under_way():
    with serving(f"{SMALL}:Waiting", "--drain", "1m") as served:
        work = Waiting().at(served.address)
        with running(Root(work, ())) as app:
            in_a_run(app)
            served.drain()
            let_go(served)
            app.until(lambda: work.has_succeeded)
            assert work.left == 1
            assert served.wait() == 0
            assert app.end() is None


def test_a_call_that_an_ending_service_refuses_is_done_by_the_one_that_comes(caplog):
    caplog.set_level(logging.DEBUG, "lightning_grpc")
    with serving(f"{SMALL}:Waiting", "--drain", "1m") as served, L.WorkClient(served.address) as other:
        work = Waiting().at(served.address)
        with running(Root(work)) as app:
            app.until(lambda: work.status.stage == "started")
            other.run()
            app.until(lambda: work.entered == 1)
            served.drain()
            app.root._arguments = [()]
            app.until(lambda: caplog.text.count("Waiting is ending") >= 6)  # it is asked again after half a second
            with restarted(served, f"{SMALL}:Waiting"):
                app.until(lambda: work.is_running and work.entered == 1)
                assert app.end() is None


def test_a_call_that_waits_is_done_by_the_service_that_comes():
    with serving(f"{SMALL}:Counter", "--drain", "0s") as served:
        work = Counter().at(served.address, on_lost="wait")
        with running(Root(work, (1,))) as app:
            app.until(lambda: work.has_succeeded)
            served.kill()
            app.until(lambda: work.status.reason == "unreachable")
            app.root._arguments = [(2,)]
            app.until(lambda: work.is_pending)
            with serving(f"{SMALL}:Counter", "--bind", served.address):
                app.until(lambda: work.has_succeeded and work.num_successes == 2)
                assert work.counter == 2


def test_a_service_that_is_not_there_yet_is_waited_for():
    with serving(f"{SMALL}:Counter") as served:
        pass  # its port is free now
    work = Counter().at(served.address)
    with running(Root(work, (3,))) as app:
        app.until(lambda: work.is_pending)
        with serving(f"{SMALL}:Counter", "--bind", served.address):
            app.until(lambda: work.has_succeeded)
            assert work.counter == 3


@pytest.mark.slow
def test_a_service_that_hangs_is_shown_as_unreachable_and_goes_on_when_it_is_heard_again():
    with serving(f"{SMALL}:Waiting") as served:
        work = Waiting().at(served.address, lost_after_s=60.0)
        with running(Root(work, ())) as app:
            in_a_run(app)
            served.process.send_signal(signal.SIGSTOP)
            app.until(lambda: work.status.reason == "unreachable")
            assert work.is_running
            served.process.send_signal(signal.SIGCONT)
            let_go(served)
            app.until(lambda: work.has_succeeded)
            assert work.left == 1

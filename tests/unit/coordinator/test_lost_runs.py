"""What becomes of a run whose service goes away: the table of docs/attached-works.md, row by row."""

from __future__ import annotations

import pytest
from service_harness import served_app
from tick_harness import calls

from lightning_grpc.coordinator.lost_runs import is_asked_for_again
from lightning_grpc.errors import WorkFailedError

POLICIES = ["fail", "retry", "wait"]
FOR_LONG = 31.0


def in_flight(on_lost, *, begun, body=None, **options):
    """An app with one call that its service was asked for; the service has begun to execute it, or has it in line."""
    options = {"parallel": True, "raise_exception": False, **options}
    app, work, service = served_app(body or calls((1,)), on_lost=on_lost, options=options)
    app.run()
    service.hear()
    if begun:
        service.begin()
    return app, work, service


def pass_time(app, seconds):
    """Let time pass, as the loop notes it."""
    app.tick.now += seconds
    app.tick.look_at_the_clock()
    app.step()


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("on_lost", POLICIES)
def test_a_run_goes_on_when_the_same_process_is_heard_again(on_lost, begun):
    app, work, service = in_flight(on_lost, begun=begun)
    service.go()
    assert work.status.reason == "unreachable"
    pass_time(app, 20.0)
    service.return_()
    assert work.status.reason is None
    if not begun:
        service.begin()
    service.succeed(counter=3)
    app.settle()
    assert work.has_succeeded
    assert work.counter == 3
    assert len(app.runs_ordered) == 1


@pytest.mark.parametrize(
    ("on_lost", "begun", "is_again"),
    [
        ("fail", False, False),
        ("fail", True, False),
        ("retry", False, True),
        ("retry", True, True),
        ("wait", False, True),
        ("wait", True, False),
    ],
)
def test_when_another_process_answers_a_run_is_asked_for_again_or_lost(on_lost, begun, is_again):
    app, work, service = in_flight(on_lost, begun=begun)
    assert is_asked_for_again(on_lost, has_begun=begun) is is_again
    service.go()
    service.come()
    app.settle()
    if is_again:
        first, second = app.runs_ordered
        assert first.call_hash == second.call_hash
        assert first.call_id != second.call_id
        assert (first.args, first.kwargs, first.attributes) == (second.args, second.kwargs, second.attributes)
        assert work.is_pending
        service.hear()
        service.execute(counter=9)
        app.settle()
        assert work.has_succeeded
        assert work.num_successes == 1
    else:
        assert len(app.runs_ordered) == 1
        assert (work.status.stage, work.status.reason) == ("failed", "lost")
        assert "host:50051" in work.status.message


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("on_lost", POLICIES)
def test_a_run_is_lost_when_its_service_is_away_for_too_long_unless_it_is_to_wait(on_lost, begun):
    app, work, service = in_flight(on_lost, begun=begun)
    service.go()
    pass_time(app, FOR_LONG)
    if on_lost == "wait":
        pass_time(app, 1e6)
        assert work.status.reason == "unreachable"
        assert work.status.stage == ("running" if begun else "pending")
        assert app.tick.earliest_s == float("inf")
    else:
        assert (work.status.stage, work.status.reason) == ("failed", "lost")
        assert service.dropped == [app.runs_ordered[0].call_id]


@pytest.mark.parametrize("on_lost", POLICIES)
def test_a_run_that_no_process_has_heard_of_is_asked_of_whichever_comes(on_lost):
    app, work, service = in_flight(on_lost, begun=False)
    service.execute()
    service.go()
    app.root._body = calls((2,))
    app.run()
    service.come()
    assert len(app.runs_ordered) == 2
    service.hear()
    service.execute(counter=4)
    app.settle()
    assert len(app.runs_ordered) == 2
    assert work.counter == 4
    assert work.has_succeeded


@pytest.mark.parametrize("on_lost", POLICIES)
def test_a_run_that_its_process_has_put_off_is_asked_of_whichever_comes(on_lost):
    app, work, service = in_flight(on_lost, begun=False)
    service.put_off()
    service.go()
    service.come()
    app.settle()
    assert work.is_pending
    service.hear()
    service.execute(counter=4)
    app.settle()
    assert len(app.runs_ordered) == 1
    assert work.counter == 4
    assert work.has_succeeded


@pytest.mark.parametrize("on_lost", ["fail", "retry"])
def test_a_call_made_while_the_service_is_away_has_the_same_patience(on_lost):
    app, work, service = in_flight(on_lost, begun=False)
    service.execute()
    app.settle()
    service.go()
    pass_time(app, FOR_LONG)
    assert work.has_succeeded
    app.root._body = calls((2,))
    app.run()
    pass_time(app, FOR_LONG - 5.0)
    assert work.is_pending
    pass_time(app, 6.0)
    assert (work.status.stage, work.status.reason) == ("failed", "lost")


def test_the_time_that_the_service_was_silent_before_it_was_noticed_counts():
    app, _, service = in_flight("fail", begun=True)
    now = app.tick.now
    service.go(silent_s=5.0)
    assert app.tick.earliest_s == now + 25.0


def test_a_lost_run_fails_the_app_if_failures_shall():
    app, _, service = in_flight("fail", begun=True, raise_exception=True)
    service.go()
    service.come()
    failure = app.tick.failure
    assert isinstance(failure, WorkFailedError)
    assert failure.reason == "lost"
    assert failure.work == "root.w"


@pytest.mark.parametrize(("on_lost", "is_again"), [("fail", False), ("retry", True), ("wait", False)])
def test_a_run_that_the_end_of_its_service_has_cut_off_follows_the_policy(on_lost, is_again):
    app, work, service = in_flight(on_lost, begun=True)
    service.end("stopped", "sigterm_signal_handler")
    app.settle()
    assert len(app.runs_ordered) == 1 + is_again
    assert work.status.stage == ("pending" if is_again else "stopped")


@pytest.mark.parametrize(("on_lost", "is_again"), [("fail", False), ("retry", True), ("wait", True)])
def test_a_run_that_a_service_that_ends_has_turned_away_follows_the_policy(on_lost, is_again):
    app, work, service = in_flight(on_lost, begun=False)
    service.turn_away()
    app.settle()
    assert len(app.runs_ordered) == 1 + is_again
    assert work.status.stage == ("pending" if is_again else "stopped")


def test_a_process_that_knows_of_the_runs_of_the_one_before_goes_on_with_them():
    app, work, service = in_flight("fail", begun=True)
    known = service.document["calls"]
    service.go()
    service.come(known=known)
    app.settle()
    assert work.is_running
    service.current = app.runs_ordered[0]
    service.succeed()
    app.settle()
    assert work.has_succeeded


def test_a_blocking_call_returns_when_its_run_has_succeeded_at_the_second_attempt():
    passed = []

    def body(root):
        root.w.run(1)
        passed.append(root.w.counter)

    app, _, service = in_flight("retry", begun=True, body=body, parallel=False)
    service.go()
    service.come()
    app.settle()
    assert passed == []
    service.hear()
    service.execute(counter=2)
    app.settle()
    assert passed[:1] == [2]


def test_a_run_that_is_lost_twice_is_asked_for_a_third_time():
    app, work, service = in_flight("retry", begun=True)
    for _ in range(2):
        service.go()
        service.come()
        service.hear()
        service.begin()
    service.succeed()
    app.settle()
    assert work.has_succeeded
    assert len({order.call_id for order in app.runs_ordered}) == 3

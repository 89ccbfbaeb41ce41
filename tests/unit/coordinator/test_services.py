"""Works that are attached to services: who calls them beside us, and what keeps them from being attached."""

from __future__ import annotations

import pytest
from service_harness import ADDRESS, ServedApp, served_app
from tick_harness import Root, Work, calls

from lightning_grpc.components.attachment import Attachment, Introduction
from lightning_grpc.components.calls import LATEST, advanced, call_hash, requested, resumed
from lightning_grpc.components.status import make_status
from lightning_grpc.coordinator.events import AttachWork, RunRefused, StopWork, UpdateAnswered, UpdateWork
from lightning_grpc.errors import ConfigurationError

# Attaching.


def test_a_work_that_is_attached_is_not_packed_and_no_process_is_started_for_it():
    app, _, _ = served_app()
    (attach,) = app.sent(AttachWork)
    assert (attach.attachment.address, attach.class_name) == (ADDRESS, "Work")
    assert attach.attributes == {"counter", "items", "table"}
    assert app.packages == []


def test_a_work_that_comes_while_the_app_runs_is_attached_at_once():
    app, _, _ = served_app()
    app.root.later = Work().at(ADDRESS)
    app.step()
    assert [command.work for command in app.sent(AttachWork)] == ["root.w", "root.later"]


def test_the_state_of_the_service_takes_the_place_of_what_the_component_began_with():
    _, work, _ = served_app(come=False)
    assert work.counter == 0
    app, work, service = served_app(come=False)
    service.come(counter=7, items=[1])
    assert (work.counter, work.items, work.status.stage) == (7, [1], "started")
    assert app.tick.serving()[0].pid is None


def test_what_the_flow_wrote_before_the_app_began_goes_with_the_first_call():
    work = Work(3).at(ADDRESS)
    work.counter, work.table = 10, {"a": 1}
    app = ServedApp(Root(calls(()), w=work))
    service = app.processes["root.w"]
    service.come(counter=3)
    assert work.counter == 10
    app.run()
    assert app.runs_ordered[0].attributes == {"counter": 10, "table": {"a": 1}}


def test_what_the_service_has_changed_meanwhile_wins_over_what_the_flow_wrote_before():
    work = Work().at(ADDRESS)
    work.counter = 10
    app = ServedApp(Root(calls(()), w=work))
    app.processes["root.w"].come(counter=4)
    assert work.counter == 4
    app.run()
    assert app.runs_ordered[0].attributes == {}


@pytest.mark.parametrize("raises", [True, False])
def test_a_service_that_is_not_what_it_should_be_is_a_failure(raises):
    app, work, service = served_app(come=False, options={"raise_exception": raises, "parallel": True})
    service.refuse_to_attach("root.w is a Work, and the Work at host:50051 a Trainer")
    assert (work.status.stage, work.status.reason) == ("failed", "attach_failed")
    assert isinstance(app.tick.failure, ConfigurationError) is raises
    assert not app.tick.has_processes
    service.go(silent_s=1.1)  # noticed before its link has ended
    assert (work.status.stage, work.status.reason) == ("failed", "attach_failed")


def test_a_service_that_never_comes_is_a_failure_that_says_what_is_known():
    app, _, service = served_app(come=False, lost_after_s=30.0)
    service.go(silent_s=1.0)
    assert app.tick.earliest_s == app.tick.now - 1.0 + 29.0
    app.tick.now += 40.0
    app.tick.look_at_the_clock()
    app.step()
    assert "connection refused" in str(app.tick.failure)
    assert ADDRESS in str(app.tick.failure)
    assert app.sent(StopWork)


def test_a_work_that_is_called_again_after_it_could_not_be_attached_is_attached_anew():
    app, work, service = served_app(calls((1,)), come=False, options={"raise_exception": False, "parallel": True})
    service.refuse_to_attach()
    app.run()
    assert len(app.sent(AttachWork)) == 2
    again = app.processes["root.w"]
    again.come()
    again.hear()
    again.execute(counter=1)
    assert work.has_succeeded


# Its end.


def test_the_end_of_the_app_lets_the_service_go_and_says_so_of_what_was_under_way():
    app, work, service = served_app(calls((1,)), options={"parallel": True})
    app.run()
    service.hear()
    service.begin()
    app.tick.begin_end("the app is ending")
    app.step()
    service.detach()
    assert not app.tick.has_processes
    assert (work.status.stage, work.status.reason) == ("stopped", "detached")
    assert app.tick.failure is None


def test_what_had_succeeded_before_the_app_ended_still_says_so():
    app, work, service = served_app(calls((1,)), options={"parallel": True})
    app.run()
    service.hear()
    service.execute()
    app.tick.begin_end("the app is ending")
    app.step()
    service.detach()
    assert work.has_succeeded


def resumed_app(stage, *reason):
    """An app that was resumed while one of its calls was under way in a service, or cut off by a stop."""
    work = Work(parallel=True).at(ADDRESS)
    entry = requested("run", "old-7", 5.0)
    entry = entry if stage == "pending" else advanced(entry, make_status(stage, 6.0, *reason))
    work._set_calls(resumed({LATEST: call_key(1), call_key(1): entry}, raise_exception=True, is_attached=True))
    app = ServedApp(Root(calls((1,)), w=work))
    service = app.processes["root.w"]
    return app, work, service


@pytest.mark.parametrize("how", [("pending",), ("running",), ("stopped", "detached")])
def test_a_resumed_app_asks_for_what_was_under_way_by_its_call_id(how):
    app, work, service = resumed_app(*how)
    service.come()
    app.run()
    (order,) = app.runs_ordered
    assert order.call_id == "old-7"
    service.hear()
    service.execute(counter=3)
    app.settle()
    assert work.has_succeeded


def test_what_was_done_while_the_app_was_away_is_taken_for_done():
    app, work, service = resumed_app("running")
    service.come(counter=3)
    app.run()
    (order,) = app.runs_ordered
    service.hear()
    service.answer(order, service.status("succeeded"), service.revision)
    app.settle()
    assert work.has_succeeded
    assert (work.num_successes, work.counter) == (1, 3)


def test_what_the_state_says_of_it_counts_if_the_service_does_not_tell_how_it_ended():
    app, work, service = resumed_app("running")
    entry = advanced(requested("run", "old-7", 5.0), make_status("running", 6.0))
    service.come({call_key(1): advanced(entry, make_status("succeeded", 7.0))}, counter=3)
    app.run()
    assert work.is_pending
    service.answer(app.runs_ordered[0])
    app.settle()
    assert work.has_succeeded


@pytest.mark.parametrize("how", [("failed", "user_exception"), ("stopped", "sigterm_signal_handler")])
def test_a_resumed_app_asks_anew_for_what_had_failed(how):
    app, _, service = resumed_app(*how)
    service.come()
    app.run()
    assert app.runs_ordered[0].call_id != "old-7"


# Other callers.


def test_calls_of_others_are_not_shown_but_what_they_do_is():
    app, work, service = served_app(options={"parallel": True})
    service.execute_for_another("run:1", "other-1", counter=5)
    assert work.counter == 5
    assert work.status.stage == "started"
    assert "run:1" not in work.state["calls"]
    assert work.num_successes == 0
    assert app.tick.failure is None


def test_a_failure_of_somebody_elses_call_does_not_fail_this_app():
    app, work, service = served_app()
    service.execute_for_another("run:1", "other-1", stage="failed")
    assert app.tick.failure is None
    assert not work.has_failed


def test_a_call_that_another_app_has_made_with_the_same_arguments_is_not_done_for_this_one():
    app, work, service = served_app(calls((1,)), options={"parallel": True})
    key = call_key(1)
    service.execute_for_another(key, "other-1", counter=1)
    app.run()
    assert len(app.runs_ordered) == 1
    assert work.is_pending
    service.hear()
    service.execute(counter=2)
    app.settle()
    assert work.has_succeeded
    assert work.num_successes == 1
    service.execute_for_another(key, "other-2", stage="running")
    app.settle()
    assert work.has_succeeded
    assert len(app.runs_ordered) == 1


def test_call_ids_are_this_apps_own():
    app, _, _ = served_app(calls((1,), (2,)), options={"parallel": True})
    app.run()
    assert len({order.call_id for order in app.runs_ordered}) == 2
    assert all(order.call_id.startswith("-") for order in app.runs_ordered)  # after an identity, which is empty here


def overtaken(on_lost="fail"):
    """An app whose run has ended in the service, where another app's run of the same call is all that is seen."""
    app, work, service = served_app(calls((1,)), on_lost=on_lost, options={"parallel": True})
    app.run()
    service.hear()
    (order,) = app.runs_ordered
    service.orders.clear()
    service.execute_for_another(order.call_hash, "other-1", stage="running", counter=8)
    return app, work, service, order


def test_a_run_of_which_the_state_shows_no_entry_is_asked_after():
    app, work, service, order = overtaken()
    _, asked = app.runs_ordered
    assert (asked.call_id, asked.epoch) == (order.call_id, service.epoch)
    assert work.is_pending
    service.answer(order, service.status("succeeded"), service.revision)
    app.settle()
    assert work.has_succeeded
    assert work.num_successes == 1


def test_its_end_is_told_when_the_state_shows_what_it_has_written():
    app, work, service, order = overtaken()
    service.answer(order, service.status("succeeded"), service.revision + 1)
    assert work.is_pending
    service.write(counter=9)
    app.settle()
    assert work.has_succeeded
    assert work.counter == 9


def test_a_run_that_waits_behind_one_of_the_same_call_is_shown_when_its_turn_comes():
    app, work, service, order = overtaken()
    service.answer(order)
    assert work.is_pending
    service.orders.append(order)
    service.execute(counter=9)
    app.settle()
    assert work.has_succeeded


def test_a_run_is_asked_after_once_for_each_that_stands_in_its_place():
    app, _, service, order = overtaken()
    service.execute_for_another(order.call_hash, "other-1")
    assert len(app.runs_ordered) == 2
    service.execute_for_another(order.call_hash, "other-2", stage="running")
    assert len(app.runs_ordered) == 3


def test_a_run_that_has_failed_behind_its_back_fails_the_app():
    app, _, service, order = overtaken()
    failed = {**service.status("failed", "user_exception", "Traceback"), "exception": "ValueError", "raised": True}
    service.answer(order, failed, service.revision)
    assert app.tick.failure is not None
    assert app.tick.failure.remote_type == "ValueError"


def test_a_call_that_is_refused_is_a_failure():
    app, work, service = served_app(calls((1,)), options={"parallel": True, "raise_exception": False})
    app.run()
    (order,) = app.runs_ordered
    service.tell(RunRefused("root.w", service.incarnation, order.call_hash, order.call_id, "no such attribute"))
    assert (work.status.stage, work.status.reason) == ("failed", "refused")


# What the Flow writes.


def test_what_the_flow_writes_is_handed_over_once_the_state_of_the_service_is_known():
    app, work, service = served_app(come=False, options={"receive_updates": True})
    work.counter = 5
    app.run()
    assert app.sent(UpdateWork) == []
    service.come()
    (update,) = app.sent(UpdateWork)
    assert (update.updates, update.epoch) == ({"counter": (5, service.revision)}, service.epoch)


def test_an_answer_of_a_process_that_is_gone_is_of_no_consequence():
    app, work, service = served_app(options={"receive_updates": True})
    work.counter = 5
    app.run()
    before = service.epoch
    service.go()
    service.come()
    service.tell(UpdateAnswered("root.w", service.incarnation, {"counter": 5}, 0, {"counter": 0}, "gone", before))
    assert work.update_conflicts == {}
    assert work.counter == 0


# Facts.


@pytest.mark.parametrize(
    "options",
    [
        {"on_lost": "forget"},
        {"lost_after_s": 0},
        {"lost_after_s": float("nan")},
        {"token": "a", "token_file": "b"},
        {"tls_cert": "a"},
    ],
)
def test_options_that_have_no_meaning_are_refused(options):
    with pytest.raises(ConfigurationError):
        Work().at(ADDRESS, **options)


def test_a_token_is_not_shown_with_the_attachment():
    assert "secret" not in repr(Attachment(ADDRESS, token="secret"))


def test_a_work_cannot_be_attached_while_its_app_runs():
    _, work, _ = served_app()
    with pytest.raises(RuntimeError, match="only before its app runs"):
        work.at("elsewhere:1")


def test_an_introduction_is_checked_for_class_and_attributes():
    known = Introduction("outer.Trainer", 1, ("a", "b"))
    known.check("root.w", ADDRESS, "Trainer", frozenset("a"))
    known.check("root.w", ADDRESS, "", frozenset())
    with pytest.raises(ConfigurationError, match=r"root\.w is of class Tuner, the Work at host:50051 of class Trainer"):
        known.check("root.w", ADDRESS, "Tuner", frozenset())
    with pytest.raises(ConfigurationError, match="the attributes c, d, which the Trainer"):
        known.check("root.w", ADDRESS, "Trainer", frozenset("acd"))


def test_a_work_in_another_language_has_none_of_the_attributes_of_this_package():
    app, work, service = served_app(come=False)
    service.come()
    document = {**service.document, "vars": {"counter": 4}}
    service.publish(document)
    assert (work.counter, work.url, work.display_name) == (4, "", "")
    assert not hasattr(work, "items")
    assert LATEST in app.document["works"]["w"]["calls"]


def call_key(*arguments):
    return call_hash(arguments, {})

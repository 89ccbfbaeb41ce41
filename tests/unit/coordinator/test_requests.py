"""Requests from outside: each is answered, whatever becomes of the app."""

from __future__ import annotations

import threading

import pytest

from lightning_grpc.coordinator.events import Asked
from lightning_grpc.coordinator.inbox import Inbox
from lightning_grpc.coordinator.requests import MAX_WAITING, Requests
from lightning_grpc.errors import AppEndedError, BusyError

DEADLINE_S = 30


@pytest.fixture
def inbox():
    return Inbox()


def test_a_request_is_an_event_with_what_is_to_be_done(inbox):
    answer = Requests(inbox).ask("command greet", lambda: 7)
    (asked,) = inbox.take(0.0)
    assert isinstance(asked, Asked)
    assert (asked.what, asked.act(), asked.answer) == ("command greet", 7, answer)


def test_what_waits_when_the_app_ends_is_told_so(inbox):
    requests = Requests(inbox)
    waiting, done = requests.ask("one", lambda: 1), requests.ask("two", lambda: 2)
    done.set_result(2)
    requests.close()
    assert done.result(0) == 2
    with pytest.raises(AppEndedError):
        waiting.result(0)


def test_what_is_asked_of_an_app_that_has_ended_is_refused_and_named(inbox):
    requests = Requests(inbox)
    requests.close()
    with pytest.raises(AppEndedError, match="command greet was not done"):
        requests.ask("command greet", lambda: 1)


def test_too_many_requests_are_refused_until_some_are_answered(inbox):
    requests = Requests(inbox)
    answers = [requests.ask("one", lambda: 1) for _ in range(MAX_WAITING)]
    with pytest.raises(BusyError):
        requests.ask("one more", lambda: 1)
    answers[0].set_result(None)
    requests.ask("one more", lambda: 1)


def test_a_request_made_while_the_app_ends_is_answered_one_way_or_the_other(inbox):
    requests = Requests(inbox)
    answers = []

    def ask():
        try:
            while True:
                answers.append(requests.ask("one", lambda: 1))
        except (AppEndedError, BusyError):
            pass

    threads = [threading.Thread(target=ask, name=f"asking-{i}") for i in range(4)]
    for thread in threads:
        thread.start()
    requests.close()
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    for answer in answers:
        with pytest.raises(AppEndedError):
            answer.result(0)

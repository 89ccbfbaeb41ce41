"""The inbox: events in the order in which they were left."""

from __future__ import annotations

import threading

from lightning_grpc.coordinator.events import EndRequested
from lightning_grpc.coordinator.inbox import Inbox


def test_an_empty_inbox_gives_nothing():
    assert Inbox().take(0.0) == []


def test_events_are_taken_all_at_once_in_order_and_once():
    inbox = Inbox()
    events = [EndRequested(number) for number in range(10)]
    for event in events:
        inbox.put(event)
    assert inbox.take(0.0) == events
    assert inbox.take(0.0) == []


def test_an_event_may_be_made_when_it_is_taken_out():
    inbox = Inbox()
    made_on = []

    def make():
        made_on.append(threading.current_thread())
        return EndRequested(1)

    inbox.put(EndRequested(0))
    inbox.put(make)
    assert made_on == []
    assert inbox.take(0.0) == [EndRequested(0), EndRequested(1)]
    assert made_on == [threading.current_thread()]


def test_a_reader_that_waits_is_woken_by_an_event():
    inbox = Inbox()
    writer = threading.Thread(target=inbox.put, args=[EndRequested(1)])
    writer.start()
    assert inbox.take(30.0) == [EndRequested(1)]
    writer.join()

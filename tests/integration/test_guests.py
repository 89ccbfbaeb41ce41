"""Guests of the supervisor's loop: they live as long as the app, and cannot harm it."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from lightning_grpc.coordinator import supervisor as supervisors
from lightning_grpc.coordinator.inbox import Inbox
from lightning_grpc.coordinator.supervisor import Supervisor
from lightning_grpc.errors import ConfigurationError
from lightning_grpc.runtimes.local import LocalRuntime

DEADLINE_S = 30


class Guest:
    """Notes what happens to it."""

    title = "the guest"

    def __init__(self, start=None, stop=None):
        self.story = []
        self.started = threading.Event()
        self._start = start
        self._stop = stop

    async def start(self):
        self.story.append(f"start on {threading.current_thread().name}")
        self.started.set()
        if self._start is not None:
            await self._start()
        self.story.append("started")

    async def stop(self):
        self.story.append("stop")
        if self._stop is not None:
            await self._stop()
        self.story.append("stopped")


@pytest.fixture
def supervisor():
    supervisor = Supervisor(LocalRuntime(), Inbox())
    supervisor.start(lambda: None)
    yield supervisor
    supervisor.close()


@pytest.fixture(autouse=True)
def heard(monkeypatch, caplog):
    monkeypatch.setattr(logging.getLogger("lightning_grpc"), "propagate", True)
    return caplog


def live(supervisor, guest):
    supervisor.receive(guest)
    assert guest.started.wait(DEADLINE_S)
    supervisor.close()
    return guest.story


async def fail():
    raise ConfigurationError("the reason given")


async def fail_unexpectedly():
    raise KeyError("unexpected")


async def hang():
    await asyncio.Event().wait()


BEGAN = "start on lightning-grpc-coordinator"


def test_a_guest_is_started_and_stopped_on_the_supervisors_loop(supervisor):
    guest = Guest()
    assert live(supervisor, guest) == [BEGAN, "started", "stop", "stopped"]


def test_a_guest_that_cannot_start_is_warned_of_once_and_stopped_all_the_same(supervisor, heard):
    assert live(supervisor, Guest(start=fail)) == [BEGAN, "stop", "stopped"]
    assert [record.getMessage() for record in heard.records] == [
        "the guest could not be started, the app runs on without it: the reason given"
    ]


def test_a_guest_that_fails_unexpectedly_is_shown_with_its_traceback(supervisor, heard):
    assert live(supervisor, Guest(start=fail_unexpectedly, stop=fail_unexpectedly)) == [BEGAN, "stop"]
    first, second = heard.records
    assert "the app runs on without it" in first.getMessage()
    assert "could not be stopped in order" in second.getMessage()
    assert first.exc_info[0] is second.exc_info[0] is KeyError


def test_a_guest_that_still_starts_when_the_app_ends_is_not_waited_for(supervisor, heard):
    assert live(supervisor, Guest(start=hang)) == [BEGAN, "stop", "stopped"]
    assert heard.records == []


def test_a_guest_that_does_not_stop_is_given_up(supervisor, heard, monkeypatch):
    monkeypatch.setattr(supervisors, "_GUEST_STOP_S", 0.05)
    assert live(supervisor, Guest(stop=hang)) == [BEGAN, "started", "stop"]
    assert "could not be stopped in order" in heard.text


def test_a_guest_that_takes_too_long_to_start_is_warned_of(supervisor, heard, monkeypatch):
    monkeypatch.setattr(supervisors, "_GUEST_START_S", 0.05)
    done = threading.Event()
    monkeypatch.setattr(supervisors._log, "warning", lambda *_: done.set())
    guest = Guest(start=hang)
    supervisor.receive(guest)
    assert done.wait(DEADLINE_S)
    supervisor.close()
    assert guest.story == [BEGAN, "stop", "stopped"]


def test_guests_outlive_the_works(supervisor):
    guest = Guest()
    supervisor.receive(guest)
    assert guest.started.wait(DEADLINE_S)
    supervisor.end_works()
    assert guest.story == [BEGAN, "started"]
    supervisor.close()
    assert guest.story[2:] == ["stop", "stopped"]

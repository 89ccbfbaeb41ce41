"""The revisions of the app's document: counted always, kept and streamed once somebody has asked."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import documents, edited_documents

from lightning_grpc.coordinator.app_log import AppLog, attribute_of
from lightning_grpc.state.delta import Set, apply, diff
from lightning_grpc.state.subscription import Accepted, Delta, Snapshot, Subscription
from lightning_grpc.state.values import copy, same
from lightning_grpc.v1 import work_service_pb2 as work_pb
from lightning_grpc.wire.codec import FrameReader

DEADLINE_S = 30


def log_of(document, posted=None):
    return AppLog(lambda: copy(document), (posted if posted is not None else []).append)


def test_revisions_are_counted_while_nobody_looks():
    log = log_of({"vars": {}})
    assert log.revision == 0
    log.begin()
    log.publish([[Set(("vars", "x"), 1)], [Set(("vars", "x"), 2)]])
    assert log.revision == 3


def test_the_stream_begins_with_the_document_as_it_is_when_it_is_opened():
    document, posted = {"vars": {"x": 2}}, []
    log = log_of(document, posted)
    log.begin(41)
    stream = log.open()
    assert stream.revision == 41
    assert posted == [stream.start]
    assert log.open() is stream


@st.composite
def histories(draw):
    """A document, and what becomes of it."""
    history = [draw(documents())]
    for _ in range(draw(st.integers(1, 5))):
        history.append(draw(edited_documents(history[-1])))
    return history


@given(histories(), st.integers(1, 100))
def test_who_follows_has_the_document_at_every_revision(history, first):
    async def check():
        document = copy(history[0])
        log = log_of(document)
        log.begin(first)
        stream = log.open()
        stream.start()
        frames, mirror = [], None
        subscription = Subscription()
        reader = FrameReader()
        async with asyncio.timeout(DEADLINE_S):
            async with contextlib.aclosing(stream.subscribe(subscription.opened())) as messages:
                for wanted in history:
                    changes = diff(document, wanted)
                    if changes:
                        apply(document, changes)
                        log.publish([changes])
                    while subscription.revision < log.revision:
                        message = work_pb.StateDeltaResponse.FromString(await anext(messages))
                        for frame in reader.read(message):
                            assert isinstance(subscription.receive(frame), Accepted)
                            frames.append(frame)
                            if isinstance(frame, Snapshot):
                                mirror = frame.document
                            elif isinstance(frame, Delta):
                                apply(mirror, frame.changes)
                    assert same(mirror, document)
        assert frames[0].revision == first

    asyncio.run(check())


@pytest.mark.parametrize(
    ("path", "attribute"),
    [
        (("vars", "x"), ("vars", "x")),
        (("vars", "x", "deep", 0), ("vars", "x")),
        (("works", "w", "vars", "x", 1), ("works", "w", "vars", "x")),
        (("structures", "l", "works", "0", "calls", "run:1"), ("structures", "l", "works", "0", "calls", "run:1")),
        (("works", "w"), ("works", "w")),
        (("app_state", "stage"), ("app_state", "stage")),
    ],
)
def test_a_path_leads_to_an_attribute_or_to_a_component(path, attribute):
    assert attribute_of(path) == attribute


def test_the_log_knows_in_which_revision_an_attribute_has_last_changed():
    log = log_of({"vars": {"x": 0, "y": 0}, "works": {"w": {"vars": {"z": 0}}}})
    log.begin(5)
    log.open()
    log.publish(
        [[Set(("vars", "x"), 1)], [Set(("works", "w", "vars", "z"), 1)], [Set(("works", "w"), {"vars": {"z": 2}})]]
    )
    assert log.changed(("vars", "x")) == 6
    assert log.changed(("vars", "y")) == 5
    assert log.changed(("works", "w", "vars", "z")) == 8

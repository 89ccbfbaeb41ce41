"""Clients that wait longer for a server than a client does that is to find out soon: it may get no turn for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from unittest import mock

from lightning_grpc.wire import diagnosis, options

LONG = {
    "grpc.min_reconnect_backoff_ms": 10_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.http2.ping_timeout_ms": 20_000,
}
LONG_DIAGNOSIS_S = 10.0


@contextlib.contextmanager
def patient_clients() -> Iterator[None]:
    """Let connections that this process makes meanwhile come about, and be silent, longer before they are given up."""
    before = list(options.CHANNEL_OPTIONS)
    assert {name for name, _ in before} >= LONG.keys()
    options.CHANNEL_OPTIONS[:] = [(name, LONG.get(name, value)) for name, value in before]
    try:
        with mock.patch.object(diagnosis, "DEADLINE_S", LONG_DIAGNOSIS_S):
            yield
    finally:
        options.CHANNEL_OPTIONS[:] = before

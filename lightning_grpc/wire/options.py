"""Channel and server options, each with the reason it is set.

Source: measurements of this project (keepalive without a ping timeout does not notice a stopped peer;
two servers bind one port silently with ``so_reuseport``; a proxy variable hijacks loopback).
"""

from __future__ import annotations

from lightning_grpc.wire.retries import service_config

MAX_MESSAGE_BYTES = 64 << 20
"""The largest single message: a call with its arguments, or a part of a frame. Larger frames go in parts."""
MAX_STREAMS = 1_000
"""Calls and streams that one connection may have open; further ones wait at the client until others have ended."""

_BOTH: list[tuple[str, int]] = [
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.http2.ping_timeout_ms", 2_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.keepalive_permit_without_calls", 1),
]

SERVER_OPTIONS = [
    *_BOTH,
    ("grpc.keepalive_time_ms", 20_000),  # a subscriber that is gone costs next to nothing meanwhile
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),  # or a watchful client is sent away
    ("grpc.http2.max_ping_strikes", 100),  # pings beyond that, with nothing said in between, are a flood
    ("grpc.server_handshake_timeout_ms", 10_000),  # who connects and says nothing holds a file no longer
]

CHANNEL_OPTIONS: list[tuple[str, int | str]] = [
    *_BOTH,
    ("grpc.enable_retries", 1),
    ("grpc.service_config", service_config()),  # what is repeated; a resolver that has one of its own overrules it
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 2_000),  # also what one attempt to connect may take
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.use_local_subchannel_pool", 1),  # a Work that comes back is a new peer, not a cached failure
]

"""Several Works behind one address: what is refused by a Work is refused through the front, and it stands."""

from __future__ import annotations

import grpc
import pytest
from neighbor import WORK, Neighbor, bearer, call, in_time, raw_channel
from test_messages import GARBAGE, MIB, nested, run_request

from lightning_grpc.wire.auth import credentials
from lightning_grpc.wire.codec import encode_value

REFUSED = {
    "a Work that is not there": (b"", ("no-such-work",), "WORK_UNKNOWN"),
    "no name": (b"", (), "WORK_UNNAMED"),
    "two names": (b"", ("echo", "counter"), "WORK_UNNAMED"),
    "a path for a name": (b"", ("../echo",), "WORK_UNKNOWN"),
    "a very long name": (b"", ("e" * 7000,), "WORK_UNKNOWN"),
    "garbage": (GARBAGE["random bytes"], ("echo",), "MESSAGE_INVALID"),
    "nested too deep": (nested(20_000), ("echo",), "MESSAGE_INVALID"),
    "a reserved key": (run_request(call_hash="latest_call_hash"), ("echo",), "ARGUMENT_INVALID"),
    "no attribute": (run_request(attributes={"__class__": encode_value(1)}), ("echo",), "ARGUMENT_INVALID"),
}


@pytest.mark.parametrize("token", [None, "wrong"])
def test_nobody_gets_past_the_front_without_the_token(fronted, token):
    async def intrude():
        async with Neighbor(fronted) as neighbor, raw_channel(fronted) as channel:
            for method in ("Describe", "Run", "StateDelta", "Stop"):
                for work in ("echo", "no-such-work", ""):
                    answer = await call(channel, f"{WORK}/{method}", metadata=credentials(token, work))
                    assert (answer.code, answer.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REQUIRED")
            await neighbor.is_served()

    in_time(intrude())


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_so_through_the_front(fronted, name):
    request, works, reason = REFUSED[name]

    async def intrude():
        async with Neighbor(fronted) as neighbor, raw_channel(fronted) as channel:
            metadata = (*credentials(fronted.token), *(("work-name", work) for work in works))
            answer = await call(channel, f"{WORK}/Run", request, metadata)
            assert answer.reason == reason
            await neighbor.is_served()

    in_time(intrude())


@pytest.mark.slow
def test_a_run_with_arguments_larger_than_a_message_may_be_is_refused_by_the_front(fronted):
    async def intrude():
        async with Neighbor(fronted) as neighbor, raw_channel(fronted) as channel:
            request = run_request(args=[encode_value("x" * (100 * MIB))])
            answer = await call(channel, f"{WORK}/Run", request, bearer(fronted))
            assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert str(64 * MIB) in answer.details
            await neighbor.is_served()

    in_time(intrude())


@pytest.mark.slow
def test_streams_that_one_client_opens_keep_no_other_client_waiting(fronted):
    """All clients share the front's connection to a Work, which must not be full when one client's is."""
    count = 1_000

    async def besiege():
        async with Neighbor(fronted) as neighbor, raw_channel(fronted) as channel:
            streams = [
                channel.unary_stream(f"{WORK}/StateDelta")(b"", metadata=bearer(fronted), timeout=60)
                for _ in range(count)
            ]
            try:
                for stream in streams:
                    assert await stream.read()
                await neighbor.is_served()
            finally:
                for stream in streams:
                    stream.cancel()

    in_time(besiege())

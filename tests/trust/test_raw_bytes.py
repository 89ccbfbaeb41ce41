"""Bytes that are no gRPC, or no HTTP/2, on the server's port: only the connection that they came on ends."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import struct

import pytest
from neighbor import Neighbor, in_time

from lightning_grpc.wire.open_files import connection_limit

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9


def frame(kind, payload=b"", *, flags=0, stream=0, length=None):
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


HELLO = PREFACE + frame(SETTINGS)
NOISE = random.Random(7)
ATTACKS = {
    "random bytes": NOISE.randbytes(4096),
    "zeros": bytes(100_000),
    "HTTP/1": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "TLS hello to whatever": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + NOISE.randbytes(500),
    "half a preface": PREFACE[:10] + b"\r\n\r\n",
    "preface, then random bytes": PREFACE + NOISE.randbytes(4096),
    "hello, then random bytes": HELLO + NOISE.randbytes(4096),
    "settings of a wrong length": PREFACE + frame(SETTINGS, b"abc"),
    "settings with impossible values": PREFACE + frame(SETTINGS, struct.pack(">HI", 4, 0xFFFFFFFF)),
    "a frame longer than allowed": HELLO + frame(DATA, b"", stream=1, length=0xFFFFFF),
    "data on a stream that is not open": HELLO + frame(DATA, b"hello", stream=5),
    "headers on stream 0": HELLO + frame(HEADERS, b"\x82", flags=4),
    "headers that are no HPACK": HELLO + frame(HEADERS, b"\xff" * 64, flags=5, stream=1),
    "an HPACK table larger than memory": HELLO + frame(HEADERS, b"\x3f\xff\xff\xff\xff\x7f", flags=5, stream=1),
    "headers that never end": HELLO
    + frame(HEADERS, b"", stream=1)
    + b"".join(frame(CONTINUATION, b"\x00\x01a\x01b", stream=1) for _ in range(50_000)),
    "a window beyond its limit": HELLO + 2 * frame(WINDOW_UPDATE, struct.pack(">I", 0x7FFFFFFF)),
    "a window of nothing": HELLO + frame(WINDOW_UPDATE, bytes(4)),
    "a continuation of nothing": HELLO + frame(CONTINUATION, b"\x82", flags=4, stream=1),
    "a frame type that does not exist, many times": HELLO + frame(0xEE, NOISE.randbytes(100)) * 1000,
    "goodbye, and on and on": HELLO + frame(GOAWAY, bytes(8)) + frame(HEADERS, b"\x82", flags=5, stream=1) * 100,
    "streams begun and reset": HELLO
    + b"".join(
        frame(HEADERS, b"\x82\x86\x84\x41\x01a", flags=4, stream=n) + frame(RST_STREAM, bytes(3) + b"\x08", stream=n)
        for n in range(1, 20_001, 2)
    ),
}


@contextlib.asynccontextmanager
async def connection(guarded):
    """A connection of bytes, by TLS if the server speaks it."""
    host, _, port = guarded.address.rpartition(":")
    context = None
    if guarded.tls is not None:
        context = ssl.create_default_context(cafile=guarded.tls.ca)
        context.set_alpn_protocols(["h2"])
        if guarded.tls.certificate:
            context.load_cert_chain(guarded.tls.certificate, guarded.tls.key)
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def send_all(writer, data):
    """Send what the server takes of it."""
    with contextlib.suppress(ConnectionError):
        writer.write(data)
        await writer.drain()


async def hang_up_of(reader):
    """Read until the server hangs up; returns what it has said."""
    heard = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while part := await reader.read(65536):
            heard = (heard + part)[-65536:]
    return heard


def attack(guarded, data):
    async def intrude():
        async with Neighbor(guarded) as neighbor, connection(guarded) as (reader, writer):
            await send_all(writer, data)
            await neighbor.is_served()
            if writer.can_write_eof():
                with contextlib.suppress(OSError):
                    writer.write_eof()
            else:
                writer.close()
            await hang_up_of(reader)
            await neighbor.is_served()

    in_time(intrude())


@pytest.mark.parametrize("name", ATTACKS)
def test_bytes_that_mean_nothing_end_only_their_own_connection(guarded, name):
    attack(guarded, ATTACKS[name])


@pytest.mark.parametrize("name", ["random bytes", "hello, then random bytes", "headers that are no HPACK"])
def test_they_do_no_more_inside_of_tls(mutual, name):
    attack(mutual, ATTACKS[name])


@pytest.mark.parametrize("name", ["random bytes", "HTTP/1", "hello, then random bytes"])
def test_they_do_no_more_instead_of_tls(secured, name):
    class InPlainText:
        address, tls = secured.address, None

    async def intrude():
        async with Neighbor(secured) as neighbor, connection(InPlainText) as (reader, writer):
            await send_all(writer, ATTACKS[name])
            await hang_up_of(reader)
            await neighbor.is_served()

    in_time(intrude())


def test_a_flood_of_pings_ends_with_the_request_to_calm_down(guarded):
    async def flood():
        async with Neighbor(guarded) as neighbor, connection(guarded) as (reader, writer):
            hanging_up = asyncio.create_task(hang_up_of(reader))  # what was heard before a reset is lost if read later
            await send_all(writer, HELLO + frame(PING, bytes(8)) * 5_000)
            heard = await hanging_up
            await neighbor.is_served()
        assert b"too_many_pings" in heard

    in_time(flood())


def test_a_connection_may_open_only_so_many_streams(guarded):
    async def look():
        async with Neighbor(guarded), connection(guarded) as (reader, writer):
            await send_all(writer, HELLO)
            head = await reader.readexactly(9)
            settings = await reader.readexactly(int.from_bytes(head[:3], "big"))
        return dict(struct.iter_unpack(">HI", settings))

    settings = in_time(look())
    assert settings[3] == 1_000  # MAX_CONCURRENT_STREAMS


@pytest.mark.slow  # the server waits for them for 10 s
def test_who_connects_and_says_nothing_is_hung_up_on(guarded, secured):
    async def wait():
        async with Neighbor(guarded), connection(guarded) as (reader, _):

            class InPlainText:
                address, tls = secured.address, None

            async with Neighbor(secured) as neighbor, connection(InPlainText) as (other_reader, _):
                await asyncio.gather(hang_up_of(reader), hang_up_of(other_reader))
                await neighbor.is_served()

    in_time(wait())


@pytest.mark.parametrize(("files", "connections"), [(65536, 65280), (1024, 768), (256, 128), (20, 16)])
def test_connections_leave_files_for_everything_else(files, connections):
    assert connection_limit(files) == connections

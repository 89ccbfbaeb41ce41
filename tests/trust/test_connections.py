"""Connections that do not come about: each says why, and the server goes on serving the others."""

from __future__ import annotations

import contextlib
import socket

import grpc
import pytest
from listening import listening
from neighbor import DEADLINE_S, WORK, Neighbor, bearer, call, in_time, raw_channel

from lightning_grpc.errors import ConfigurationError, TransportError
from lightning_grpc.standalone.certificates import make_trust_files
from lightning_grpc.wire import diagnosis
from lightning_grpc.wire.client import WorkChannel
from lightning_grpc.wire.credentials import ClientTls, ServerTls
from lightning_grpc.wire.server import Server


async def why_not(address, tls=None, token=None):
    """Try to talk to a server as any client of this package does, and return what the error says."""
    channel = WorkChannel(address, "root.w", token, tls=tls)
    try:
        with pytest.raises(TransportError) as failed:
            await channel.describe(DEADLINE_S)
    finally:
        await channel.close()
    text = str(failed.value)
    assert text.startswith("root.w: ")
    assert text.endswith("(UNAVAILABLE)")
    assert address in text
    return text


def refused(guarded, tls, *words):
    """Try to get in beside a well-behaved neighbor, and be told so."""

    async def intrude():
        async with Neighbor(guarded) as neighbor:
            text = await why_not(guarded.address, tls, guarded.token)
            await neighbor.is_served()
        for word in words:
            assert str(word) in text, text

    in_time(intrude())


@contextlib.asynccontextmanager
async def serving(tls=None):
    """A server of this process with nothing but health and reflection."""
    server = Server([], [], None)
    address = await server.start("127.0.0.1:0", tls)
    try:
        yield address
    finally:
        await server.stop(0)


def answering(answer):
    """Something that listens, and is no gRPC server; `answer` is what it says, None for nothing at all."""

    async def handle(reader, writer):
        await reader.read(10)
        if answer is not None:
            writer.write(answer)
            writer.close()

    return listening(handle)


def test_plain_text_to_tls(secured):
    refused(secured, None, "speaks TLS, and the call was made in plain text", "tls_ca", "--tls-ca")


def test_plain_text_to_mutual_tls(mutual):
    refused(mutual, None, "speaks TLS, and the call was made in plain text", "--tls-ca")


def test_tls_to_plain_text(guarded, files):
    refused(guarded, ClientTls(files.ca), "does not speak TLS, and the call was made with it", "--tls-cert")


def test_the_certificate_of_another_authority(secured, others):
    refused(secured, ClientTls(others.ca), "is signed by CN=lightning-grpc CA", f"not in {others.ca}", "--tls-ca")


def test_no_authority_but_those_of_the_system(secured):
    refused(secured, ClientTls(), "is signed by CN=lightning-grpc CA", "trusted by default", "--tls-ca")


def test_another_host_than_the_certificates(secured, files):
    tls = ClientTls(files.ca, server_name="trainer.example.org")
    refused(secured, tls, "is for localhost, 127.0.0.1", "not for trainer.example.org", "--tls-server-name")


def test_no_certificate_where_one_is_asked_for(mutual, files):
    refused(mutual, ClientTls(files.ca), "want a certificate of the client", "none was given", "--tls-cert")


def test_a_certificate_of_another_authority_where_one_is_asked_for(mutual, files, others):
    tls = ClientTls(files.ca, others.client_certificate, others.client_key)
    refused(mutual, tls, f"does not accept the certificate {others.client_certificate}", "--tls-client-ca")


def test_an_expired_certificate_where_one_is_asked_for(mutual, files, old):
    tls = ClientTls(files.ca, old.client_certificate, old.client_key)
    refused(mutual, tls, f"does not accept {old.client_certificate}: it is expired", "2020-01-02")


def test_a_servers_certificate_where_a_clients_is_asked_for(mutual, files):
    tls = ClientTls(files.ca, files.server_certificate, files.server_key)
    refused(mutual, tls, f"does not accept {files.server_certificate}: it is made for server")


def test_a_token_does_not_replace_a_certificate(mutual, files):
    async def intrude():
        async with Neighbor(mutual), raw_channel(mutual, tls=ClientTls(files.ca)) as channel:
            answer = await call(channel, f"{WORK}/Describe", metadata=(("authorization", "Bearer anything"),))
            assert answer.code is grpc.StatusCode.UNAVAILABLE

    in_time(intrude())


def test_a_certificate_does_not_replace_the_token(secured, files):
    async def intrude():
        tls = ClientTls(files.ca, files.client_certificate, files.client_key)
        async with Neighbor(secured), raw_channel(secured, tls=tls) as channel:
            assert (await call(channel, f"{WORK}/Describe")).code is grpc.StatusCode.UNAUTHENTICATED
            assert (await call(channel, f"{WORK}/Describe", metadata=bearer(secured))).code is grpc.StatusCode.OK

    in_time(intrude())


def test_an_expired_certificate_of_the_server(old):
    async def connect():
        async with serving(ServerTls(old.server_certificate, old.server_key)) as address:
            return await why_not(address, ClientTls(old.ca))

    assert "has expired on 2020-01-02 00:00 UTC. The server needs a new one" in in_time(connect())


def test_a_certificate_of_the_server_that_is_no_servers(files):
    async def connect():
        async with serving(ServerTls(files.client_certificate, files.client_key)) as address:
            return await why_not(address, ClientTls(files.ca, server_name="localhost"))

    text = in_time(connect())
    assert "is no server's" in text or "is for no host" in text


@pytest.mark.parametrize("tls", [False, True])
def test_nobody_listens(files, tls):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{free.getsockname()[1]}"
        text = in_time(why_not(address, ClientTls(files.ca) if tls else None))
    assert "nobody listens at" in text


def test_nobody_listens_at_a_socket(tmp_path):
    assert "there is no such socket" in in_time(why_not(f"unix:{tmp_path}/none.sock"))


def test_a_host_that_nobody_knows():
    assert "the host of no-such-host.invalid:50051 is not known" in in_time(why_not("no-such-host.invalid:50051"))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks HTTP/1, and is no gRPC server"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "is no gRPC server; check the port"),
        (b"", "accepts connections and closes them"),
        pytest.param(None, "accepts connections and then says nothing", marks=pytest.mark.slow),
    ],
)
def test_something_else_answers(answer, words, monkeypatch):
    if answer is None:
        monkeypatch.setattr(diagnosis, "DEADLINE_S", 2.0)  # is waited for to its end

    async def connect():
        async with answering(answer) as address:
            return await why_not(address)

    assert words in in_time(connect())


def test_a_client_that_tries_on_and_on_does_not_look_again_each_time(files):
    connections = []

    async def connect():
        async def handle(reader, writer):
            connections.append(writer)
            writer.close()

        texts = set()
        async with listening(handle) as address:
            channel = WorkChannel(address, "root.w")
            try:
                for _ in range(10):
                    with pytest.raises(TransportError) as failed:
                        await channel.describe(DEADLINE_S)
                    texts.add(str(failed.value))
            finally:
                await channel.close()
        return texts

    (text,) = in_time(connect())
    assert "accepts connections and closes them" in text
    assert len(connections) < 10 + 10  # gRPC's own attempts, and the two of one look; ten looks would be twenty


def test_no_token_is_sent_to_find_out_why(files):
    """The look at a server that speaks TLS to nobody we know carries nothing."""
    heard = bytearray()

    async def connect():
        async def handle(reader, writer):
            heard.extend(await reader.read(4096))
            writer.close()

        async with listening(handle) as address:
            await why_not(address, token="very-secret-token")

    in_time(connect())
    assert heard
    assert b"very-secret-token" not in heard


def test_a_key_that_does_not_fit_its_certificate_is_refused_where_it_is_given(files, others):
    for tls in (
        ServerTls(files.server_certificate, others.server_key),
        ClientTls(files.ca, files.client_certificate, others.client_key),
    ):
        with pytest.raises(ConfigurationError, match="are no certificate with its key"):
            tls.load()


def test_a_broken_certificate_is_refused_where_it_is_given(files, tmp_path):
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    with pytest.raises(ConfigurationError, match=r"broken\.pem"):
        ServerTls(broken, files.server_key).load()
    with pytest.raises(ConfigurationError, match="a certificate in it is broken"):
        ClientTls(broken).load()


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(files, tmp_path):
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(files.server_key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.BestAvailableEncryption(b"password"),
        )
    )
    with pytest.raises(ConfigurationError, match="has a password"):
        ServerTls(files.server_certificate, locked).load()


def test_the_old_and_the_new_authority_may_be_trusted_at_once(secured, files, tmp_path):
    new = make_trust_files(tmp_path / "new")
    both = tmp_path / "both.pem"
    both.write_bytes(new.ca.read_bytes() + files.ca.read_bytes())

    async def connect():
        async with raw_channel(secured, tls=ClientTls(both)) as channel:
            assert (await call(channel, f"{WORK}/Describe", metadata=bearer(secured))).code is grpc.StatusCode.OK
        async with (
            serving(ServerTls(new.server_certificate, new.server_key)) as address,
            grpc.aio.secure_channel(address, ClientTls(both).load()) as channel,
        ):
            assert (await call(channel, "/grpc.health.v1.Health/Check")).code is grpc.StatusCode.OK

    in_time(connect())

"""What every server has beside its own services: health, reflection, and gRPC's admin service if that is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import sys

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from lightning_grpc.errors import ConfigurationError
from lightning_grpc.wire.auth import credentials
from lightning_grpc.wire.health import NOT_SERVING, SERVING
from lightning_grpc.wire.protocol import WORK_SERVICE, work_pb
from lightning_grpc.wire.server import Server

DEADLINE_S = 30
TOKEN = "secret"
SERVICES = ["", WORK_SERVICE, "me"]
REFLECTIONS = ["grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection"]
CHANNELZ = "grpc.channelz.v1.Channelz"


async def describe(request, context):
    return work_pb.DescribeResponse(name="me").SerializeToString()


@contextlib.asynccontextmanager
async def serving(*, token=None, admin=False):
    """A server with one method, and a plain channel to it."""
    method = grpc.unary_unary_rpc_method_handler(describe)
    handlers = grpc.method_handlers_generic_handler(WORK_SERVICE, {"Describe": method})
    server = Server([handlers], [WORK_SERVICE], token, works=["me"], admin=admin)
    address = await server.start("127.0.0.1:0")
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            yield server, channel
    finally:
        await server.stop(0)


async def reflected(channel, service, requests, metadata=None):
    """Ask a server about itself, as a tool would."""
    call = channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )(iter(requests), timeout=DEADLINE_S, metadata=metadata)
    return [answer async for answer in call]


LIST = reflection_pb2.ServerReflectionRequest(list_services="*")


def names(answers):
    return {each.name for each in answers[0].list_services_response.service}


def test_health_is_told_for_the_server_and_for_each_service():
    async def check():
        async with serving() as (server, channel):
            health = health_pb2_grpc.HealthStub(channel)
            for service in SERVICES:
                answer = await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE_S)
                assert answer.status == SERVING
            await server.announce_end()
            for service in SERVICES:
                answer = await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE_S)
                assert answer.status == NOT_SERVING
            with pytest.raises(grpc.RpcError) as raised:
                await health.Check(health_pb2.HealthCheckRequest(service="unheard.Of"), timeout=DEADLINE_S)
            assert raised.value.code() is grpc.StatusCode.NOT_FOUND

    asyncio.run(check())


@pytest.mark.parametrize("service", SERVICES)
def test_who_watches_the_health_of_a_service_is_told_when_it_is_going(service):
    async def check():
        async with serving() as (server, channel):
            request = health_pb2.HealthCheckRequest(service=service)
            watch = health_pb2_grpc.HealthStub(channel).Watch(request, timeout=DEADLINE_S)
            assert (await watch.read()).status == SERVING
            await server.announce_end()
            assert (await watch.read()).status == NOT_SERVING
            watch.cancel()

    asyncio.run(check())


@pytest.mark.skipif(not hasattr(health_pb2, "HealthListRequest"), reason="grpcio-health-checking is older than List")
def test_the_health_of_all_services_is_listed():
    async def check():
        async with serving() as (_, channel):
            answer = await health_pb2_grpc.HealthStub(channel).List(health_pb2.HealthListRequest(), timeout=DEADLINE_S)
            assert {name: each.status for name, each in answer.statuses.items()}.items() >= dict.fromkeys(
                SERVICES, SERVING
            ).items()

    asyncio.run(check())


@pytest.mark.parametrize("reflection", REFLECTIONS)
def test_a_server_tells_what_it_offers_by_both_names_of_reflection(reflection):
    async def check():
        async with serving() as (_, channel):
            symbol = reflection_pb2.ServerReflectionRequest(file_containing_symbol=WORK_SERVICE)
            listed, described = await reflected(channel, reflection, [LIST, symbol])
            assert names([listed]) == {WORK_SERVICE, "grpc.health.v1.Health", REFLECTIONS[0]}
            assert any(b"WorkService" in each for each in described.file_descriptor_response.file_descriptor_proto)

    asyncio.run(check())


@pytest.mark.parametrize("reflection", REFLECTIONS)
def test_reflection_needs_the_token_if_there_is_one(reflection):
    async def check():
        async with serving(token=TOKEN) as (_, channel):
            for metadata in (None, credentials("wrong")):
                with pytest.raises(grpc.RpcError) as raised:
                    await reflected(channel, reflection, [LIST], metadata)
                assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert WORK_SERVICE in names(await reflected(channel, reflection, [LIST], credentials(TOKEN)))

    asyncio.run(check())


def test_health_needs_the_token_if_there_is_one():
    async def check():
        async with serving(token=TOKEN) as (_, channel):
            stub, request = health_pb2_grpc.HealthStub(channel), health_pb2.HealthCheckRequest()
            with pytest.raises(grpc.RpcError) as raised:
                await stub.Check(request, timeout=DEADLINE_S)
            assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert (await stub.Check(request, timeout=DEADLINE_S, metadata=credentials(TOKEN))).status == SERVING

    asyncio.run(check())


def test_the_admin_service_is_there_if_it_is_asked_for_and_lists_the_server_and_its_connections():
    async def check():
        async with serving(admin=True) as (_, channel):
            stub = channelz_pb2_grpc.ChannelzStub(channel)
            servers = (await stub.GetServers(channelz_pb2.GetServersRequest(), timeout=DEADLINE_S)).server
            connections = []
            for each in servers:  # others of this process may be there still, and be gone in the next moment
                request = channelz_pb2.GetServerSocketsRequest(server_id=each.ref.server_id)
                try:
                    connections += (await stub.GetServerSockets(request, timeout=DEADLINE_S)).socket_ref
                except grpc.RpcError as gone:
                    if gone.code() is not grpc.StatusCode.NOT_FOUND:
                        raise
            assert any(each.data.calls_started for each in servers)
            assert connections
            assert CHANNELZ in names(await reflected(channel, REFLECTIONS[0], [LIST]))
        async with serving() as (_, channel):
            stub = channelz_pb2_grpc.ChannelzStub(channel)
            with pytest.raises(grpc.RpcError) as raised:
                await stub.GetServers(channelz_pb2.GetServersRequest(), timeout=DEADLINE_S)
            assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
            assert CHANNELZ not in names(await reflected(channel, REFLECTIONS[0], [LIST]))

    asyncio.run(check())


def test_the_admin_service_needs_the_token_if_there_is_one():
    async def check():
        async with serving(admin=True, token=TOKEN) as (_, channel):
            stub, request = channelz_pb2_grpc.ChannelzStub(channel), channelz_pb2.GetServersRequest()
            with pytest.raises(grpc.RpcError) as raised:
                await stub.GetServers(request, timeout=DEADLINE_S)
            assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert (await stub.GetServers(request, timeout=DEADLINE_S, metadata=credentials(TOKEN))).server

    asyncio.run(check())


def test_without_its_package_the_admin_service_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "grpc_channelz.v1", None)

    async def check():
        with pytest.raises(ConfigurationError, match=r"pip install 'lightning-grpc\[admin\]'"):
            Server([], [], None, admin=True)

    asyncio.run(check())

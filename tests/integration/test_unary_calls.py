"""Every unary call of every service has a deadline, and is repeated by gRPC only if it is idempotent."""

from __future__ import annotations

import asyncio
import contextlib

import grpc
import pytest

from lightning_grpc.errors import LightningGrpcError, NoAnswerError, TransportError
from lightning_grpc.wire.app_channel import AppChannel
from lightning_grpc.wire.app_protocol import app_pb
from lightning_grpc.wire.client import WorkChannel
from lightning_grpc.wire.protocol import work_pb
from lightning_grpc.wire.retries import IDEMPOTENT

LONG_S = 30.0
WORK, APP = "lightning_grpc.v1.WorkService", "lightning_grpc.v1.AppService"
CALLS = {
    (WORK, "Describe"): lambda channel, s: channel.describe(s),
    (WORK, "Run"): lambda channel, s: channel.run("1", "run:1", (), {}, {}, deadline_s=s),
    (WORK, "Update"): lambda channel, s: channel.update({}, deadline_s=s),
    (WORK, "Stop"): lambda channel, s: channel.stop(0.0, "", s),
    (APP, "DescribeApp"): lambda channel, s: channel.describe(s),
    (APP, "UpdateState"): lambda channel, s: channel.update([], 0, 0, s),
    (APP, "ListWorks"): lambda channel, s: channel.works(s),
    (APP, "ListCommands"): lambda channel, s: channel.commands(s),
    (APP, "RunCommand"): lambda channel, s: channel.run_command("x", {}, 0, s),
    (APP, "StopApp"): lambda channel, s: channel.stop("", s),
    (APP, "GetMetrics"): lambda channel, s: channel.metrics(0, s),
    (APP, "StopWork"): lambda channel, s: channel.stop_work("root.w", 0, s),
}
each_call = pytest.mark.parametrize(("service", "method"), CALLS, ids=[method for _, method in CALLS])


@contextlib.asynccontextmanager
async def asking(service, behaviour, directory):
    """A channel to a server that answers every unary call of a service in one way."""
    names = [method.name for method in _descriptor(service).methods]
    server = grpc.aio.server()
    handlers = {name: grpc.unary_unary_rpc_method_handler(behaviour) for name in names}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    address = f"unix:{directory}/s"
    server.add_insecure_port(address)
    await server.start()
    channel = (WorkChannel if service == WORK else AppChannel)(address, "the peer")
    try:
        yield channel
    finally:
        await channel.close()
        await server.stop(0)


def _descriptor(service):
    return (work_pb if service == WORK else app_pb).DESCRIPTOR.services_by_name[service.rpartition(".")[2]]


def test_all_unary_calls_of_the_protocol_are_tested_here():
    unary = {
        (service, method.name)
        for service in (WORK, APP)
        for method in _descriptor(service).methods
        if not method.server_streaming and not method.client_streaming
    }
    assert set(CALLS) == unary


def test_what_may_be_repeated_is_there():
    for service in (WORK, APP):
        assert set(IDEMPOTENT[service]) < set(_descriptor(service).methods_by_name)


@each_call
def test_a_call_that_is_not_answered_ends_at_its_deadline(service, method, tmp_path):
    async def silent(request, context):
        await asyncio.sleep(LONG_S)
        return b""

    async def check():
        async with asking(service, silent, tmp_path) as channel, asyncio.timeout(LONG_S / 2):
            with pytest.raises((TransportError, NoAnswerError)):
                await CALLS[service, method](channel, 0.05)

    asyncio.run(check())


@each_call
def test_a_call_is_repeated_if_and_only_if_it_is_idempotent(service, method, tmp_path):
    asked = []

    async def unavailable_at_first(request, context):
        asked.append(request)
        if len(asked) < 3:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return b""

    async def check():
        async with asking(service, unavailable_at_first, tmp_path) as channel:
            with contextlib.suppress(LightningGrpcError):
                await CALLS[service, method](channel, LONG_S)

    asyncio.run(check())
    assert len(asked) == (3 if method in IDEMPOTENT[service] else 1)
    assert len(set(asked)) == 1


def test_another_failure_is_no_reason_to_repeat_a_call(tmp_path):
    asked = []

    async def exhausted(request, context):
        asked.append(request)
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no room")

    async def check():
        async with asking(WORK, exhausted, tmp_path) as channel:
            with pytest.raises(LightningGrpcError):
                await channel.describe(LONG_S)

    asyncio.run(check())
    assert len(asked) == 1

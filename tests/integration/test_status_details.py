"""What a Work does not take is told so that any gRPC client understands it, and this package's names the field."""

from __future__ import annotations

import asyncio
import contextlib

import grpc
import pytest
from followers import following
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from served_works import SMALL, serving

from lightning_grpc.errors import InvalidRequestError, ProtocolError
from lightning_grpc.wire.client import WorkChannel
from lightning_grpc.wire.health import NOT_SERVING
from lightning_grpc.wire.protocol import work_grpc, work_pb

DEADLINE_S = 40
EMPTY = work_pb.RunRequest().args.add()  # a value of no kind


@pytest.fixture(scope="module")
def echo():
    """A Work that may be called and updated by everybody."""
    with serving(f"{SMALL}:Echo") as served:
        yield served


@contextlib.contextmanager
def stub(served):
    with grpc.insecure_channel(served.address, [("grpc.enable_http_proxy", 0)]) as channel:
        yield work_grpc.WorkServiceStub(channel)


def refused(method, request):
    """The code, the ErrorInfo's reason, and the other details, as grpcio-status reads them."""
    with pytest.raises(grpc.RpcError) as raised:
        method(request, timeout=DEADLINE_S)
    status = rpc_status.from_call(raised.value)
    assert status.message == raised.value.details()
    info, *others = status.details
    reason = error_details_pb2.ErrorInfo()
    assert info.Unpack(reason)
    assert reason.domain == "lightning_grpc"
    return raised.value.code(), reason.reason, others


def fields(details):
    (detail,) = details
    request = error_details_pb2.BadRequest()
    assert detail.Unpack(request)
    return {each.field: each.description for each in request.field_violations}


def test_a_run_is_refused_with_all_of_the_fields_that_are_wrong(echo):
    value = work_pb.RunRequest().args.add(int_value=1)
    with stub(echo) as work:
        request = work_pb.RunRequest(
            call_id="1",
            call_hash="run:1",
            args=[value, EMPTY],
            kwargs={"x": EMPTY, "y": value},
            attributes={"colour": value, "kwargs": value},
        )
        code, reason, details = refused(work.Run, request)
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_INVALID")  # some values have no meaning
    found = fields(details)
    assert set(found) == {"args[1]", 'kwargs["x"]', 'attributes["colour"]'}
    assert found['attributes["colour"]'] == "Echo has no attribute colour"


def test_a_run_that_has_a_meaning_and_does_not_fit_is_told_from_one_that_has_none(echo):
    value = work_pb.RunRequest().args.add(int_value=1)
    with stub(echo) as work:
        request = work_pb.RunRequest(
            call_id="1", call_hash="latest_call_hash", requested_at_s=-1.0, attributes={"colour": value}
        )
        code, reason, details = refused(work.Run, request)
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID")
    assert set(fields(details)) == {"call_hash", "requested_at_s", 'attributes["colour"]'}


@pytest.mark.parametrize(
    ("named", "wrong"),
    [({"call_id": "1"}, {"call_hash"}), ({"call_hash": "h"}, {"call_id"}), ({}, {"call_id", "call_hash"})],
)
def test_a_run_without_its_names_is_refused_by_field(echo, named, wrong):
    with stub(echo) as work:
        code, reason, details = refused(work.Run, work_pb.RunRequest(**named))
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CALL_UNNAMED")
    assert set(fields(details)) == wrong


def test_an_update_is_refused_with_the_attribute_that_is_not_there(echo):
    value = work_pb.RunRequest().args.add(int_value=1)
    update = work_pb.AttributeUpdate(name="colour", value=value)
    with stub(echo) as work:
        code, reason, details = refused(work.Update, work_pb.UpdateRequest(updates=[update]))
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UPDATE_INVALID")
    assert set(fields(details)) == {'updates["colour"]'}


def test_this_packages_client_raises_an_error_that_names_the_field(echo):
    async def check():
        channel = WorkChannel(echo.address, "the echo")
        with pytest.raises(InvalidRequestError, match=r"the echo: attributes.* has no attribute colour") as raised:
            await channel.run("1", "run:1", (), {}, {"colour": 1})
        assert raised.value.violations == {'attributes["colour"]': "Echo has no attribute colour"}
        await channel.close()

    asyncio.run(check())


def test_arguments_that_are_too_large_are_an_error_that_states_the_limit(echo):
    async def check():
        channel = WorkChannel(echo.address, "the echo")
        with pytest.raises(ProtocolError, match="larger than the 64 MiB that one may have"):
            await channel.run("big", "run:big", ("x" * (65 << 20),), {}, {}, deadline_s=DEADLINE_S)
        assert (await channel.describe()).name == "Echo"
        await channel.close()

    asyncio.run(check())


def test_who_comes_too_late_is_told_when_another_try_may_be_worth_it():
    async def drain(served):
        channel = WorkChannel(served.address, served.name)
        async with following(channel, served.epoch) as follower:
            await channel.run("1", "run:1", (), {}, {})
            await follower.until(lambda f: f.vars["entered"] == 1)
            served.terminate()
            await until_it_drains(served)
        await channel.close()

    with serving(f"{SMALL}:Waiting", "--drain", "1m") as served, stub(served) as work:
        asyncio.run(drain(served))
        code, reason, (detail,) = refused(work.Run, work_pb.RunRequest(call_id="2", call_hash="run:2"))
        assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "STOPPING")
        retry = error_details_pb2.RetryInfo()
        assert detail.Unpack(retry)
        assert retry.retry_delay.seconds >= 1
        served.terminate()
        assert served.wait() == 0


async def until_it_drains(served):
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    async with grpc.aio.insecure_channel(served.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=DEADLINE_S)
        async for answer in watch:
            if answer.status == NOT_SERVING:
                return

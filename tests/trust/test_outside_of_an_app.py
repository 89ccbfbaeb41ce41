"""The service of a running app, whose Flow must not notice what intruders do: the same attempts, at the other door."""

from __future__ import annotations

import asyncio
import contextlib
import uuid

import grpc
import pytest
from neighbor import DEADLINE_S, call, in_time, raw_channel
from served_apps import Board, Served

from lightning_grpc import AppClient
from lightning_grpc.errors import ConfigurationError, LightningGrpcError, ProtocolError, UpdateRefusedError
from lightning_grpc.state.delta import Set
from lightning_grpc.wire.app_channel import AppChannel
from lightning_grpc.wire.app_protocol import app_pb
from lightning_grpc.wire.auth import credentials
from lightning_grpc.wire.codec import encode_change, encode_value

APP = "/lightning_grpc.v1.AppService"
METHODS = [
    f"{APP}/{name}"
    for name in (
        "DescribeApp", "GetState", "WatchState", "UpdateState", "ListWorks", "ListCommands", "RunCommand", "StreamLogs",
        "StopApp",
    )
]  # fmt: skip


class Door:
    """The socket of a running app with its token."""

    def __init__(self, served):
        self.served = served
        self.address, self.token, self.tls = served.entry.address, served.entry.read_token(), None


@pytest.fixture(scope="module")
def door():
    with Served(Board()) as served:
        yield Door(served)


@contextlib.asynccontextmanager
async def neighbor(door):
    """Somebody who has the app do something before and after, and watches its state meanwhile."""
    async with door.served.channel() as channel:

        async def works():
            before = await channel.run_command("add", {"number": 0}, 0, DEADLINE_S)
            assert await channel.run_command("add", {"number": 1}, 0, DEADLINE_S) == before + 1

        async def watch():
            async with contextlib.aclosing(channel.watch(0, 0)) as stream:
                async for _ in stream:
                    pass

        watching = asyncio.create_task(watch(), name="a neighbor watches")
        await works()
        yield works
        await works()
        assert not watching.done()
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("token", ["", "wrong"])
def test_no_method_answers_without_the_token(door, method, token):
    async def intrude():
        async with neighbor(door) as works, raw_channel(door) as channel:
            answer = await call(channel, method, metadata=credentials(token))
            assert (answer.code, answer.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REQUIRED")
            await works()

    in_time(intrude())


@pytest.mark.parametrize("method", METHODS)
def test_garbage_is_refused_by_every_method_by_its_name(door, method):
    async def intrude():
        async with neighbor(door) as works, raw_channel(door) as channel:
            for garbage in (b"\xff" * 20, b"\x0b" * 100_000, b"\x0a\x7fabc"):
                answer = await call(channel, method, garbage, credentials(door.token))
                assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_INVALID")
                assert method in answer.details
                await works()

    in_time(intrude())


PATHS = [
    ("vars", "__class__"), ("vars", "__dict__"), ("vars", "_hidden"), ("vars", "_declared"), ("vars", "add"),
    ("vars", ".."), ("vars", ""), ("vars", 0), ("..", "vars", "n"), ("__dict__", "n"), ("flows", "..", "vars", "n"),
    ("flows", "__class__", "vars", "n"), ("flows", "leaf", "__dict__", "n"), ("flows", "leaf", "vars", "__class__"),
    ("structures", "shelf", "vars", "n"), ("calls", "latest_call_hash"), ("works",), ("vars",), ("n",),
    ("flows", "leaf", "vars", "n", "__class__"), ("flows", "leaf", "vars", "table", "a", 99),
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_paths_that_lead_elsewhere_are_refused_and_change_nothing(door, path):
    async def intrude():
        async with neighbor(door) as works, door.served.channel() as channel:
            with pytest.raises((UpdateRefusedError, ProtocolError)):
                await channel.update([Set(("vars", "text"), "intruder"), Set(path, 1)], 0, 0, DEADLINE_S)
            after = await channel.state(DEADLINE_S)
            assert "intruder" not in str(after.document)
            await works()

    in_time(intrude())


@pytest.mark.parametrize("command", ["__class__", "run", "stop", "_tick", "", "..", "leaf.add", "add\0", "a" * 100_000])
def test_what_is_no_command_is_none(door, command):
    async def intrude():
        async with neighbor(door) as works, raw_channel(door) as channel:
            request = app_pb.RunCommandRequest(name=command).SerializeToString()
            answer = await call(channel, f"{APP}/RunCommand", request, credentials(door.token))
            assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, "COMMAND_UNKNOWN")
            await works()

    in_time(intrude())


@pytest.mark.slow
def test_an_update_larger_than_a_message_may_be_is_refused(door):
    async def intrude():
        async with neighbor(door) as works, raw_channel(door) as channel:
            change = encode_change(Set(("vars", "text"), "x" * (65 << 20)))
            request = app_pb.UpdateStateRequest(changes=[change]).SerializeToString()
            answer = await call(channel, f"{APP}/UpdateState", request, credentials(door.token))
            assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert str(64 << 20) in answer.details
            await works()

    in_time(intrude())


def test_a_command_with_arguments_that_mean_nothing_is_refused(door):
    async def intrude():
        async with neighbor(door) as works, raw_channel(door) as channel:
            empty = app_pb.RunCommandRequest(name="add")
            empty.arguments["number"].SetInParent()
            unknown = app_pb.RunCommandRequest(name="add", arguments={"__class__": encode_value(1)})
            for request in (empty, unknown):
                answer = await call(channel, f"{APP}/RunCommand", request.SerializeToString(), credentials(door.token))
                assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
                await works()

    in_time(intrude())


def test_a_client_with_the_wrong_token_is_told_so_in_one_line(door):
    wrong = uuid.uuid4().hex
    with pytest.raises(ConfigurationError) as refused, AppClient(door.address, token=wrong):
        pass
    assert "a token that is not this server's came with it" in str(refused.value)
    assert wrong not in str(refused.value)


def test_a_client_of_an_app_that_has_ended_is_told_that_nobody_listens(tmp_path):
    async def ask():
        channel = AppChannel(f"unix:{tmp_path}/s", "app", "token")
        try:
            with pytest.raises(LightningGrpcError, match="nobody listens"):
                await channel.describe(DEADLINE_S)
        finally:
            await channel.close()

    in_time(ask())

"""Without the token nobody learns anything, nor changes anything, wherever else he writes it."""

from __future__ import annotations

import ast
import hmac
import inspect

import grpc
import pytest
from neighbor import DEADLINE_S, WORK, Neighbor, bearer, call, in_time, raw_channel

from lightning_grpc.errors import ConfigurationError
from lightning_grpc.wire import auth
from lightning_grpc.wire.auth import TokenInterceptor
from lightning_grpc.wire.client import WorkChannel
from lightning_grpc.wire.protocol import work_pb

METHODS = [
    *(f"{WORK}/{name}" for name in ("Describe", "Run", "StateDelta", "Update", "Logs", "Stop", "NoSuchMethod")),
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.health.v1.Health/List",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.channelz.v1.Channelz/GetServers",
    "/no.such.Service/Method",
]
WRONG_PLACES = {
    "none": lambda token: (),
    "wrong token": lambda token: (("authorization", "Bearer wrong"),),
    "part of it": lambda token: (("authorization", f"Bearer {token[:-1]}"),),
    "more than it": lambda token: (("authorization", f"Bearer {token}x"),),
    "empty": lambda token: (("authorization", ""),),
    "no scheme": lambda token: (("authorization", token),),
    "basic scheme": lambda token: (("authorization", f"Basic {token}"),),
    "lower-case scheme": lambda token: (("authorization", f"bearer {token}"),),
    "two spaces": lambda token: (("authorization", f"Bearer  {token}"),),
    "other header": lambda token: (("x-token", token), ("token", token), ("cookie", f"token={token}")),
    "binary header": lambda token: (("authorization-bin", f"Bearer {token}".encode()),),
    "twice": lambda token: (("authorization", f"Bearer {token}"), ("authorization", f"Bearer {token}")),
    "wrong beside right": lambda token: (("authorization", "Bearer wrong"), ("authorization", f"Bearer {token}")),
    "as the Work's name": lambda token: (("work-name", token),),
}


@pytest.mark.parametrize("method", METHODS)
def test_no_method_of_no_service_answers_without_the_token(guarded, method):
    async def intrude():
        async with Neighbor(guarded) as neighbor, raw_channel(guarded) as channel:
            answer = await call(channel, method)
            assert (answer.code, answer.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REQUIRED")
            assert "no token came with it" in answer.details
            assert "authorization: Bearer TOKEN" in answer.details
            await neighbor.is_served()

    in_time(intrude())


def test_a_token_in_the_wrong_place_is_none(guarded):
    async def intrude():
        async with Neighbor(guarded) as neighbor, raw_channel(guarded) as channel:
            for place, metadata in WRONG_PLACES.items():
                answer = await call(channel, f"{WORK}/Describe", metadata=metadata(guarded.token))
                assert (answer.code, answer.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REQUIRED"), place
                assert guarded.token not in answer.details
            await neighbor.is_served()

    in_time(intrude())


def test_a_token_in_the_methods_path_or_in_the_message_is_none(guarded):
    async def intrude():
        async with Neighbor(guarded), raw_channel(guarded) as channel:
            for method in (f"{WORK}/Describe?token={guarded.token}", f"{WORK}/{guarded.token}/Describe"):
                assert (await call(channel, method)).code is grpc.StatusCode.UNAUTHENTICATED
            request = work_pb.RunRequest(call_id=guarded.token, call_hash="h", caller=f"Bearer {guarded.token}")
            answer = await call(channel, f"{WORK}/Run", request.SerializeToString())
            assert answer.code is grpc.StatusCode.UNAUTHENTICATED

    in_time(intrude())


def test_a_refused_run_leaves_nothing_behind(guarded):
    async def intrude():
        async with Neighbor(guarded) as neighbor, raw_channel(guarded) as channel:
            request = work_pb.RunRequest(call_id="intruder", call_hash="intruder")
            request.args.add().text_value = "was here"
            for method in ("Run", "Update", "Stop"):
                assert (await call(channel, f"{WORK}/{method}", request.SerializeToString())).code.name != "OK"
            await neighbor.is_served()
            assert "intruder" not in neighbor.document["calls"]

    in_time(intrude())


@pytest.mark.parametrize(
    ("token", "words"), [(None, "no token came with it"), ("wrong", "a token that is not this server's")]
)
def test_who_forgets_the_token_is_told_what_to_do(guarded, token, words):
    async def forget():
        channel = WorkChannel(guarded.address, "root.w", token)
        try:
            with pytest.raises(ConfigurationError, match=words) as refused:
                await channel.describe(DEADLINE_S)
        finally:
            await channel.close()
        assert str(refused.value).startswith("root.w: ")
        assert "--token-file" in str(refused.value)

    in_time(forget())


def test_with_the_token_every_service_answers(guarded):
    async def come_in():
        async with raw_channel(guarded) as channel:
            for method in (f"{WORK}/Describe", f"{WORK}/StateDelta", "/grpc.health.v1.Health/Check"):
                assert (await call(channel, method, metadata=bearer(guarded))).code is grpc.StatusCode.OK

    in_time(come_in())


def test_the_token_is_compared_in_constant_time(monkeypatch):
    compared = []

    def compare(given, expected):
        compared.append((given, expected))
        return hmac_compare(given, expected)

    hmac_compare = hmac.compare_digest
    monkeypatch.setattr(auth.hmac, "compare_digest", compare)

    class Details:
        method = "/a/b"
        invocation_metadata = (("authorization", "Bearer gues"),)

    async def go_on(_):
        raise AssertionError("let in")

    in_time(TokenInterceptor("guess").intercept_service(go_on, Details()))
    assert compared == [(b"Bearer gues", b"Bearer guess")]
    tree = ast.parse(inspect.getsource(TokenInterceptor))
    operands = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    assert not [each for each in operands if "_expected" in each]

"""`run work --metrics` serves a Work's metrics to Prometheus, and `--admin` gRPC's own view of its connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time

import grpc
import httpx
import pytest
import served_works
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from served_works import SMALL, start

from lightning_grpc.wire.auth import credentials
from lightning_grpc.wire.client import WorkChannel

DEADLINE_S = 40
METRICS = ("--metrics", "127.0.0.1:0")


class Told:
    """What a Work that is served says of itself."""

    def __init__(self, line, process):
        self.process = process
        self.address = line["address"]
        self.url = line.get("metrics", "")

    def numbers(self, **headers):
        """The metrics, by name and labels."""
        answer = self.get(**headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
        return {name: float(number) for name, number in (line.rsplit(" ", 1) for line in lines)}

    def get(self, path="", method="GET", **headers):
        with httpx.Client(trust_env=False, timeout=DEADLINE_S) as client:
            return client.request(method, self.url + path, headers=headers)


@contextlib.contextmanager
def serving(target, *options):
    process = start(f"{SMALL}:{target}", "--port", "0", "--json", *options)
    try:
        yield Told(json.loads(process.stdout.readline()), process)
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE_S)


def wait(condition):
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


async def until(condition):
    await asyncio.to_thread(wait, condition)


def test_runs_are_counted_by_outcome_and_streams_while_they_are_open():
    async def check(served):
        channel = WorkChannel(served.address, "w")
        stream = channel.state_delta(0, 0)
        await anext(stream)
        await channel.run("1", "run:1", (), {}, {})
        name = 'lightning_grpc_work_runs_total{work="Failing",outcome="failed"}'
        await until(lambda: served.numbers()[name] == 1)
        numbers = served.numbers()
        assert numbers['lightning_grpc_work_runs_total{work="Failing",outcome="succeeded"}'] == 0
        assert numbers['lightning_grpc_work_subscribers{work="Failing"}'] == 1
        assert numbers['lightning_grpc_work_running{work="Failing"}'] == 0
        assert numbers['lightning_grpc_work_revision{work="Failing"}'] > 1
        assert numbers['lightning_grpc_work_cuts_total{work="Failing"}'] > 0
        assert numbers["process_cpu_seconds_total"] > 0
        await stream.aclose()
        await channel.close()
        await until(lambda: served.numbers()['lightning_grpc_work_subscribers{work="Failing"}'] == 0)

    with serving("Failing", *METRICS) as served:
        asyncio.run(check(served))


def test_what_runs_and_what_waits_is_told_while_it_does():
    async def check(served):
        channel = WorkChannel(served.address, "w")
        for number in range(3):
            await channel.run(f"{number}", f"run:{number}", (), {}, {})
        await until(lambda: served.numbers()['lightning_grpc_work_running{work="Waiting"}'] == 1)
        assert served.numbers()['lightning_grpc_work_runs_waiting{work="Waiting"}'] == 2
        await channel.stop(DEADLINE_S, "the test is over")
        await channel.close()
        assert await asyncio.to_thread(served.process.wait, DEADLINE_S) == 0

    with serving("Waiting", *METRICS) as served:
        asyncio.run(check(served))


@pytest.fixture
def token_file(tmp_path):
    file = tmp_path / "token"
    file.write_text("secret\n")
    file.chmod(0o600)
    return file


def test_with_a_token_metrics_and_admin_need_it(token_file):
    async def check_admin(served):
        async with grpc.aio.insecure_channel(served.address) as channel:
            stub, request = channelz_pb2_grpc.ChannelzStub(channel), channelz_pb2.GetServersRequest()
            with pytest.raises(grpc.RpcError) as raised:
                await stub.GetServers(request, timeout=DEADLINE_S)
            assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
            answer = await stub.GetServers(request, timeout=DEADLINE_S, metadata=credentials("secret"))
            assert sum(each.data.calls_started for each in answer.server) >= 2

    with serving("Counter", *METRICS, "--admin", "--token-file", token_file) as served:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}):
            answer = served.get(**headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "lightning_grpc_" not in answer.text
        assert served.numbers(Authorization="Bearer secret")
        asyncio.run(check_admin(served))


def test_nothing_but_the_metrics_is_served_and_only_under_its_own_name():
    with serving("Counter", *METRICS) as served:
        assert served.get("/else").status_code == 404
        assert served.get(method="POST").status_code == 405
        assert served.get(Host="evil.example").status_code == 400
        assert served.get(method="HEAD").text == ""


def test_several_works_have_no_metrics_together():
    works = ("--work", f"{SMALL}:Counter=left", "--work", f"{SMALL}:Counter=right")
    process = start(*works, "--port", "0", *METRICS)
    _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert "serve each Work by itself" in err


def test_several_works_have_the_admin_service_of_their_common_server():
    async def check(address):
        async with grpc.aio.insecure_channel(address) as channel:
            answer = await channelz_pb2_grpc.ChannelzStub(channel).GetServers(
                channelz_pb2.GetServersRequest(), timeout=DEADLINE_S
            )
            assert answer.server

    works = ("--work", f"{SMALL}:Counter=left", "--work", f"{SMALL}:Counter=right")
    with served_works.serving(None, *works, "--admin") as served:
        asyncio.run(check(served.address))


def test_a_port_of_metrics_that_is_taken_is_an_error_that_says_so():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(f"{SMALL}:Counter", "--port", "0", "--metrics", f"127.0.0.1:{port}")
        _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert f"port {port} of 127.0.0.1 is taken" in err


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("0.0.0.0:9090", "not on loopback, and metrics are served in plain text"),
        ("10.0.0.1:9090", "not on loopback"),
        ("metrics.example:9090", "not on loopback"),
        ("unix:/tmp/x", "takes HOST:PORT"),
    ],
)
def test_metrics_are_served_on_loopback_or_not_at_all(where, message):
    process = start(f"{SMALL}:Counter", "--port", "0", "--metrics", where)
    out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert message in err
    assert out == ""

"""The Work in JavaScript: it keeps the rules, for the clients of this package, whatever goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from node_works import DEADLINE_S, FOLDER, reason_to_skip, serving, start
from patience import patient_clients

from lightning_grpc.errors import ConfigurationError, ProtocolError, TransportError
from lightning_grpc.state.delta import apply
from lightning_grpc.state.digest import digest
from lightning_grpc.state.subscription import Accepted, Bookmark, Delta, Snapshot, Subscription
from lightning_grpc.wire.auth import credentials
from lightning_grpc.wire.client import WorkChannel

CHECK_S = 150
GRACE_S = 5.0  # the process must not be ended by force on a machine that is busy; what holds is given up after 3 s
WAITING = str(Path(__file__).parent / "waiting.js") + ":Waiting"


class Follower:
    """Follows a Work's state on one channel, as any client would."""

    def __init__(self, channel):
        self.channel = channel
        self.subscription = Subscription()
        self.document = None
        self.revisions = []
        self.proofs = 0

    async def until(self, condition):
        async with asyncio.timeout(DEADLINE_S):
            stream = self.channel.state_delta(self.subscription.epoch or 0, self.subscription.opened())
            async with contextlib.aclosing(stream):
                async for frames in stream:
                    for frame in frames:
                        self.take(frame)
                    if condition(self):
                        return self
        raise AssertionError("the stream has ended")

    def take(self, frame):
        assert isinstance(self.subscription.receive(frame), Accepted)
        if isinstance(frame, Snapshot):
            self.document = frame.document
        elif isinstance(frame, Delta):
            apply(self.document, frame.changes)
            self.revisions.append(frame.revision)
        elif isinstance(frame, Bookmark) and frame.digest is not None:
            assert frame.digest == digest(self.document)
            self.proofs += 1

    def status(self, call_hash):
        entry = self.document["calls"].get(call_hash)
        return entry["statuses"][-1] if entry else {"stage": ""}

    def is_over(self, call_hash):
        return self.status(call_hash)["stage"] in ("succeeded", "failed", "stopped")


@contextlib.asynccontextmanager
async def connected(served, token=None, work=""):
    with patient_clients():
        channel = WorkChannel(served.address, served.name, token, work=work)
    try:
        yield channel
    finally:
        await channel.close()


def with_work(check, *options, target=WAITING):
    """Run a coroutine function with a channel to a Work, and the Work."""

    async def run(served):
        async with connected(served) as channel:
            await check(channel, served)

    with serving(*options, target=target) as served:
        asyncio.run(run(served))


def check_work(address, *options):
    command = [sys.executable, "-m", "lightning_grpc", "check", "work", address, "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_S, check=False)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(CHECK_S + 20)  # about 10 s on a machine that has nothing else to do
def test_it_keeps_every_rule_of_the_protocol():
    with serving() as served:
        arguments = ("--run-args", '["one two three"]', "--fail-args", '["x", "no_locale!"]', "--attribute", "title")
        code, report = check_work(served.address, *arguments, "--stop")
        assert [each for each in report["rules"] if each["outcome"] != "passed"] == []
        assert code == 0
        assert served.wait() == 0


def test_its_values_and_digests_are_those_of_the_vectors():
    if reason_to_skip():
        pytest.skip(reason_to_skip())
    done = subprocess.run(
        ["node", "--test"], cwd=FOLDER, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "pass 4" in done.stdout


def test_revisions_follow_one_another_and_a_stream_is_resumed():
    async def check(channel, _served):
        follower = Follower(channel)
        await channel.run("1", "run:1", ("slowly", 20_000), {}, {})
        for count in (500, 5_000):
            await follower.until(lambda f, count=count: f.document["vars"]["count"] >= count)
        await follower.until(lambda f: f.is_over("run:1"))
        assert follower.document["vars"]["count"] == 20_000
        assert follower.subscription.resyncs == 0
        assert follower.revisions == list(range(follower.revisions[0], follower.revisions[-1] + 1))
        await follower.until(lambda f: f.proofs)

    with_work(check)


def test_history_that_is_gone_is_a_snapshot_and_history_that_is_there_is_not():
    async def check(channel, _served):
        first = (await Follower(channel).until(lambda f: f.document)).subscription.revision
        at = first
        for n in range(6):  # together more than the 4 MiB that are kept
            at, conflicts = await channel.update({"items": (["x" * (1 << 20), n], at)})
            assert conflicts == {}
        for after, kind in ((first, Snapshot), (at + 1000, Snapshot), (at - 1, Delta), (at, Bookmark)):
            async with contextlib.aclosing(channel.state_delta(0, after)) as stream:
                frames = []
                while not frames:
                    frames = await anext(stream)
            assert isinstance(frames[0], kind)
            assert frames[0].revision == at

    with_work(check)


@pytest.mark.parametrize(
    ("what", "reason", "exception", "message"),
    [
        ("throw", "user_exception", "RangeError", "waiting.js"),
        ("return", "invalid_return_value", "InvalidReturn", "shall return nothing"),
        ("assign", "user_exception", "InvalidValue", "an object of the class Date is no value"),
    ],
)
def test_a_failure_is_told_with_its_reason_and_the_next_run_is_made(what, reason, exception, message):
    async def check(channel, _served):
        await channel.run("1", "run:1", (what,), {}, {})
        await channel.run("2", "run:2", ("", 3), {}, {})
        follower = await Follower(channel).until(lambda f: f.is_over("run:2"))
        status = follower.status("run:1")
        assert (status["stage"], status["reason"], status["exception"]) == ("failed", reason, exception)
        assert message in status["message"]
        assert status["raised"] is True
        assert follower.status("run:2")["stage"] == "succeeded"
        assert follower.document["vars"]["count"] == 3
        answer = await channel.run("1", "run:1", (what,), {}, {})
        assert answer.already_known
        assert answer.final_status == status

    with_work(check)


@pytest.mark.parametrize("what", ["spin", pytest.param("hold", marks=pytest.mark.slow)])
def test_stop_ends_a_run_and_those_that_wait_and_then_the_process(what):
    async def check(channel, served):
        follower = Follower(channel)
        await channel.run("1", "run:1", (what,), {}, {})
        await channel.run("2", "run:2", (what,), {}, {})
        stops = []

        def is_over(follower):  # on one stream, from before the Work is stopped to its end
            if not stops and follower.status("run:1")["stage"] == "running":
                stops.append(asyncio.create_task(channel.stop(GRACE_S, "the test is over")))
            return follower.is_over("run:2")

        await follower.until(is_over)
        await stops[0]
        assert follower.status("run:1")["stage"] == follower.status("run:2")["stage"] == "stopped"
        assert follower.status("run:1")["message"] == "the test is over"
        assert await asyncio.to_thread(served.wait) == 0
        assert "the hook was called\n" in served.lines

    with_work(check)


def test_sigterm_ends_it_in_order():
    async def check(channel, served):
        follower = Follower(channel)
        await channel.run("1", "run:1", ("spin",), {}, {})
        signals = []

        def is_over(follower):
            if not signals and follower.status("run:1")["stage"] == "running":
                signals.append(served.process.terminate())
            return follower.is_over("run:1")

        await follower.until(is_over)
        assert follower.status("run:1")["stage"] == "stopped"
        assert await asyncio.to_thread(served.wait) == 0

    with_work(check)


def test_an_update_is_made_unless_the_attribute_has_changed():
    async def check(channel, _served):
        revision = (await channel.describe()).revision
        assert (await channel.describe()).receives_updates
        at, conflicts = await channel.update({"rate": (2.5, revision), "items": ([], revision)})
        assert conflicts == {}
        assert at > revision
        _, conflicts = await channel.update({"rate": (3.5, revision), "count": (7, revision)})
        assert conflicts == {"rate": at}
        follower = await Follower(channel).until(lambda f: f.document["vars"]["count"] == 7)
        assert follower.document["vars"]["rate"] == 2.5
        with pytest.raises(ProtocolError, match="no attribute __proto__"):
            await channel.update({"__proto__": (1, 0)})

    with_work(check)


def test_what_cannot_be_is_refused_by_reasons_and_it_serves_on():
    async def check(channel, served):
        path = "/lightning_grpc.v1.WorkService/"
        async with grpc.aio.insecure_channel(served.address) as raw:
            assert await refused(raw, f"{path}Run", b"\xff\xff") == ("INVALID_ARGUMENT", "MESSAGE_INVALID")
            assert await refused(raw, f"{path}Run", b"") == ("INVALID_ARGUMENT", "CALL_UNNAMED")
            assert await refused(raw, f"{path}Run", b"\x0a\x01a\x12\x01b\x30\x01") == (
                "FAILED_PRECONDITION",
                "EPOCH_MISMATCH",
            )
            elsewhere = (("work-name", "nobody"),)
            assert await refused(raw, f"{path}Describe", b"", elsewhere) == ("NOT_FOUND", "WORK_UNKNOWN")
        with pytest.raises(ProtocolError, match="takes no argument nothing"):
            await channel.run("1", "run:1", (), {"nothing": 1}, {})
        with pytest.raises(ProtocolError, match="no attribute __proto__"):
            await channel.run("1", "run:1", (), {}, {"__proto__": 1})
        assert (await channel.describe()).class_name == "Waiting"

    with_work(check)


async def refused(channel, method, request, metadata=()):
    """Make a call that is refused; returns the code and the reason."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(method)(request, timeout=DEADLINE_S, metadata=metadata)
    error = caught.value
    details = dict(iter(error.trailing_metadata()))["grpc-status-details-bin"]
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(details).details[0].Unpack(info)
    assert info.domain == "lightning_grpc"
    return error.code().name, info.reason


def test_nothing_is_answered_without_the_token(tmp_path):
    token = tmp_path / "token"
    token.write_text("a-secret\n")

    async def check(served):
        for wrong in (None, "another"):
            async with connected(served, wrong) as stranger:
                with pytest.raises(ConfigurationError, match="token"):
                    await stranger.describe()
                with pytest.raises(ConfigurationError, match="token"):
                    await anext(stranger.state_delta(0, 0))
        async with connected(served, "a-secret") as channel, grpc.aio.insecure_channel(served.address) as raw:
            assert (await channel.describe()).class_name == "Waiting"
            assert (await Follower(channel).until(lambda f: f.document)).document["vars"]["items"] == [1, 2]
            health = health_pb2_grpc.HealthStub(raw)
            service = health_pb2.HealthCheckRequest(service="lightning_grpc.v1.WorkService")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await health.Check(service, timeout=DEADLINE_S)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            metadata = credentials("a-secret")
            answer = await health.Check(service, metadata=metadata, timeout=DEADLINE_S)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            reflection = reflection_pb2_grpc.ServerReflectionStub(raw)
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            listed = await reflection.ServerReflectionInfo(
                iter([request]), metadata=metadata, timeout=DEADLINE_S
            ).read()
            names = {each.name for each in listed.list_services_response.service}
            assert "lightning_grpc.v1.WorkService" in names

    with serving("--token-file", token, target=WAITING) as served:
        asyncio.run(check(served))


def test_what_it_prints_is_read_and_a_unix_socket_will_do(tmp_path):
    async def check(channel, served):
        await channel.run("1", "run:1", ("one two", "en"), {}, {"title": "a title"})
        await Follower(channel).until(lambda f: f.is_over("run:1"))
        async with contextlib.aclosing(channel.logs(10, follow=False)) as logs:
            lines = [line async for batch, _ in logs for line in batch]
        assert [(line.component, line.kind, line.text) for line in lines][-1] == (
            "words",
            "stdout",
            "a title: 2 words, 2 different ones",
        )

    with_work(check, "--name", "words", "--bind", f"unix:{tmp_path}/w.sock", target="segmenter.js:Segmenter")


def test_it_does_not_listen_to_the_network_without_tls_and_token():
    if reason_to_skip():
        pytest.skip(reason_to_skip())
    process = start("--bind", "0.0.0.0:0")
    out, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 2
    assert "not on loopback" in out


def test_a_work_that_went_away_is_told_as_such():
    async def check(channel, served):
        await channel.describe()
        served.process.kill()
        await asyncio.to_thread(served.wait)
        with pytest.raises(TransportError):
            await channel.describe(1.0)

    with_work(check)

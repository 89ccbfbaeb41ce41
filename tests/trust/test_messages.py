"""Messages that no well-meaning client sends: each is refused in words, and nobody else notices."""

from __future__ import annotations

import math
import random
import uuid

import grpc
import pytest
from neighbor import DEADLINE_S, WORK, Neighbor, bearer, call, in_time, raw_channel

from lightning_grpc.errors import ProtocolError
from lightning_grpc.wire.client import WorkChannel
from lightning_grpc.wire.codec import FrameReader, encode_value
from lightning_grpc.wire.protocol import work_pb

MIB = 1 << 20
METHODS = [f"{WORK}/{name}" for name in ("Describe", "Run", "StateDelta", "Update", "Logs", "Stop")]
OTHER_METHODS = ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"]
GARBAGE = {
    "a tag without an end": b"\xff" * 20,
    "a group that nobody closes": b"\x0b\x0b\x0b",
    "a length beyond the end": b"\x0a\x7fabc",
    "a wire type that does not exist": b"\x0f\x01",
    "groups, deeper than any stack": b"\x0b" * 100_000,
    "random bytes": random.Random(5).randbytes(1000),
}


def run_request(**fields):
    fields = {"call_id": uuid.uuid4().hex, "call_hash": "intruder", **fields}
    return work_pb.RunRequest(**fields).SerializeToString()


def updates(**values):
    return work_pb.UpdateRequest(
        updates=[
            work_pb.AttributeUpdate(name=name, value=encode_value(value), base_revision=2**60)
            for name, value in values.items()
        ]
    ).SerializeToString()


def field(number, body):
    """A field of a message, written by hand."""
    length = bytearray()
    rest = len(body)
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([number << 3 | 2, *length, rest]) + body


def nested(levels):
    """The bytes of a Run with one argument: a list in a list in a list ..."""
    value = b"\x18\x02"
    for _ in range(levels):
        value = field(7, field(1, value))
    return run_request() + field(3, value)


def refused(guarded, calls, *, code=grpc.StatusCode.INVALID_ARGUMENT, reason, words):
    """Make calls beside a neighbor, who must not notice; all of them are to end with one error."""

    async def intrude():
        async with Neighbor(guarded) as neighbor, raw_channel(guarded) as channel:
            for method, request in calls:
                answer = await call(channel, method, request, bearer(guarded))
                assert (answer.code, answer.reason) == (code, reason), (answer, request[:50])
                for word in words:
                    assert word.replace("METHOD", method) in answer.details
                await neighbor.is_served()
            assert "intruder" not in neighbor.document["calls"]

    in_time(intrude())


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_refused_by_every_method_by_its_name(guarded, garbage):
    calls = [(method, GARBAGE[garbage]) for method in (*METHODS, *OTHER_METHODS)]
    refused(guarded, calls, reason="MESSAGE_INVALID", words=["METHOD", ".proto"])


def test_garbage_for_reflection_is_refused_too(guarded):
    async def intrude():
        async with Neighbor(guarded), raw_channel(guarded) as channel:
            method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
            stream = channel.stream_stream(method)(metadata=bearer(guarded), timeout=DEADLINE_S)
            await stream.write(GARBAGE["a length beyond the end"])
            with pytest.raises(grpc.RpcError) as failed:
                await stream.read()
            assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert method in failed.value.details()

    in_time(intrude())


def test_a_message_cut_short_or_with_a_text_that_is_none_is_refused(guarded):
    whole = run_request(args=[encode_value("some text")])
    calls = [(f"{WORK}/Run", whole[:-2]), (f"{WORK}/Run", b"\x0a\x02\xff\xfe")]
    refused(guarded, calls, reason="MESSAGE_INVALID", words=["METHOD"])


@pytest.mark.parametrize("levels", [50, 100, 20_000])
def test_a_value_nested_deeper_than_a_message_may_be_is_refused(guarded, levels):
    refused(guarded, [(f"{WORK}/Run", nested(levels))], reason="MESSAGE_INVALID", words=["METHOD", "nested too deep"])


@pytest.mark.parametrize("levels", [42, 48])
def test_a_value_nested_deeper_than_a_value_may_be_is_refused(guarded, levels):
    refused(guarded, [(f"{WORK}/Run", nested(levels))], reason="ARGUMENT_INVALID", words=["more than 40 containers"])


def test_values_without_a_meaning_are_refused(guarded):
    empty = work_pb.RunRequest(call_id="i", call_hash="intruder")
    empty.args.add()
    unequal = work_pb.RunRequest(call_id="i", call_hash="intruder")
    unequal.args.add().dict_value.keys.add().text = "a"
    twice = work_pb.RunRequest(call_id="i", call_hash="intruder")
    for _ in range(2):
        twice.kwargs["table"].dict_value.keys.add().text = "same"
        twice.kwargs["table"].dict_value.values.add().int_value = 1
    several = work_pb.RunRequest(call_id="i", call_hash="intruder")
    several.attributes["args"].list_value.ints.append(1)
    several.attributes["args"].list_value.texts.append("a")
    unknown = run_request() + field(3, b"\xf8\x07\x01")  # a Value whose only field is one of the future
    requests = [each.SerializeToString() for each in (empty, unequal, twice, several)]
    calls = [(f"{WORK}/Run", request) for request in (*requests, unknown)]
    refused(guarded, calls, reason="MESSAGE_INVALID", words=[])


@pytest.mark.parametrize("size_mib", [pytest.param(65, marks=pytest.mark.slow), 100])
def test_a_run_with_arguments_larger_than_a_message_may_be_is_refused(guarded, size_mib):
    request = run_request(args=[encode_value("x" * (size_mib * MIB))])
    words = ["larger than max", str(64 * MIB)]
    refused(guarded, [(f"{WORK}/Run", request)], code=grpc.StatusCode.RESOURCE_EXHAUSTED, reason="", words=words)


def test_this_packages_client_says_how_large_the_message_was_and_may_be(guarded):
    async def send():
        async with Neighbor(guarded):
            channel = WorkChannel(guarded.address, "root.w", guarded.token)
            try:
                with pytest.raises(ProtocolError) as failed:
                    await channel.run("i", "intruder", ("x" * (100 * MIB),), {}, {}, deadline_s=DEADLINE_S)
            finally:
                await channel.close()
        assert "root.w: a message of 100.0 MiB is larger than the 64 MiB that one may have" in str(failed.value)

    in_time(send())


def test_a_small_message_that_unpacks_to_a_large_one_is_refused(guarded):
    async def intrude():
        async with Neighbor(guarded) as neighbor, raw_channel(guarded) as channel:
            answer = await call(
                channel, f"{WORK}/Run", bytes(200 * MIB), bearer(guarded), compression=grpc.Compression.Gzip
            )
            assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "larger than max" in answer.details
            await neighbor.is_served()

    in_time(intrude())


@pytest.mark.parametrize("key", ["latest_call_hash", "start"])
def test_a_call_cannot_take_the_place_of_the_works_own_entries(guarded, key):
    calls = [(f"{WORK}/Run", run_request(call_hash=key))]
    refused(guarded, calls, reason="ARGUMENT_INVALID", words=[repr(key), "give another one"])


@pytest.mark.parametrize("name", ["call_id", "call_hash", "caller"])
def test_names_that_would_fill_the_state_are_refused(guarded, name):
    calls = [(f"{WORK}/Run", run_request(**{name: "é" * 501}))]
    refused(guarded, calls, reason="ARGUMENT_INVALID", words=[name, "longer than 1,000 bytes"])


@pytest.mark.parametrize("number", [math.nan, math.inf, -1.0, -math.inf])
def test_times_that_are_none_are_refused(guarded, number):
    calls = [
        (f"{WORK}/Run", run_request(requested_at_s=number)),
        (f"{WORK}/Stop", work_pb.StopRequest(grace_s=number).SerializeToString()),
    ]
    refused(guarded, calls, reason="ARGUMENT_INVALID", words=["is a number of seconds, not"])


NO_ATTRIBUTES = [
    "__class__", "__dict__", "__init__", "_backend", "_watcher", "_declared", "_calls", "run", "on_exit",
    "receive_updates", "", ".", "..", "../args", "args.0", "args[0]", "vars", "calls", "root", "args\0", "Args",
]  # fmt: skip


@pytest.mark.parametrize("name", NO_ATTRIBUTES)
def test_names_that_lead_elsewhere_are_no_attributes(guarded, name):
    attributes = {name: encode_value("intruder")}
    refused(
        guarded,
        [(f"{WORK}/Run", run_request(attributes=attributes))],
        reason="ARGUMENT_INVALID",
        words=["no attribute"],
    )
    refused(
        guarded, [(f"{WORK}/Update", updates(**{name: "intruder"}))], reason="UPDATE_INVALID", words=["no attribute"]
    )


def test_an_update_with_one_wrong_name_changes_nothing(guarded):
    async def intrude():
        async with Neighbor(guarded) as neighbor, raw_channel(guarded) as channel:
            request = updates(kwargs={"was": "here"}, __class__="intruder")
            answer = await call(channel, f"{WORK}/Update", request, bearer(guarded))
            assert answer.reason == "UPDATE_INVALID"
            await neighbor.is_served()
            assert neighbor.document["vars"]["kwargs"] == {}

    in_time(intrude())


def test_an_error_about_a_long_name_is_short_enough_to_arrive(guarded):
    attributes = {"ä" * MIB: encode_value(1)}
    refused(guarded, [(f"{WORK}/Run", run_request(attributes=attributes))], reason="ARGUMENT_INVALID", words=[" ..."])


def test_unknown_fields_are_ignored(guarded):
    unknown = b"\xc2\x3e\x05hello"  # field 1000, a text

    async def send():
        async with Neighbor(guarded) as neighbor, raw_channel(guarded) as channel:
            for method in (f"{WORK}/Describe", f"{WORK}/StateDelta", f"{WORK}/Update", "/grpc.health.v1.Health/Check"):
                assert (await call(channel, method, unknown, bearer(guarded))).code is grpc.StatusCode.OK
            request = run_request(call_hash="known", args=[encode_value("known")]) + unknown
            assert (await call(channel, f"{WORK}/Run", request, bearer(guarded))).code is grpc.StatusCode.OK
            await neighbor.is_served()
            assert neighbor.document["calls"]["known"]["successes"] == 1

    in_time(send())


def test_an_enum_value_of_the_future_is_the_null_it_stands_for(guarded):
    future_null = field(3, b"\x08\x63")  # null_value = 99

    async def send():
        async with Neighbor(guarded) as neighbor, raw_channel(guarded) as channel:
            answer = await call(channel, f"{WORK}/Run", run_request(call_hash="null") + future_null, bearer(guarded))
            assert answer.code is grpc.StatusCode.OK
            await neighbor.is_served()
            assert neighbor.document["calls"]["null"]["successes"] == 1

    in_time(send())


def test_numbers_at_the_ends_of_their_ranges_are_answered(guarded):
    most = 2**64 - 1

    async def send():
        async with Neighbor(guarded), raw_channel(guarded) as channel:
            request = work_pb.StateDeltaRequest(after_revision=most).SerializeToString()
            answer = await call(channel, f"{WORK}/StateDelta", request, bearer(guarded))
            (frame,) = FrameReader().read(work_pb.StateDeltaResponse.FromString(answer.data))
            assert type(frame).__name__ == "Snapshot"
            request = work_pb.StateDeltaRequest(epoch=most).SerializeToString()
            answer = await call(channel, f"{WORK}/StateDelta", request, bearer(guarded))
            assert answer.reason == "EPOCH_MISMATCH"
            request = work_pb.LogsRequest(tail=2**32 - 1).SerializeToString()
            assert (await call(channel, f"{WORK}/Logs", request, bearer(guarded))).code is grpc.StatusCode.OK

    in_time(send())


def test_an_integer_too_long_to_be_printed_is_a_value_like_any_other(guarded):
    async def send():
        async with Neighbor(guarded) as neighbor, raw_channel(guarded) as channel:
            request = run_request(call_hash="long", kwargs={"number": encode_value(1 << 80_000)})
            assert (await call(channel, f"{WORK}/Run", request, bearer(guarded))).code is grpc.StatusCode.OK
            await neighbor.sees(lambda document: document["vars"]["kwargs"] == {"number": 1 << 80_000})
            await neighbor.is_served()

    in_time(send())


def test_methods_and_services_that_do_not_exist_are_unimplemented(guarded):
    async def send():
        async with Neighbor(guarded), raw_channel(guarded) as channel:
            for method in (f"{WORK}/Format", "/no.such.Service/Run", "/", "//", f"{WORK}/../Stop", f"{WORK}/run"):
                answer = await call(channel, method, b"", bearer(guarded))
                assert answer.code is grpc.StatusCode.UNIMPLEMENTED, method

    in_time(send())


def test_headers_larger_than_they_may_be_are_refused(guarded):
    async def send():
        async with Neighbor(guarded) as neighbor, raw_channel(guarded) as channel:
            metadata = (*bearer(guarded), ("x-large", "x" * 64_000))
            answer = await call(channel, f"{WORK}/Describe", metadata=metadata)
            assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "metadata" in answer.details
            await neighbor.is_served()

    in_time(send())

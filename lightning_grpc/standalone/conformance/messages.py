"""Rules of messages that are newer than the server, have no meaning, are too large, or nested too deep."""

from __future__ import annotations

import math
from typing import Any

from lightning_grpc.standalone.conformance.entries import statuses_of
from lightning_grpc.standalone.conformance.offer import Arguments
from lightning_grpc.standalone.conformance.probe import Probe
from lightning_grpc.standalone.conformance.rules import Broken, Skipped, rule
from lightning_grpc.state.values import MAX_DEPTH, Value, same
from lightning_grpc.wire.options import MAX_MESSAGE_BYTES
from lightning_grpc.wire.protocol import work_pb

_GROUP = "messages"
_UNKNOWN_FIELDS = b"\xf8\xff\x01\x07" + b"\xfa\xff\x01\x03abc"  # field 4095: a number, and bytes
_MALFORMED = {
    "a field that never ends": b"\xff" * 9,
    "a field that is longer than the message": b"\x0a\x7fabc",
    "the end of a group that never began": b"\x0c",
}
_NO_ANSWERS = ("OK", "UNKNOWN", "INTERNAL", "DEADLINE_EXCEEDED", "UNAVAILABLE", "CANCELLED", "DATA_LOSS")
_LARGE_DEADLINE_S = 60.0
_DEPTHS = (MAX_DEPTH + 1, 1000)
_EXACT: Value = [
    *(None, True, False, 0, 1, -1, 2**53 + 1, -(2**63), 2**63 - 1, 2**64, -(2**200), 0.0, -0.0, 1.0, 0.1, 5e-324),
    *(math.inf, -math.inf, math.nan, "", "é", "\U0001f600", "\0", [], (), {}, [1, 2, 3, 4], [1.0, 2.0, 3.0, 4.0]),
    *(
        ["a", "b", "c", "d"],
        [1, 1.0, True, "1", None],
        (1, (2.5, [])),
        {"1": 1, 1: "1", -(2**70): None, "": {"a": [{}]}},
    ),
]


@rule("unknown-fields-are-ignored", _GROUP, "Fields that a server does not know do not disturb it.", "workservice")
async def _unknown_fields_are_ignored(probe: Probe) -> None:
    epoch = (await probe.describe()).epoch
    answer = await probe.ask("Describe", work_pb.DescribeRequest().SerializeToString() + _UNKNOWN_FIELDS)
    probe.expect_code(answer, ("OK",), "Describe with unknown fields")
    call_hash, call_id = probe.call()
    async with probe.subscribe(epoch, raw=_UNKNOWN_FIELDS) as feed:
        await feed.until_snapshot(probe.patience.answer_s)
        request = probe.run_request(call_hash, call_id).SerializeToString() + _UNKNOWN_FIELDS
        probe.expect_code(await probe.ask("Run", request), ("OK",), "Run with unknown fields")
        await feed.until_over(call_hash, call_id, probe.patience.run_s)


@rule("unknown-kinds-are-handled", _GROUP, "A value of an unknown kind is refused, or fails the execution.", "errors")
async def _unknown_kinds_are_handled(probe: Probe) -> None:
    call_hash, call_id = probe.call()
    for what, value in (("an unknown kind", _UNKNOWN_FIELDS), ("no kind", b""), ("an unknown null", b"\x08\x63")):
        request = probe.run_request(call_hash, call_id, Arguments()).SerializeToString()
        answer = await probe.ask("Run", request + b"\x1a" + bytes([len(value)]) + value)
        probe.expect_code(answer, ("OK", "INVALID_ARGUMENT"), f"Run with a value of {what}")
        await probe.expect_alive(f"a Run with a value of {what}")


@rule(
    "malformed-messages-get-a-status",
    _GROUP,
    "What is no message is refused with a canonical status, and neither UNKNOWN nor INTERNAL.",
    "errors",
)
async def _malformed_messages_get_a_status(probe: Probe) -> None:
    for what, data in _MALFORMED.items():
        for method in ("Describe", "Run", "Update"):
            answer = await probe.ask(method, data)
            if answer.code in _NO_ANSWERS:
                raise Broken(f"{method} with {what} was answered with {answer}")
        for method in ("StateDelta", "Logs"):
            ended, _ = await probe.first_message(method, data)
            if ended is None or ended.code in _NO_ANSWERS:
                raise Broken(f"{method} with {what} was answered with {ended or 'a message'}")
    await probe.expect_alive("messages without a meaning")


@rule("unknown-method-is-unimplemented", _GROUP, "A method that is not there is answered UNIMPLEMENTED.", "errors")
async def _unknown_method_is_unimplemented(probe: Probe) -> None:
    probe.expect_code(await probe.ask("NoSuchMethod", b""), ("UNIMPLEMENTED",), "NoSuchMethod")


@rule(
    "too-large-message-is-refused",
    _GROUP,
    "A message of more than 64 MiB is refused with RESOURCE_EXHAUSTED, and the server goes on.",
    "limits",
)
async def _too_large_message_is_refused(probe: Probe) -> None:
    call_hash, call_id = probe.call()
    request = probe.run_request(call_hash, call_id, Arguments(("x" * (MAX_MESSAGE_BYTES + 1),)))
    answer = await probe.ask("Run", request, max(probe.patience.answer_s, _LARGE_DEADLINE_S))
    probe.expect_code(answer, ("RESOURCE_EXHAUSTED",), "Run with arguments of more than 64 MiB")
    await probe.expect_alive("a message of more than 64 MiB")


@rule("large-message-is-taken", _GROUP, "A message of up to 64 MiB is taken.", "limits")
async def _large_message_is_taken(probe: Probe) -> None:
    call_hash, _ = probe.call()
    request = probe.run_request(call_hash, "", Arguments(("x" * (MAX_MESSAGE_BYTES // 4),)))
    answer = await probe.ask("Run", request, max(probe.patience.answer_s, _LARGE_DEADLINE_S))
    if answer.code == "RESOURCE_EXHAUSTED":  # without a call_id it is refused, after it was taken
        raise Broken(f"Run with arguments of {MAX_MESSAGE_BYTES >> 22} MiB was answered with {answer}")
    await probe.expect_alive("a large message")


@rule(
    "too-deep-value-is-refused", _GROUP, "A value that is nested too deep is refused, and the server goes on.", "limits"
)
async def _too_deep_value_is_refused(probe: Probe) -> None:
    call_hash, call_id = probe.call()
    for depth in _DEPTHS:
        request = probe.run_request(call_hash, call_id, Arguments()).SerializeToString()
        answer = await probe.ask("Run", request + _field(3, _nested(depth)))
        if answer.code in _NO_ANSWERS:
            raise Broken(f"Run with a value of {depth} nested lists was answered with {answer}")
        await probe.expect_alive(f"a value of {depth} nested lists")


@rule(
    "values-are-exact",
    _GROUP,
    "A value that is set is shown as it was given, in value and in type.",
    "documents-values-and-changes",
)
async def _values_are_exact(probe: Probe) -> None:
    name = probe.offer.attribute
    if not name:
        raise Skipped("no attribute is known that may hold any value; name one")
    async with probe.subscribe() as feed:
        before = (await feed.until_snapshot(probe.patience.answer_s))["vars"].get(name)
    try:
        entry, document = await probe.execute(attributes={name: _EXACT})
    finally:
        await probe.execute(2, attributes={name: before})
    last = statuses_of(entry)[-1]
    if last.get("reason") == "refused":
        raise Broken(f"the attribute {name} was not set: {last}")
    shown = document["vars"].get(name)
    if not isinstance(shown, list) or len(shown) != len(_EXACT):
        raise Broken(f"the attribute {name} was set to a list of {len(_EXACT)} values, and is {str(shown)[:200]}")
    wrong = [(given, found) for given, found in zip(_EXACT, shown, strict=True) if not same(given, found)]
    if wrong:
        given, found = wrong[0]
        raise Broken(f"{len(wrong)} values are not what was given; the first is {found!r}, and was {given!r}")


def _nested(depth: int) -> bytes:
    """Return a serialized Value of empty lists in one another; each is a Value with a Sequence with a Value."""
    value = _field(7, b"")
    for _ in range(depth - 1):
        value = _field(7, _field(1, value))
    return value


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    parts: list[Any] = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])

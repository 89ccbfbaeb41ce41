"""The protocol's document says what the code does: names, reasons, stages, limits, versions."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from lightning_grpc.components.calls import _NEXT_STAGES
from lightning_grpc.components.status import UNREACHABLE, WorkFailureReasons, WorkStageStatus, WorkStopReasons
from lightning_grpc.state.values import MAX_DEPTH
from lightning_grpc.v1 import value_pb2 as pb
from lightning_grpc.v1 import work_service_pb2 as work_pb
from lightning_grpc.wire.codec import CHUNK_BYTES, MAX_FRAME_BYTES
from lightning_grpc.wire.options import MAX_MESSAGE_BYTES, MAX_STREAMS
from lightning_grpc.wire.protocol import PROTOCOL_MAJOR, PROTOCOL_MINOR
from lightning_grpc.wire.status import MAX_TEXT_BYTES
from lightning_grpc.wire.stream import PROOF_BEATS, QUIET_BEATS
from lightning_grpc.worker.order_queue import MAX_WAITING, MAX_WAITING_BYTES
from lightning_grpc.worker.remembered import MAX_RUNS, MAX_STATUSES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
NOT_FROM = {"pending": {"succeeded"}}
"""What the code would let pass, and no Work does."""
FILES = [descriptor_pb2.FileDescriptorProto() for _ in range(2)]
for file, module in zip(FILES, (pb, work_pb), strict=True):
    module.DESCRIPTOR.CopyToProto(file)
MESSAGES = sorted(message.name for file in FILES for message in file.message_type)
METHODS = sorted(method.name for file in FILES for service in file.service for method in service.method)


def section(title):
    """The text below a heading, up to the next one of its rank."""
    return re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,2}} |\Z)", PAGE, re.MULTILINE | re.DOTALL)[2]


def rows(title):
    """The first cells of the tables in a section, each as the codes in it."""
    return [re.findall(r"`([^`]+)`", cell) for cell in re.findall(r"^\| ([^|]+) \|", section(title), re.MULTILINE)]


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_is_spoken_of(name):
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_its_row(name):
    assert [name] in rows("WorkService")


@pytest.mark.parametrize("field", [field.name for field in pb.Value.DESCRIPTOR.fields])
def test_every_kind_of_value_has_its_row(field):
    assert f"| `{field}` |" in PAGE


def reasons_of_works():
    """What the code of Works refuses calls with: texts in capitals that are given to `abort`, or to what calls it."""
    found = set()
    for folder in ("worker", "wire"):
        for path in (ROOT / "lightning_grpc" / folder).glob("*.py"):
            if path.name in ("refusals.py", "raw_client.py"):
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    texts = [each.value for each in node.args if isinstance(each, ast.Constant)]
                    name = ast.unparse(node.func).rpartition(".")[2]
                    if name.lstrip("_").startswith(("abort", "refuse", "NotMeant")):
                        found |= {text for text in texts if isinstance(text, str) and text.isupper()}
    return found


def test_the_reasons_of_refusals_are_those_of_the_code():
    told = {reason for names in rows("Errors") for reason in names}
    known = reasons_of_works()
    assert len(known) >= 8
    assert known <= told
    assert told <= known


def test_the_stages_and_what_may_follow_them_are_those_of_the_code():
    told = {stage for names in rows("The entry of a call") for stage in names}
    known = {value for name, value in vars(WorkStageStatus).items() if name.isupper()} - {"not_started"}
    assert known <= told
    for stage in ("pending", "running", "started"):
        [line] = re.findall(rf"^\| `{stage}` \| (.*) \| .* \|$", section("The entry of a call"), re.MULTILINE)
        assert {*re.findall(r"`([a-z]+)`", line)} - {"start"} == _NEXT_STAGES[stage] - NOT_FROM.get(stage, set())


def test_every_reason_of_a_status_is_spoken_of():
    reasons = {
        value
        for kinds in (WorkFailureReasons, WorkStopReasons)
        for name, value in vars(kinds).items()
        if name.isupper()
    } | {UNREACHABLE}
    assert len(reasons) >= 9
    for reason in reasons:
        assert f"`{reason}`" in section("The entry of a call")


def test_the_limits_are_those_of_the_code():
    limits = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]*\|$", section("Limits"), re.MULTILINE))
    assert limits["one message, so also the arguments of a call"] == f"{MAX_MESSAGE_BYTES >> 20} MiB"
    assert limits["a frame put together from chunks"] == f"{MAX_FRAME_BYTES >> 20} MiB"
    assert limits["a chunk, as this implementation makes them"] == f"{CHUNK_BYTES >> 20} MiB"
    assert limits["containers nested in one another in a value"] == str(MAX_DEPTH)
    waiting = f"{MAX_WAITING:,}; {MAX_WAITING_BYTES >> 20} MiB of requests"
    assert limits["executions that wait in a Work"] == waiting
    assert limits["requests that a Work remembers"] == f"the last {MAX_RUNS:,}"
    assert limits["final statuses that a Work remembers"] == f"the last {MAX_STATUSES:,}"
    assert limits["the message of a refusal"] == f"{MAX_TEXT_BYTES:,} bytes"
    assert limits["calls and streams on one connection; any number on a unix socket"] == f"{MAX_STREAMS:,}"


def test_bookmarks_come_as_often_as_it_says():
    words = {3: "three", 20: "twenty"}
    assert f"a bookmark at least every {words[QUIET_BEATS]} seconds" in PAGE
    assert f"at least every {words[PROOF_BEATS]} seconds" in section("The stream")


def test_the_version_is_that_of_the_code_and_every_released_one_has_its_row():
    assert f"Version {PROTOCOL_MAJOR}.{PROTOCOL_MINOR}." in PAGE
    told = re.findall(r"^\| (\d+\.\d+) \|", section("Versions"), re.MULTILINE)
    released = [path.stem.removeprefix("v") for path in (ROOT / "protos" / "released").glob("*.binpb")]
    assert {*released, f"{PROTOCOL_MAJOR}.{PROTOCOL_MINOR}"} <= set(told)

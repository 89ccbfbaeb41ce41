"""Rules of what a Work serves beside its state and its executions."""

from __future__ import annotations

from lightning_grpc.errors import LightningGrpcError
from lightning_grpc.standalone.conformance.probe import Probe
from lightning_grpc.standalone.conformance.rules import Broken, Skipped, rule
from lightning_grpc.wire.codec import encode_value
from lightning_grpc.wire.protocol import WORK_SERVICE, work_pb
from lightning_grpc.wire.raw_client import (
    HEALTH_CHECK,
    OK,
    REFLECTIONS,
    health_of,
    health_request,
    reflection_request,
    services_in,
)

_GROUP = "services"


@rule("health-is-served", _GROUP, "The health of the server and of its WorkService is SERVING.", "connection")
async def _health_is_served(probe: Probe) -> None:
    for service in ("", WORK_SERVICE):
        answer = await probe.ask(HEALTH_CHECK, health_request(service))
        name = f"the health of {service or 'the server'}"
        if answer.code != OK or answer.data is None:
            raise Broken(f"asked for {name}, it answers {answer}")
        try:
            health = health_of(answer.data)
        except LightningGrpcError as error:
            raise Broken(str(error)) from None
        if health != "SERVING":
            raise Broken(f"{name} is {health}")


@rule("reflection-lists-the-service", _GROUP, "Server reflection lists WorkService.", "connection")
async def _reflection_lists_the_service(probe: Probe) -> None:
    answers: list[str] = []
    for method in REFLECTIONS:
        answer, data = await probe.first_message(method, reflection_request())
        if data is None:
            answers.append(f"{method} was answered with {answer}")
            continue
        try:
            services = services_in(data)
        except LightningGrpcError as error:
            raise Broken(str(error)) from None
        if WORK_SERVICE not in services:
            raise Broken(f"it lists {sorted(services)}, without {WORK_SERVICE}")
        return
    raise Broken("; ".join(answers))


@rule("logs-are-served", _GROUP, "Logs that are not to be followed end well.", "workservice")
async def _logs_are_served(probe: Probe) -> None:
    request = work_pb.LogsRequest(tail=10, follow=False).SerializeToString()
    answer, _ = await probe.first_message("Logs", request, to_the_end=True)
    if answer is None:
        raise Broken(f"Logs did not end within {probe.patience.answer_s:g} s, though they were not to be followed")
    probe.expect_code(answer, (OK,), "Logs")


@rule(
    "updates-are-answered",
    _GROUP,
    "Update is refused by Works that take none, and checked by the others.",
    "workservice",
)
async def _updates_are_answered(probe: Probe) -> None:
    told = await probe.describe()
    attribute = work_pb.AttributeUpdate(name="no_such_attribute", value=encode_value(1), base_revision=told.revision)
    if not told.receives_updates:
        answer = await probe.ask("Update", work_pb.UpdateRequest(updates=[attribute]))
        if answer.code == "UNIMPLEMENTED":
            raise Skipped("the Work does not serve Update")
        probe.expect_code(answer, ("FAILED_PRECONDITION",), "Update of a Work that takes none")
        return
    answer = await probe.ask("Update", work_pb.UpdateRequest(updates=[attribute]))
    probe.expect_code(answer, ("INVALID_ARGUMENT",), "Update of an attribute that is not there")
    answer = await probe.ask("Update", work_pb.UpdateRequest(epoch=told.epoch + 1))
    probe.expect_code(answer, ("FAILED_PRECONDITION",), "Update for another epoch")
    await _update_an_attribute(probe)


async def _update_an_attribute(probe: Probe) -> None:
    """Assign an attribute what it has, and check that the answer tells a revision that is there."""
    async with probe.subscribe() as feed:
        document = await feed.until_snapshot(probe.patience.answer_s)
        names = [str(name) for name in document["vars"] if not str(name).startswith("_")]
        if not names:
            raise Skipped("the Work has no attribute")
        value = encode_value(document["vars"][names[0]])
        update = work_pb.AttributeUpdate(name=names[0], value=value, base_revision=feed.revision)
        answer = await probe.tell("Update", work_pb.UpdateRequest(updates=[update]), work_pb.UpdateResponse)
        unknown = [each.name for each in answer.conflicts if each.name != names[0]]
        if unknown:
            raise Broken(f"the conflicts name {', '.join(unknown)}, which was not updated")
        await feed.until(
            lambda feed: feed.revision >= answer.revision, probe.patience.answer_s, f"revision {answer.revision}"
        )

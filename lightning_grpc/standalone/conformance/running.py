"""Rules of executions: how they are asked for, in which order they are made, and what is told of them."""

from __future__ import annotations

import itertools
from typing import Any

from lightning_grpc.standalone.conformance.entries import FINAL, NEXT, entry_of, stage_of, statuses_of
from lightning_grpc.standalone.conformance.feed import Feed
from lightning_grpc.standalone.conformance.offer import Arguments
from lightning_grpc.standalone.conformance.probe import Probe
from lightning_grpc.standalone.conformance.rules import Broken, Skipped, rule
from lightning_grpc.state.values import same
from lightning_grpc.wire.codec import decode_value

_GROUP = "runs"
_IN_A_ROW = 4
_CALLER = "lightning-grpc check"


@rule(
    "run-succeeds",
    _GROUP,
    "An execution that is accepted is made, and its entry says that it succeeded.",
    "the-entry-of-a-call",
)
async def _run_succeeds(probe: Probe) -> None:
    entry, _ = await probe.execute()
    last = statuses_of(entry)[-1]
    if last["stage"] == "succeeded":
        return
    words = f"the execution {last['stage']}: {str(last.get('message', 'no message'))[-300:]}"
    if probe.offer.run_args is None:
        raise Skipped(f"without arguments, {words}; give arguments with which it succeeds")
    raise Broken(words)


@rule(
    "entry-has-all-keys",
    _GROUP,
    "The entry of a call has its keys, and latest_call_hash names it.",
    "the-entry-of-a-call",
)
async def _entry_has_all_keys(probe: Probe) -> None:
    call_hash, call_id = probe.call()
    entry, document = await probe.execute()
    kinds: dict[str, Any] = {"name": str, "call_id": str, "statuses": list, "successes": int}
    for key, kind in kinds.items():
        if type(entry.get(key)) is not kind:
            raise Broken(f"{key} of the entry is {entry.get(key, 'not there')!r}, no {kind.__name__}")
    if entry["name"] != "run" or entry["call_id"] != call_id:
        raise Broken(f"the entry has the name {entry['name']!r} and the call_id {entry['call_id']!r}")
    if stage_of(document, call_hash, call_id) == "succeeded" and ("ret" not in entry or entry["successes"] < 1):
        raise Broken(f"the entry of an execution that has succeeded has no ret, or no successes: {entry!r}")
    if document["calls"].get("latest_call_hash") != call_hash:
        raise Broken(
            f"latest_call_hash is {document['calls'].get('latest_call_hash')!r} after the execution of {call_hash!r}"
        )


@rule(
    "stages-follow-the-table", _GROUP, "Stages go from pending to running to one that is final.", "the-entry-of-a-call"
)
async def _stages_follow_the_table(probe: Probe) -> None:
    entry, _ = await probe.execute()
    statuses = statuses_of(entry)
    if len(statuses) != len(entry["statuses"]):
        raise Broken(f"a status has no stage: {entry['statuses']!r}")
    stages = [each["stage"] for each in statuses]
    if stages[0] != "pending":
        raise Broken(f"the first stage is {stages[0]!r}")
    for before, after in itertools.pairwise(stages):
        if after not in NEXT.get(before, ()):
            raise Broken(f"the stages went {' -> '.join(stages)}")
    times = [each.get("timestamp") for each in statuses]
    if not all(type(each) in (int, float) for each in times) or times != sorted(times):  # type: ignore[type-var]
        raise Broken(f"the timestamps are {times}; seconds since 1970 that do not go back are expected")


@rule("run-is-made-once", _GROUP, "A call_id that was accepted before is not executed again.", "workservice")
async def _run_is_made_once(probe: Probe) -> None:
    call_hash, call_id = probe.call()
    fence_hash, fence_id = probe.call(2)
    async with probe.subscribe() as feed:
        before = (await feed.until_snapshot(probe.patience.answer_s))["calls"].get(call_hash)
        request = probe.run_request(call_hash, call_id)
        for _ in range(3):
            await probe.run(request)
        await feed.until_over(call_hash, call_id, probe.patience.run_s)
        await probe.run(request)
        await probe.run(probe.run_request(fence_hash, fence_id))  # made after a repeated one, if that was made
        await feed.until_over(fence_hash, fence_id, probe.patience.run_s)
        over = None
        for revision, document in feed.versions:
            entry = entry_of(document, call_hash, call_id)
            if over is not None and not same(entry, over):
                raise Broken(f"its entry was over, and has changed again in revision {revision}")
            if stage_of(document, call_hash, call_id) in FINAL:
                over = entry
    had = before.get("successes", 0) if isinstance(before, dict) else 0
    assert over is not None
    if type(had) is int and type(over.get("successes")) is int and over["successes"] > had + 1:
        raise Broken(f"one execution was asked for, and {over['successes'] - had} have succeeded")


@rule(
    "already-known-is-told", _GROUP, "A request that was accepted before is answered with already_known.", "workservice"
)
async def _already_known_is_told(probe: Probe) -> None:
    call_hash, call_id = probe.call()
    async with probe.subscribe() as feed:
        await feed.until_snapshot(probe.patience.answer_s)
        request = probe.run_request(call_hash, call_id)
        if (await probe.run(request)).already_known:
            raise Broken("the first request was answered with already_known")
        if not (await probe.run(request)).already_known:
            raise Broken("the second request was answered without already_known")
        await feed.until_over(call_hash, call_id, probe.patience.run_s)
        if not (await probe.run(request)).already_known:
            raise Broken("a request that was repeated after the execution was answered without already_known")


@rule("final-status-is-told", _GROUP, "A repeated request tells the final status, once there is one.", "workservice")
async def _final_status_is_told(probe: Probe) -> None:
    if await probe.minor() < 1:
        raise Skipped("the Work speaks protocol 1.0; final_status came with 1.1")
    call_hash, call_id = probe.call()
    async with probe.subscribe() as feed:
        await feed.until_snapshot(probe.patience.answer_s)
        request = probe.run_request(call_hash, call_id)
        if (await probe.run(request)).HasField("final_status"):
            raise Broken("the first request was answered with a final_status")
        await feed.until_over(call_hash, call_id, probe.patience.run_s)
        stage = stage_of(feed.document, call_hash, call_id)
        answer = await probe.run(request)
    if not answer.HasField("final_status"):
        raise Broken(f"the execution is over ({stage}), and the repeated request was answered without a final_status")
    told = _final_stage(answer)
    if told != stage:
        raise Broken(f"the final_status tells the stage {told!r}, the entry {stage!r}")


@rule("caller-is-shown", _GROUP, "The entry of a call tells the caller that the request names.", "the-entry-of-a-call")
async def _caller_is_shown(probe: Probe) -> None:
    if await probe.minor() < 1:
        raise Skipped("the Work speaks protocol 1.0; caller came with 1.1")
    entry, _ = await probe.execute(caller=_CALLER)
    if entry.get("caller") != _CALLER:
        raise Broken(f"caller of the entry is {entry.get('caller', 'not there')!r}, not {_CALLER!r}")
    entry, _ = await probe.execute(2)
    if "caller" in entry:
        raise Broken(f"the request named no caller, and the entry has {entry['caller']!r}")


@rule("runs-are-made-in-order", _GROUP, "Executions are made one at a time, in the order of acceptance.", "workservice")
async def _runs_are_made_in_order(probe: Probe) -> None:
    calls = [probe.call(number) for number in range(1, _IN_A_ROW + 1)]
    async with probe.subscribe() as feed:
        await feed.until_snapshot(probe.patience.answer_s)
        for call_hash, call_id in calls:
            await probe.run(probe.run_request(call_hash, call_id))
        for call_hash, call_id in calls:
            await feed.until_over(call_hash, call_id, probe.patience.run_s)
        _check_order(feed, calls)


def _check_order(feed: Feed, calls: list[tuple[str, str]]) -> None:
    for revision, document in feed.versions:
        stages = [stage_of(document, *call) for call in calls]
        begun = [number for number, stage in enumerate(stages, 1) if stage in FINAL or stage == "running"]
        over = [number for number, stage in enumerate(stages, 1) if stage in FINAL]
        running = [number for number, stage in enumerate(stages, 1) if stage == "running"]
        if len(running) > 1:
            raise Broken(f"at revision {revision}, the executions {running} run at the same time")
        if begun != list(range(1, len(begun) + 1)) or over != list(range(1, len(over) + 1)):
            raise Broken(f"at revision {revision}, the executions {begun} have begun, and {over} are over")


@rule(
    "failure-is-reported",
    _GROUP,
    "The entry of a failed execution tells a reason and a message.",
    "the-entry-of-a-call",
)
async def _failure_is_reported(probe: Probe) -> None:
    if probe.offer.fail_args is None:
        raise Skipped("no arguments are known with which it fails; give some")
    entry, _ = await probe.execute(arguments=probe.offer.fail_args)
    last = statuses_of(entry)[-1]
    if last["stage"] != "failed":
        raise Broken(f"with the arguments with which it shall fail, the execution {last['stage']}")
    missing = [key for key in ("reason", "message", "exception") if not isinstance(last.get(key), str) or not last[key]]
    if missing:
        raise Broken(f"the last status has no {', '.join(missing)}: {last!r}")
    if last["exception"].rpartition(".")[2] not in last["message"]:
        raise Broken(
            f"the message does not show the exception {last['exception']}, as a traceback does: {last['message']!r}"
        )


@rule("run-after-a-failure-is-made", _GROUP, "After a failed execution, the next one is made.", "workservice")
async def _run_after_a_failure_is_made(probe: Probe) -> None:
    if probe.offer.fail_args is None:
        raise Skipped("no arguments are known with which it fails; give some")
    (fails, fails_id), (again, again_id) = probe.call(), probe.call(2)
    async with probe.subscribe() as feed:
        await feed.until_snapshot(probe.patience.answer_s)
        await probe.run(probe.run_request(fails, fails_id, probe.offer.fail_args))
        await feed.until_over(fails, fails_id, probe.patience.run_s)
        await probe.run(probe.run_request(again, again_id))
        await feed.until_over(again, again_id, probe.patience.run_s)
        if stage_of(feed.document, again, again_id) == "stopped":
            raise Broken("the execution after a failed one was stopped")


@rule(
    "unknown-arguments-fail",
    _GROUP,
    "Arguments that run does not take fail the execution, or are refused.",
    "workservice",
)
async def _unknown_arguments_fail(probe: Probe) -> None:
    if "**" in (await probe.describe()).run_signature:
        raise Skipped("run takes any named argument")
    call_hash, call_id = probe.call()
    arguments = Arguments(probe.arguments.args, {**probe.arguments.kwargs, "no_such_argument": 1})
    async with probe.subscribe() as feed:
        await feed.until_snapshot(probe.patience.answer_s)
        answer = await probe.ask("Run", probe.run_request(call_hash, call_id, arguments))
        probe.expect_code(answer, ("OK", "INVALID_ARGUMENT"), "Run with an argument that run does not take")
        if answer.code == "OK":
            await feed.until_over(call_hash, call_id, probe.patience.run_s)
            stage = stage_of(feed.document, call_hash, call_id)
            if stage != "failed":
                raise Broken(f"the execution with an argument that run does not take {stage}")
    await probe.expect_alive("a Run with an argument that run does not take")


@rule(
    "run-for-another-epoch-is-refused",
    _GROUP,
    "A Run for another epoch is refused, and not made.",
    "epochs-and-revisions",
)
async def _run_for_another_epoch_is_refused(probe: Probe) -> None:
    call_hash, call_id = probe.call()
    request = probe.run_request(call_hash, call_id, epoch=(await probe.describe()).epoch + 1)
    answer = await probe.ask("Run", request)
    probe.expect_code(answer, ("FAILED_PRECONDITION",), "Run for another epoch")
    _, document = await probe.execute(2)
    if entry_of(document, call_hash, call_id) is not None:
        raise Broken("Run for another epoch was refused, and made all the same")


@rule("unnamed-call-is-refused", _GROUP, "A Run without call_id or call_hash is refused: INVALID_ARGUMENT.", "errors")
async def _unnamed_call_is_refused(probe: Probe) -> None:
    call_hash, call_id = probe.call()
    for given in ((call_hash, ""), ("", call_id), ("", "")):
        missing = " and ".join(name for name, value in zip(("call_hash", "call_id"), given, strict=True) if not value)
        answer = await probe.ask("Run", probe.run_request(*given))
        probe.expect_code(answer, ("INVALID_ARGUMENT",), f"Run without {missing}")


@rule("unknown-attribute-is-refused", _GROUP, "A Run that sets an attribute that is not there is refused.", "errors")
async def _unknown_attribute_is_refused(probe: Probe) -> None:
    call_hash, call_id = probe.call()
    answer = await probe.ask("Run", probe.run_request(call_hash, call_id, attributes={"no_such_attribute": 1}))
    probe.expect_code(answer, ("INVALID_ARGUMENT",), "Run that sets an attribute that is not there")


@rule("refusals-tell-a-reason", _GROUP, "What is refused carries a google.rpc.ErrorInfo with its reason.", "errors")
async def _refusals_tell_a_reason(probe: Probe) -> None:
    call_hash, call_id = probe.call()
    epoch = (await probe.describe()).epoch + 1
    requests = {
        "CALL_UNNAMED": probe.run_request(call_hash, ""),
        "EPOCH_MISMATCH": probe.run_request(call_hash, call_id, epoch=epoch),
        "ARGUMENT_INVALID": probe.run_request(call_hash, call_id, attributes={"no_such_attribute": 1}),
    }
    for reason, request in requests.items():
        answer = await probe.ask("Run", request)
        if answer.code != "OK" and answer.reason != reason:
            raise Broken(f"{answer.code} came with the reason {answer.reason!r}, not with {reason}")


def _final_stage(answer: Any) -> str:
    status = decode_value(answer.final_status)
    return str(status.get("stage", "")) if isinstance(status, dict) else ""

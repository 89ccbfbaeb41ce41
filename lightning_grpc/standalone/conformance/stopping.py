"""The rule of a Work's end; it is checked last, and only if the Work may be ended."""

from __future__ import annotations

import asyncio

from lightning_grpc.standalone.conformance.entries import FINAL, stage_of
from lightning_grpc.standalone.conformance.feed import Feed
from lightning_grpc.standalone.conformance.probe import Probe
from lightning_grpc.standalone.conformance.rules import Broken, Skipped, rule
from lightning_grpc.state.values import same
from lightning_grpc.wire.protocol import work_pb
from lightning_grpc.wire.raw_client import OK

_GROUP = "stop"
_GRACE_S = 3.0
_LOOK_S = 0.1


@rule(
    "stop-ends-in-order",
    _GROUP,
    "After Stop, subscribers get the last revision, their streams end well, and the server goes away.",
    "workservice",
)
async def _stop_ends_in_order(probe: Probe) -> None:
    if not probe.offer.may_stop:
        raise Skipped("the Work may not be ended; allow it")
    within_s = _GRACE_S + probe.patience.answer_s
    call_hash, call_id = probe.call()
    feeds = [probe.subscribe(), probe.subscribe()]
    try:
        for feed in feeds:
            await feed.until_snapshot(probe.patience.answer_s)
        await probe.run(probe.run_request(call_hash, call_id))
        await feeds[0].until(
            lambda feed: bool(stage_of(feed.document, call_hash, call_id)), probe.patience.run_s, "the execution"
        )
        await probe.tell(
            "Stop", work_pb.StopRequest(grace_s=_GRACE_S, reason="the check is over"), work_pb.StopResponse
        )
        for feed in feeds:
            await _check_end(feed, within_s)
    finally:
        for feed in feeds:
            await feed.close()
    if feeds[0].revision != feeds[1].revision or not same(feeds[0].document, feeds[1].document):
        raise Broken(f"one stream ended at revision {feeds[0].revision}, another one at {feeds[1].revision}")
    stage = stage_of(feeds[0].document, call_hash, call_id)
    if stage not in FINAL:
        raise Broken(f"the last revision shows that the execution is {stage}; it is over")
    await _check_gone(probe, within_s)


async def _check_end(feed: Feed, within_s: float) -> None:
    while feed.answer is None and await feed.read(within_s) is not None:
        pass
    if feed.answer is None:
        raise Broken(f"a stream was still open {within_s:g} s after Stop")
    if feed.answer.code != OK:
        raise Broken(f"a stream ended with {feed.answer}")


async def _check_gone(probe: Probe, within_s: float) -> None:
    end_s = asyncio.get_running_loop().time() + within_s
    while (await probe.ask("Describe", work_pb.DescribeRequest())).code == OK:
        if asyncio.get_running_loop().time() > end_s:
            raise Broken(f"it still answers {within_s:g} s after Stop")
        await asyncio.sleep(_LOOK_S)

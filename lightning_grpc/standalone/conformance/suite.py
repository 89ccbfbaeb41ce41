"""The suite: all rules, one after another, against one Work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf.message import DecodeError

from lightning_grpc.errors import ConfigurationError, LightningGrpcError, TransportError
from lightning_grpc.standalone.conformance import (
    describing,
    messages,
    resuming,
    running,
    services,
    stopping,
    streaming,
)
from lightning_grpc.standalone.conformance.offer import Offer, Patience
from lightning_grpc.standalone.conformance.probe import Probe
from lightning_grpc.standalone.conformance.report import FAILED, PASSED, SKIPPED, Finding, Report
from lightning_grpc.standalone.conformance.rules import Broken, Rule, Skipped
from lightning_grpc.wire.addresses import parse_address
from lightning_grpc.wire.credentials import ClientTls
from lightning_grpc.wire.diagnosis import diagnose, is_failed_connection
from lightning_grpc.wire.protocol import WORK_SERVICE, work_pb
from lightning_grpc.wire.raw_client import OK, RawAnswer, RawChannel

_MODULES = (describing, streaming, resuming, running, messages, services, stopping)
RULES = {each.name: each for module in _MODULES for each in vars(module).values() if isinstance(each, Rule)}
"""All rules by name, in the order in which they are checked."""

_UNREACHABLE = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")
_NOT_LET_IN = ("UNAUTHENTICATED", "PERMISSION_DENIED")


def check(address: str, **options: Any) -> Report:
    """Check whether a Work keeps the rules of the protocol; takes what `check_async` does, and needs no loop."""
    return asyncio.run(check_async(address, **options))


async def check_async(
    address: str,
    *,
    rules: Iterable[str] = (),
    offer: Offer | None = None,
    patience: Patience | None = None,
    token: str | None = None,
    tls: ClientTls | None = None,
    work: str = "",
    progress: Callable[[Finding], None] = lambda _: None,
) -> Report:
    """Check whether a Work keeps the rules of the protocol, whatever it is written in.

    The check has the Work make executions, under call hashes that begin with ``check:``. Nobody else should use it
    meanwhile.

    Args:
        address: Where the Work answers, as `parse_address` takes it.
        rules: The names of those to check; none for all.
        offer: What the Work offers; see `Offer`.
        patience: How long to wait; see `Patience`.
        token: What the server asks for.
        tls: Whom to trust; None for a connection in plain text.
        work: The Work that is meant, if the server has several and the address names none.
        progress: Called with each finding.

    Returns:
        What was found.

    Raises:
        ConfigurationError: The address, or a rule's name, is none; or the server does not let the check in, or has no
            such Work.
        TransportError: Nobody answers there.
    """
    target, named = parse_address(address)
    chosen = _choose(list(rules))
    offer, patience = offer or Offer(), patience or Patience()
    channel = RawChannel(target, target, token, tls=tls, work=work or named)
    try:
        description = await _describe(channel, target, tls, patience)
        findings = []
        for rule in chosen:
            finding = await _check(rule, Probe(channel, offer, patience, rule.name))
            findings.append(finding)
            progress(finding)
    finally:
        await channel.close()
    return Report(address, description, tuple(findings))


async def _check(rule: Rule, probe: Probe) -> Finding:
    started_s = time.monotonic()
    outcome, reason = PASSED, ""
    try:
        await rule.check(probe)
    except Broken as broken:
        outcome, reason = FAILED, str(broken)
    except Skipped as skipped:
        outcome, reason = SKIPPED, str(skipped)
    except LightningGrpcError as error:  # what came has no meaning
        outcome, reason = FAILED, str(error)
    transcript = tuple(probe.transcript.lines) if outcome == FAILED else ()
    return Finding(rule, outcome, reason, transcript, time.monotonic() - started_s)


def _choose(names: list[str]) -> list[Rule]:
    unknown = [name for name in names if name not in RULES]
    if unknown:
        raise ConfigurationError(f"there is no rule {unknown[0]!r}; the rules are {', '.join(RULES)}")
    return [rule for name, rule in RULES.items() if not names or name in names]


async def _describe(channel: RawChannel, address: str, tls: ClientTls | None, patience: Patience) -> dict[str, Any]:
    """Return what the Work says of itself, if it lets us in; the rules judge the rest."""
    request = work_pb.DescribeRequest().SerializeToString()
    answer = await channel.ask(f"/{WORK_SERVICE}/Describe", request, patience.answer_s)
    if answer.code in _UNREACHABLE:
        failed = is_failed_connection(answer.message)
        why = (await diagnose(address, tls, answer.message)).words if failed else ""
        raise TransportError(
            why or f"{address} does not answer: {answer.message} ({answer.code}). Is it running, and is TLS needed?"
        )
    if answer.code in _NOT_LET_IN:
        raise ConfigurationError(f"{address}: {answer.message} ({answer.code})")
    if answer.reason in ("WORK_UNNAMED", "WORK_UNKNOWN"):
        raise ConfigurationError(f"{address}: {answer.message}. Name the Work behind the address: {address}#NAME")
    return _told(answer)


def _told(answer: RawAnswer) -> dict[str, Any]:
    try:
        told = work_pb.DescribeResponse.FromString(answer.data if answer.code == OK and answer.data else b"")
    except DecodeError:
        told = work_pb.DescribeResponse()
    return {
        "name": told.name,
        "class": told.class_name,
        "epoch": told.epoch,
        "protocol_version": f"{told.protocol_version.major}.{told.protocol_version.minor}",
        "implementation": told.implementation,
    }

"""What a check has found, for people and for programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from lightning_grpc.standalone.conformance.rules import Rule

SCHEMA_VERSION = 1
"""Raised when something in `Report.as_json` that was there has another meaning, or is gone."""
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one rule.

    Attributes:
        rule: The rule.
        outcome: ``passed``, ``failed`` or ``skipped``.
        reason: How it is broken, or why it was not checked; empty if it is kept.
        transcript: What was said, line by line, bounded; only of rules that are broken.
        duration_s: How long it took.
    """

    rule: Rule
    outcome: str
    reason: str = ""
    transcript: tuple[str, ...] = ()
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """What was found about one Work.

    Attributes:
        address: Where it answers.
        work: What it says of itself: name, class, epoch, protocol version, implementation.
        findings: One for each rule, in the order in which they were checked.
    """

    address: str
    work: dict[str, Any]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no rule is broken."""
        return not self.named(FAILED)

    def named(self, outcome: str) -> list[str]:
        """Return the names of the rules with an outcome."""
        return [each.rule.name for each in self.findings if each.outcome == outcome]

    def as_json(self) -> dict[str, Any]:
        """Return the report as ``check work --json`` prints it; see ``docs/conformance.md``."""
        counts = Counter(each.outcome for each in self.findings)
        return {
            "schema_version": SCHEMA_VERSION,
            "address": self.address,
            "work": self.work,
            "ok": self.ok,
            "counts": {outcome: counts[outcome] for outcome in (PASSED, FAILED, SKIPPED)},
            "rules": [
                {
                    **rule_as_json(each.rule),
                    "outcome": each.outcome,
                    "reason": each.reason,
                    "duration_s": round(each.duration_s, 3),
                    "transcript": list(each.transcript),
                }
                for each in self.findings
            ],
        }


def rule_as_json(rule: Rule) -> dict[str, str]:
    """Return what there is to know of a rule."""
    return {"name": rule.name, "group": rule.group, "sentence": rule.sentence, "reference": rule.reference}

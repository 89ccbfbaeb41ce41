"""Checks whether a server of WorkService, in any language, keeps the rules of the protocol.

What belongs here: the rules, one module for each group; what they have in common; and the suite that checks them. It
talks to a server in bytes, so that nothing a server may do wrong is put right on its way.
"""

from lightning_grpc.standalone.conformance.offer import Arguments, Offer, Patience, read_arguments
from lightning_grpc.standalone.conformance.report import FAILED, PASSED, SKIPPED, Finding, Report
from lightning_grpc.standalone.conformance.rules import Rule
from lightning_grpc.standalone.conformance.suite import RULES, check, check_async

__all__ = [
    "FAILED",
    "PASSED",
    "RULES",
    "SKIPPED",
    "Arguments",
    "Finding",
    "Offer",
    "Patience",
    "Report",
    "Rule",
    "check",
    "check_async",
    "read_arguments",
]

"""What a rule is, and how it is said that a server does not keep one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning_grpc.standalone.conformance.probe import Probe

Check = Callable[["Probe"], Awaitable[None]]


class Broken(Exception):  # noqa: N818 - it is the server's error, and a finding of ours
    """The server under test does not keep a rule; says how."""


class Skipped(Exception):  # noqa: N818 - no error of anybody's
    """A rule cannot be checked with what the Work under test offers; says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule that every Work keeps.

    Attributes:
        name: In words joined by hyphens; it stays the same from version to version.
        group: What it is about.
        sentence: What it says.
        reference: Where the protocol says so: a place in its document.
        check: Looks whether a server keeps it; raises `Broken` or `Skipped`.
    """

    name: str
    group: str
    sentence: str
    reference: str
    check: Check


def rule(name: str, group: str, sentence: str, section: str) -> Callable[[Check], Rule]:
    """Make a function, which checks it, a rule.

    Args:
        name: The rule's name.
        group: What it is about.
        sentence: What it says.
        section: The heading in ``docs/protocol.md`` under which it stands, as an anchor.
    """

    def made(check: Check) -> Rule:
        return Rule(name, group, sentence, f"docs/protocol.md#{section}", check)

    return made

"""What is different for a Work that stands by itself, without an app."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass

from lightning_grpc.components.calls import Entry, stage_of
from lightning_grpc.components.status import WorkStageStatus

DEFAULT_DRAIN_S = 10.0
"""How long a run may go on after its Work was asked to end."""
MAX_FINISHED_CALLS = 1_000
"""Entries of calls that are over which a Work keeps."""


@dataclass(frozen=True)
class StandaloneRules:
    """How a Work that serves by itself ends, what it keeps, and what its server has.

    Attributes:
        drain_s: How long the run under way may go on after a signal has asked the Work to end.
        max_finished_calls: How many entries of calls that are over are kept in ``calls``; the oldest go first. Many
            callers come and go, each with arguments of its own, and nobody else would ever take them out.
        admin: Whether its server has gRPC's admin service too.
    """

    drain_s: float = DEFAULT_DRAIN_S
    max_finished_calls: int = MAX_FINISHED_CALLS
    admin: bool = False

    def as_dict(self) -> dict[str, float]:
        """Return it as JSON can say it; ``StandaloneRules(**...)`` makes it again."""
        return asdict(self)


def report_failure(name: str, key: str, entry: Entry) -> None:
    """Write on stderr what has failed, for whoever runs the service: its callers may tell nobody.

    Args:
        name: The Work's.
        key: The call's.
        entry: Its entry; nothing is written unless it has failed.
    """
    if stage_of(entry) != WorkStageStatus.FAILED:
        return
    caller = f", asked for by {entry['caller']}" if "caller" in entry else ""
    message = str(entry["statuses"][-1].get("message", "")).rstrip()
    sys.stderr.write(f"ERROR: {name}: {entry['name']} has failed (call {key}{caller}): {message}\n")

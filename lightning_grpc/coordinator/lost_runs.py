"""What becomes of a run whose service goes away: the policies, as functions.

======  ==========================  =====================================  ============================
policy  same process is back        another process is back                away longer than its patience
======  ==========================  =====================================  ============================
fail    the run goes on             it has failed, reason ``lost``         it has failed, reason ``lost``
retry   the run goes on             it is asked for again                  it has failed, reason ``lost``
wait    the run goes on             asked for again if it had not begun,   (its patience has no end)
                                    else it has failed, reason ``lost``
======  ==========================  =====================================  ============================

A run that no process can have heard of is not lost: whichever process comes is asked for it. A service that ends in
order says of the runs that it has cut off, or turned away, that they were stopped; the same functions decide then.
"""

from __future__ import annotations

from lightning_grpc.components.attachment import RETRY, WAIT
from lightning_grpc.components.calls import Entry
from lightning_grpc.components.status import WorkStageStatus


def is_asked_for_again(on_lost: str, *, has_begun: bool) -> bool:
    """Tell whether a run that its process took along is asked for again; if not, it has failed.

    Args:
        on_lost: The policy.
        has_begun: Whether the Work has begun to execute it, as far as was heard.

    Example:
        >>> [is_asked_for_again("wait", has_begun=begun) for begun in (False, True)]
        [True, False]
    """
    return on_lost == RETRY or (on_lost == WAIT and not has_begun)


def has_begun(entry: Entry) -> bool:
    """Tell whether an entry says that its execution has begun."""
    return any(status["stage"] == WorkStageStatus.RUNNING for status in entry["statuses"])


def was_cut_off(entry: Entry) -> bool:
    """Tell whether an entry says that the end of its Work has ended it, or has kept it from its turn."""
    return bool(entry["statuses"][-1]["stage"] == WorkStageStatus.STOPPED)

"""What a request for an execution says, once everything in it has been looked at."""

from __future__ import annotations

import math
from typing import Any

from lightning_grpc.components.calls import LATEST, START
from lightning_grpc.wire.requests import FieldReader
from lightning_grpc.wire.tracing import carrier
from lightning_grpc.worker.order_queue import RunOrder

LONGEST_NAME_BYTES = 1_000
"""What the ``call_id``, the ``call_hash`` and the ``caller`` of a request may take; they stay in the state."""
_RESERVED = frozenset({LATEST, START})


def read_order(request: Any, reader: FieldReader) -> RunOrder:
    """Return the order that a ``RunRequest`` is, if `reader` has found no violations then."""
    for field in ("call_id", "call_hash", "caller"):
        if len(getattr(request, field).encode()) > LONGEST_NAME_BYTES:
            reader.violations[field] = f"is longer than {LONGEST_NAME_BYTES:,} bytes; give a shorter one"
    if request.call_hash in _RESERVED:
        reader.violations["call_hash"] = (
            f"{request.call_hash!r} is a key of the Work's own in its calls; give another one"
        )
    check_seconds("requested_at_s", request.requested_at_s, reader)
    return RunOrder(
        call_id=request.call_id,
        call_hash=request.call_hash,
        args=reader.values("args", request.args),
        kwargs=reader.mapping("kwargs", request.kwargs),
        attributes=reader.attributes("attributes", request.attributes),
        requested_at_s=request.requested_at_s,
        caller=request.caller,
        trace=carrier(),
        size_bytes=request.ByteSize(),
    )


def check_seconds(field: str, number: float, reader: FieldReader) -> None:
    """Note a number of seconds that is negative, nan or infinite, and would upset a clock."""
    if not (math.isfinite(number) and number >= 0):
        reader.violations[field] = f"is a number of seconds, not {number}"

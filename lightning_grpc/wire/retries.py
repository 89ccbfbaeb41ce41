"""Which calls gRPC may repeat by itself when a server was not there: those that do the same when made twice.

A call is repeated up to three times on ``UNAVAILABLE``, within its deadline. ``Run`` is idempotent by its ``call_id``;
one that shall not reach a later incarnation of a Work names the epoch. ``Update`` is not repeated: its second try would
be a conflict with the first. Nor are ``Stop`` and ``StopApp``: they would reach whoever serves at the address next. Nor
is a command. Streams are resumed by whoever follows them, which knows the revision; gRPC does not.

Source: gRFC A6, client retries.
"""

from __future__ import annotations

import json

IDEMPOTENT = {
    "lightning_grpc.v1.WorkService": ("Describe", "Run"),
    "lightning_grpc.v1.AppService": ("DescribeApp", "GetMetrics", "ListWorks", "ListCommands"),
    "grpc.health.v1.Health": ("Check", "List"),
}
"""The methods that may be repeated, by service."""

_POLICY = {
    "maxAttempts": 4,
    "initialBackoff": "0.05s",
    "maxBackoff": "0.5s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
_THROTTLING = {"maxTokens": 10, "tokenRatio": 0.5}  # with a server that fails again and again, it is left at that


def service_config() -> str:
    """Return the service config that says so, for the channel option ``grpc.service_config``."""
    names = [{"service": service, "method": method} for service, methods in IDEMPOTENT.items() for method in methods]
    return json.dumps(
        {"methodConfig": [{"name": names, "retryPolicy": _POLICY}], "retryThrottling": _THROTTLING}, sort_keys=True
    )

"""The health service: which services of a server are there, one by one and all at once."""

from __future__ import annotations

from typing import Any

from grpc_health.v1 import health, health_pb2

SERVICE = health.SERVICE_NAME
"""Its full name."""
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class HealthServicer(health.aio.HealthServicer):  # type: ignore[misc] # grpc_health is not typed
    """The servicer of grpcio-health-checking, and ``List``, which that one has not got for asyncio."""

    async def List(self, request: Any, context: Any) -> Any:  # noqa: N802 - the method's name in the protocol
        """Tell how all services are."""
        statuses = {
            service: health_pb2.HealthCheckResponse(status=status) for service, status in self._server_status.items()
        }
        return health_pb2.HealthListResponse(statuses=statuses)

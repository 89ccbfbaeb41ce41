"""Server reflection: a server tells what it offers, so that tools need no protos of it.

It is offered as ``grpc.reflection.v1alpha``, which all tools know, and under its later name
``grpc.reflection.v1``, which newer ones ask for first. The messages of both are the same.
"""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

SERVICE = reflection.SERVICE_NAME
"""The name by which it is listed."""
_LATER_SERVICE = "grpc.reflection.v1.ServerReflection"


def add_reflection(services: Iterable[str], server: grpc.aio.Server) -> None:
    """Have a server tell of its services, by their full names, and of reflection itself."""
    servicer = reflection.aio.ReflectionServicer([*services, SERVICE])
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        tuple(
            grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method})
            for name in (SERVICE, _LATER_SERVICE)
        )
    )

"""The protocol's names and version, and the generated messages for the rooms that speak it."""

from __future__ import annotations

from lightning_grpc.v1 import work_service_pb2 as work_pb
from lightning_grpc.v1 import work_service_pb2_grpc as work_grpc

WORK_SERVICE = work_pb.DESCRIPTOR.services_by_name["WorkService"].full_name
PROTOCOL_MAJOR = 1
PROTOCOL_MINOR = 1

__all__ = ["PROTOCOL_MAJOR", "PROTOCOL_MINOR", "WORK_SERVICE", "work_grpc", "work_pb"]

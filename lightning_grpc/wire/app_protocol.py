"""The generated messages of AppService; apart from those of WorkService, which every Work's process imports."""

from __future__ import annotations

from lightning_grpc.v1 import app_service_pb2 as app_pb
from lightning_grpc.v1 import app_service_pb2_grpc as app_grpc

APP_SERVICE = app_pb.DESCRIPTOR.services_by_name["AppService"].full_name

__all__ = ["APP_SERVICE", "app_grpc", "app_pb"]

"""lightning_grpc: gRPC microservices with the component model of Lightning Apps."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lightning_grpc.version import __version__

if TYPE_CHECKING:
    from lightning_grpc.app import LightningApp
    from lightning_grpc.components.compute import BuildConfig, CloudCompute
    from lightning_grpc.service.app_client import AppClient
    from lightning_grpc.service.async_client import AsyncAppClient
    from lightning_grpc.standalone.async_work_client import AsyncWorkClient
    from lightning_grpc.standalone.serving import serve
    from lightning_grpc.standalone.work_client import WorkClient
    from lightning_grpc.wiring import LightningFlow, LightningWork, RemoteWork

_HOMES = {
    "AppClient": "lightning_grpc.service.app_client",
    "AsyncAppClient": "lightning_grpc.service.async_client",
    "AsyncWorkClient": "lightning_grpc.standalone.async_work_client",
    "BuildConfig": "lightning_grpc.components.compute",
    "CloudCompute": "lightning_grpc.components.compute",
    "LightningApp": "lightning_grpc.app",
    "LightningFlow": "lightning_grpc.wiring",
    "LightningWork": "lightning_grpc.wiring",
    "RemoteWork": "lightning_grpc.wiring",
    "WorkClient": "lightning_grpc.standalone.work_client",
    "serve": "lightning_grpc.standalone.serving",
}

_MODULES = frozenset({"api", "runners", "structures", "utilities"})

__all__ = [
    "AppClient",
    "AsyncAppClient",
    "AsyncWorkClient",
    "BuildConfig",
    "CloudCompute",
    "LightningApp",
    "LightningFlow",
    "LightningWork",
    "RemoteWork",
    "WorkClient",
    "__version__",
    "serve",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: defining a component needs no gRPC."""
    if name in _MODULES:
        return import_module(f"lightning_grpc.{name}")
    if name in _HOMES:
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_MODULES})

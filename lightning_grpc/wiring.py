"""Gives the component classes what only the outside has."""

from __future__ import annotations

from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.components.work import LightningWork
from lightning_grpc.runtimes.ports import find_free_port

LightningWork._find_port = staticmethod(find_free_port)

__all__ = ["LightningFlow", "LightningWork"]

"""Routes of an app's HTTP API under the names that users of Lightning Apps know; see `LightningFlow.configure_api`."""

from __future__ import annotations

from lightning_grpc.components.routes import Delete, Get, Post, Put

__all__ = ["Delete", "Get", "Post", "Put"]

"""Gives the component classes what only the outside has."""

from __future__ import annotations

import time

from lightning_grpc.components.attachment import Attachment, Introduction
from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.components.remote_work import RemoteWork
from lightning_grpc.components.work import LightningWork
from lightning_grpc.runtimes.ports import find_free_port
from lightning_grpc.wire.addresses import parse_address


def _introduce(attachment: Attachment, deadline_s: float) -> Introduction:
    from lightning_grpc.runtimes.remote import introduce  # which imports grpc

    return introduce(attachment, deadline_s)


LightningFlow._clock = staticmethod(time.time)
LightningWork._find_port = staticmethod(find_free_port)
LightningWork._check_address = staticmethod(parse_address)
RemoteWork._introduce = staticmethod(_introduce)

__all__ = ["LightningFlow", "LightningWork", "RemoteWork"]

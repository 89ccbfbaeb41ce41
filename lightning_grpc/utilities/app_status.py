"""`WorkStatus` where users of Lightning Apps look for it."""

from lightning_grpc.components.status import WorkStatus

__all__ = ["WorkStatus"]

"""Exceptions where users of Lightning Apps look for them."""

from lightning_grpc.errors import ChildError as LightningWorkException
from lightning_grpc.errors import ConfigurationError as MisconfigurationException
from lightning_grpc.signals import ExitAppException, LightningFlowException
from lightning_grpc.signals import FlowSuspended as CacheMissException

__all__ = [
    "CacheMissException",
    "ExitAppException",
    "LightningFlowException",
    "LightningWorkException",
    "MisconfigurationException",
]

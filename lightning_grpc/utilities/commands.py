"""`ClientCommand` where users of Lightning Apps look for it."""

from lightning_grpc.service.client_command import ClientCommand

__all__ = ["ClientCommand"]

"""`List` and `Dict` of components."""

from lightning_grpc.components.structures import Dict, List

__all__ = ["Dict", "List"]

"""Components that do nothing.

Source: ``lightning_app.testing.helpers`` of Lightning Apps 2.3.
"""

from __future__ import annotations

from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.components.work import LightningWork


class EmptyFlow(LightningFlow):
    """A Flow whose ``run`` does nothing; it never ends its app by itself."""

    def run(self) -> None:
        """Do nothing."""


class EmptyWork(LightningWork):
    """A Work whose ``run`` does nothing, and succeeds."""

    def run(self) -> None:
        """Do nothing."""

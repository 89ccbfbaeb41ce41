"""What a component asks of whoever runs the app it is part of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lightning_grpc.components.component import Component, Node
    from lightning_grpc.components.work import LightningWork


class Backend(Protocol):
    """Stands behind the components of a dispatched app; a tree that is not dispatched has none."""

    def call(self, work: LightningWork, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Carry out ``work.run(*args, **kwargs)`` as called by a Flow; may raise `FlowSuspended`."""

    def start(self, work: LightningWork) -> None:
        """Start the Work's process without a run."""

    def stop(self, works: Iterable[LightningWork]) -> None:
        """End the Works' processes; their statuses say stopped at once."""

    def attached(self, node: Node) -> None:
        """Take a node, with all components below it, into the app; it is in the tree already."""

    def detached(self, node: Node) -> None:
        """Stop and forget a node with all components below it; it is still in the tree."""

    def retired(self, component: Component, attribute: str) -> None:
        """Drop an attribute from a component's state; a child component has taken its name."""

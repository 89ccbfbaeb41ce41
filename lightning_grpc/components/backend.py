"""What a component asks of whoever runs the app it is part of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lightning_grpc.components.component import Component, Node
    from lightning_grpc.components.work import LightningWork


class Backend(Protocol):
    """Stands behind the components of a dispatched app; a tree that is not dispatched has none."""

    @property
    def now(self) -> float:
        """Seconds since 1970, as of the beginning of what is being done."""

    @property
    def turn(self) -> int:
        """Number of what is being done: a run of the root, or something asked for from outside."""

    def wake_at(self, component: Component, what: str, time_s: float) -> None:
        """Have the root run at a time, in seconds since 1970; replaces what was said of the same before."""

    def when_completed(
        self, component: Component, what: str, act: Callable[[], None], is_past: Callable[[], bool] | None = None
    ) -> None:
        """Have a function called, once, when this pass of the root is completed; replaces as `wake_at` does.

        If `is_past` says so when this run makes a blocking call, it is called then; and the calls that were made
        meanwhile are settled.
        """

    @property
    def mark(self) -> int:
        """A place in this run of the root, for `settle`."""

    def settle(self, mark: int) -> None:
        """Note that the calls of Works made since a mark are not made again, if the run starts from the top."""

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

"""Iterations that are gone on with where they were left, as a Flow's state holds them.

An iteration is an entry of the Flow's ``calls``::

    {"name": "experimental_iterate", "call_hash": <its key>, "counter": 3, "has_finished": False}

``counter`` is the item at which the body is, from when it is yielded until the next one is; so a body that was left
early is executed again for the same item. Entries are replaced, never mutated.

The key says which iteration it is: the place of the call and how often it has been made in this run of the root, or
the user's key; below the iterations, of any Flow, in whose bodies the call is made, and the items they are at. When
one of those moves on, the iterations below the item it has left are dropped.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from lightning_grpc.components.call_site import call_site
from lightning_grpc.components.component import Component, Node
from lightning_grpc.components.structures import components_below

NAME = "experimental_iterate"
_TURN = "_turn_of_iterations"  # the attribute, of the node at the top of the tree, that holds the `_Turn`

T = TypeVar("T")
Entry = dict[str, Any]


@dataclass(eq=False)
class _Iteration:
    """One iteration under way.

    Attributes:
        flow: Whose it is.
        above: What its key has of the iterations in whose bodies it is.
        own: What its key has of itself.
        counter: The item it is at.
        has_below: Whether there may be iterations in its body at this item.
        mark: Where in the root's run the body began; None, if it has not.
    """

    flow: Component
    above: str
    own: str
    counter: int = 0
    has_below: bool = False
    mark: int | None = None

    @property
    def key(self) -> str:
        return f"{NAME}:{self.above}{self.own}"

    @property
    def below(self) -> str:
        """What the keys of the iterations in its body have of it, at the item where it is."""
        return f"{self.above}{self.flow.name}:{self.own}[{self.counter}] "


@dataclass
class _Turn:
    """What a tree remembers of the run of the root, or the request, that is under way."""

    number: int | None
    under_way: list[_Iteration] = field(default_factory=list)
    made: Counter[tuple[str, str]] = field(default_factory=Counter)


class Iterating(Component):
    """The part of `LightningFlow` that goes on with iterations."""

    def experimental_iterate(
        self, iterable: Iterable[T], run_once: bool = True, user_key: str = ""
    ) -> Generator[T, None, None]:
        """Iterate so that a run that is left early, or an app that ends, goes on with the item it was at.

        A blocking call in the body suspends the root's run, which then starts from the top; a plain loop would begin
        again with its first item, this one does not. How far it is is part of the state.

        Args:
            iterable: What to iterate over. It must give the same items in the same order each time.
            run_once: Whether an iteration that has come to its end is over for good. If not, it begins again in the
                next pass of the root.
            user_key: Which iteration of this Flow it is; by default, the place of the call and how often it was made
                before in this run of the root. An iteration in the body of another begins again for each item of it.

        Raises:
            TypeError: `iterable` is none.

        Example:
            >>> class Flow(Iterating):
            ...     def run(self):
            ...         for rate in self.experimental_iterate([0.1, 0.01]):
            ...             self.trainer.run(rate)  # blocks; each is trained with once
        """
        if not isinstance(iterable, Iterable):
            raise TypeError(
                f"An iterable should be provided to `self.{NAME}` method. Found {iterable!r} in {self._title()}"
            )
        turn = _turn_of(self)
        above = ""
        if turn.under_way:
            turn.under_way[-1].has_below = True
            above = turn.under_way[-1].below
        own = user_key or _numbered(turn, self, above, call_site(sys._getframe(1)))
        return _items(_Iteration(self, above, own), iterable, run_once)


def _items(iteration: _Iteration, iterable: Iterable[T], run_once: bool) -> Generator[T, None, None]:
    flow, key = iteration.flow, iteration.key
    entry: Entry | None = flow._calls.get(key)
    if entry is not None and entry["has_finished"]:
        if run_once or _begins_again_in_the_next_pass(flow, key):
            return
        entry = None
    if entry is not None:
        iteration.counter, iteration.has_below = entry["counter"], True
    under_way = _turn_of(flow).under_way
    under_way.append(iteration)
    try:
        yield from _move_on(iteration, islice(iterable, iteration.counter, None), is_new=entry is None)
    finally:
        if iteration in under_way:
            under_way.remove(iteration)
    _leave(iteration)
    _put(iteration, has_finished=True)
    if not run_once:
        _begins_again_in_the_next_pass(flow, key)


def _move_on(iteration: _Iteration, items: Iterable[T], *, is_new: bool) -> Iterator[T]:
    """Yield items, and note before each one that the iteration is at it."""
    first, backend = iteration.counter, iteration.flow._find_backend()
    for counter, item in enumerate(items, first):
        if counter > first:
            _leave(iteration)
            iteration.counter = counter
        if is_new or counter > first:
            _put(iteration)
        iteration.mark = 0 if backend is None else backend.mark
        yield item


def _begins_again_in_the_next_pass(flow: Component, key: str) -> bool:
    """Have an iteration that is over forgotten at the end of the pass; tell whether anybody knows when that is."""
    backend = flow._find_backend()
    if backend is not None:
        backend.when_completed(flow, key, partial(_drop, flow, key))
    return backend is not None


def _numbered(turn: _Turn, flow: Component, above: str, site: str) -> str:
    """Tell the calls that one place makes in one turn from each other."""
    if turn.number is None:
        return site  # nobody says where a turn ends
    turn.made[flow.name, above + site] += 1
    number = turn.made[flow.name, above + site]
    return site if number == 1 else f"{site}#{number}"


def _turn_of(flow: Component) -> _Turn:
    backend = flow._find_backend()
    number = None if backend is None else backend.turn
    top = _top(flow)
    turn: _Turn | None = top.__dict__.get(_TURN)
    if turn is None or turn.number != number:
        turn = top.__dict__[_TURN] = _Turn(number)
    return turn


def _top(node: Node) -> Node:
    while node._parent is not None:
        node = node._parent
    return node


def _put(iteration: _Iteration, *, has_finished: bool = False) -> None:
    key = iteration.key
    entry = {"name": NAME, "call_hash": key, "counter": iteration.counter, "has_finished": has_finished}
    iteration.flow._set_calls({**iteration.flow._calls, key: entry})


def _drop(flow: Component, *keys: str) -> None:
    flow._set_calls({key: entry for key, entry in flow._calls.items() if key not in keys})


def _leave(iteration: _Iteration) -> None:
    """Leave the item an iteration is at for good: with the calls its body has made, and the iterations in there."""
    backend = iteration.flow._find_backend()
    if backend is not None and iteration.mark is not None:
        backend.settle(iteration.mark)
    if not iteration.has_below:
        return
    iteration.has_below = False
    beginning = f"{NAME}:{iteration.below}"
    for component in components_below(_top(iteration.flow)):
        keys = [key for key in component._calls if key.startswith(beginning)]
        if keys:
            _drop(component, *keys)

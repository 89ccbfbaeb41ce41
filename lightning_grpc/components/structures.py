"""List and Dict of components, which may grow and shrink while the app runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex, TypeVar, cast

from lightning_grpc.components.component import Component, Node
from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import ChildError

if TYPE_CHECKING:
    from lightning_grpc.components.flow import LightningFlow

T = TypeVar("T", bound=Node)


class Structure(Node):
    """What `List` and `Dict` share: a node of the tree whose children are its items."""

    @property
    def works(self) -> list[LightningWork]:
        """All Works below, at any depth."""
        return works_below(self)

    @property
    def flows(self) -> dict[str, LightningFlow]:
        """All Flows below, at any depth, by full name."""
        return flows_below(self)

    @property
    def state(self) -> dict[str, Any]:
        """The states of the items; fresh. Shape: ``{"works": {key: ...}, "flows": {key: ...}}``."""
        return children_state(self, "state")

    @property
    def state_vars(self) -> dict[str, Any]:
        """As `state`, with attributes alone."""
        return children_state(self, "state_vars")

    @property
    def state_with_changes(self) -> dict[str, Any]:
        """Same as `state`; kept for Lightning Apps."""
        return children_state(self, "state_with_changes")

    def set_state(self, state: dict[str, Any]) -> None:
        """Set the states of the items.

        Raises:
            ValueError: The keys of `state` are not those of the items.
        """
        mine = {key for key, _ in self._children_by_key()}
        given = {key for kind in KINDS for key in state.get(kind, {})}
        if mine != given:
            raise ValueError(
                f"The provided state doesn't match the `{type(self).__name__}` {self.name}. Found {mine ^ given} "
                "un-matching keys"
            )
        set_children_state(self, state)

    def _attach(self, key: str, item: Node) -> None:
        if not isinstance(item, Node):
            raise ChildError(
                f"{self.name}: a {type(self).__name__} of lightning_grpc.structures holds components, not {item!r}"
            )
        attach(self, key, item)


class List(Structure, list[T]):
    """A list of components. The name of an item ends with the number it was appended under, for good.

    Args:
        items: Flows, Works or structures.

    Example:
        >>> List().name
        'root'
    """

    def __init__(self, *items: T) -> None:
        super().__init__()
        self._next_key = 0
        self.extend(items)

    def append(self, item: T, *, number: int | None = None) -> None:
        """Add a component; in a dispatched app it is taken in at once.

        Args:
            item: A Flow, a Work or a structure.
            number: Its name's end, for a component that was there before and is attached again, such as in
                `LightningFlow.load_state_dict`; at least the next one, which is the default.
        """
        number = self._next_key if number is None else number
        if number < self._next_key:
            raise ChildError(f"{self.name}: number {number} was given to a component already; append in their order")
        self._attach(str(number), item)
        self._next_key = number + 1
        super().append(item)
        announce(item)

    def extend(self, items: Iterable[T]) -> None:
        """Add components, in order."""
        for item in items:
            self.append(item)

    def __iadd__(self, items: Iterable[T]) -> List[T]:  # type: ignore[override, misc]
        self.extend(items)
        return self

    def __setitem__(self, index: object, item: object) -> None:
        raise ChildError(f"{self.name}[{index}]: a component cannot be replaced; remove it and append another")

    def insert(self, index: SupportsIndex, item: T) -> NoReturn:
        """Not possible: names follow the order of appending."""
        raise ChildError(f"{self.name}: a component cannot be inserted; append it")

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        gone = self[index] if isinstance(index, slice) else [self[index]]
        super().__delitem__(index)
        for item in gone:
            detach(item)

    def pop(self, index: SupportsIndex = -1) -> T:
        """Remove a component and return it; its Works are stopped."""
        item = self[index]
        del self[index]
        return item

    def remove(self, item: T) -> None:
        """Remove a component; its Works are stopped."""
        del self[self.index(item)]

    def clear(self) -> None:
        """Remove all components."""
        del self[:]

    def _children_by_key(self) -> Iterator[tuple[str, Node]]:
        return ((item._key, item) for item in self)

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)


class Dict(Structure, dict[str, T]):
    """A dict of components. The name of an item ends with its key.

    Args:
        items: Flows, Works or structures, by key. Keys are str without dots.
    """

    def __init__(self, /, **items: T) -> None:
        super().__init__()
        self.update(items)

    def __setitem__(self, key: str, item: T) -> None:
        if not isinstance(key, str):
            raise TypeError(f"The provided key should be a string; found {key!r}")
        if "." in key:
            raise ValueError(f"The provided name {key} contains . which is forbidden.")
        if key in self:
            if self[key] is item:
                return
            raise ChildError(f"{self.name}[{key!r}]: a component cannot be replaced; delete it first")
        self._attach(key, item)
        super().__setitem__(key, item)
        announce(item)

    def update(self, /, *others: Any, **items: T) -> None:
        """Add components."""
        for key, item in dict(*others, **items).items():
            self[key] = item

    def setdefault(self, key: str, default: T | None = None) -> T:
        """Return the component under a key, which becomes `default` if there is none."""
        if key not in self:
            self[key] = cast("T", default)
        return self[key]

    def __ior__(self, other: Any) -> Dict[T]:  # type: ignore[override, misc]
        self.update(other)
        return self

    def __delitem__(self, key: str) -> None:
        item = self[key]
        super().__delitem__(key)
        detach(item)

    def pop(self, key: str, *default: Any) -> Any:
        """Remove a component and return it; its Works are stopped."""
        if key not in self and default:
            return default[0]
        item = self[key]
        del self[key]
        return item

    def popitem(self) -> tuple[str, T]:
        """Remove the last component and return its key and itself."""
        key = next(reversed(self), None)
        if key is None:
            raise KeyError(f"{self.name} is empty")
        return key, self.pop(key)

    def clear(self) -> None:
        """Remove all components."""
        while self:
            self.popitem()

    def _children_by_key(self) -> Iterator[tuple[str, Node]]:
        return iter(self.items())

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)


KINDS = ("flows", "works", "structures")
"""The sections of a state that hold children."""


def kind_of(node: Node) -> str:
    """Return the section of its parent's state that a node stands in."""
    if isinstance(node, Structure):
        return "structures"
    return "works" if isinstance(node, LightningWork) else "flows"


def as_structure(value: object) -> object:
    """Return a plain, non-empty list or dict of components as a structure, and anything else as it is."""
    if type(value) is list and value and all(isinstance(item, Node) for item in value):
        return List(*value)
    if type(value) is dict and value and all(isinstance(item, Node) for item in value.values()):
        return Dict(**value)
    return value


def attach(parent: Node, key: str, child: Node) -> None:
    """Give a node its place below another.

    Raises:
        ChildError: It has another place already, or would stand below itself.
    """
    if child._parent is not None and (child._parent is not parent or child._key != key):
        raise ChildError(
            f"{parent.name}.{key}: {child!r} is attached as {child.name} already; a component has one place"
        )
    node: Node | None = parent
    while node is not None:
        if node is child:
            raise ChildError(f"{parent.name}.{key}: {child!r} cannot be attached below itself")
        node = node._parent
    child._link(parent, key)


def announce(child: Node) -> None:
    """Tell the app, if there is one, about a node that has taken its place."""
    backend = child._find_backend()
    if backend is not None:
        backend.attached(child)


def detach(child: Node) -> None:
    """Take a node out of the tree; the app, if there is one, stops and forgets what is below it."""
    backend = child._find_backend()
    if backend is not None:
        backend.detached(child)
    child._unlink()


def components_below(node: Node) -> Iterator[Component]:
    """Yield a node, if it is a component, and all components below it, parents first."""
    if isinstance(node, Component):
        yield node
    for _, child in node._children_by_key():
        yield from components_below(child)


def works_below(node: Node) -> list[LightningWork]:
    """Return all Works below a node: its own, then its Flows', then its structures'."""
    children = _sorted_children(node)
    works = [child for _, child in children if isinstance(child, LightningWork)]
    for kind in ("flows", "structures"):
        for _, child in children:
            if kind_of(child) == kind:
                works += works_below(child)
    return works


def flows_below(node: Node) -> dict[str, LightningFlow]:
    """Return all Flows below a node, by full name."""
    found: dict[str, LightningFlow] = {}
    for _, child in _sorted_children(node):
        if kind_of(child) == "flows":
            found[child.name] = cast("LightningFlow", child)
        found.update(flows_below(child))
    return found


def children_state(node: Node, view: str) -> dict[str, Any]:
    """Return the states of what stands directly below a node, by kind and key."""
    state: dict[str, Any] = {"flows": {}, "works": {}, "structures": {}}
    for key, child in node._children_by_key():
        state[kind_of(child)][key] = getattr(child, view)
    if isinstance(node, Structure) and not state["structures"]:
        del state["structures"]
    return state


def set_children_state(node: Node, state: dict[str, Any]) -> None:
    """Set the states of what stands directly below a node.

    Raises:
        ValueError: The state has a child that is not there.
    """
    children = dict(node._children_by_key())
    for kind in KINDS:
        for key, child_state in state.get(kind, {}).items():
            if key not in children:
                raise ValueError(f"The component {key} wasn't instantiated for the component {node.name}")
            children[key].set_state(child_state)  # type: ignore[attr-defined]


def _sorted_children(node: Node) -> list[tuple[str, Node]]:
    children = list(node._children_by_key())
    return children if isinstance(node, Structure) else sorted(children, key=lambda pair: pair[0])

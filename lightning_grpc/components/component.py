"""What Flows and Works share: attributes that are state, and a place in the tree.

A public attribute assigned in ``__init__`` is *declared*: it is part of the state, and may be assigned
again at any time, with any value. Other public names may not be assigned once ``__init__`` is over.
Names with a leading underscore are the component's own business.

The values live in the component's ``__dict__``, so reading one costs what it costs in plain Python.
Writing one goes through ``__setattr__``; for the plain scalar types, which need no further look, that is
two look-ups more than Python's own: of the type, and of the name among those whose writes interest nobody
at the moment. While somebody waits for a write (the component is *armed*), no name is among them.
"""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from lightning_grpc.errors import InvalidValueError, NotInitializedError, UndeclaredAttributeError
from lightning_grpc.state.cut import ASSIGNED, CALLS, too_large
from lightning_grpc.state.values import CONTAINERS, PLAIN, Value, copy, size_bytes, validate

if TYPE_CHECKING:
    from lightning_grpc.components.backend import Backend

T = TypeVar("T")

NO_NAMES: dict[str, None] = {}
"""What an armed component has in place of the names that may be written without a word; stays empty."""


class ComponentMeta(ABCMeta):
    """Closes a component's set of attributes when its constructor is through.

    It derives from ``ABCMeta`` so that components can be mixed with abstract base classes.
    """

    def __call__(cls: type[T], *args: Any, **kwargs: Any) -> T:
        """Construct a component; afterwards no new public attribute may be assigned."""
        component = super().__call__(*args, **kwargs)  # type: ignore[misc]
        if "_declared" not in component.__dict__:
            raise NotInitializedError(cls.__name__)
        component.__dict__["_sealed"] = True
        component.__dict__["_made_with"] = (args, kwargs)
        return component  # type: ignore[no-any-return]


class Node:
    """A place in the tree of components: a Flow, a Work, or a structure of them."""

    _parent: Node | None = None
    _key: str = ""

    @property
    def name(self) -> str:
        """The full name: ``root``, ``root.trainer``, ``root.workers.0``."""
        parent = self._parent
        return "root" if parent is None else f"{parent.name}.{self._key}"

    @property
    def state(self) -> dict[str, Any]:
        """The state of the node and of all below it; fresh."""
        return {}

    def _children_by_key(self) -> Iterator[tuple[str, Node]]:
        """Yield what stands directly below, in a stable order."""
        return iter(())

    def _find_backend(self) -> Backend | None:
        node: Node | None = self
        while node is not None:
            backend: Backend | None = node.__dict__.get("_backend")
            if backend is not None:
                return backend
            node = node._parent
        return None

    def _link(self, parent: Node, key: str) -> None:
        """Take a place in the tree; the parent has made sure that the name is free."""
        self.__dict__["_parent"] = parent
        self.__dict__["_key"] = key

    def _unlink(self) -> None:
        self.__dict__["_parent"] = None
        self.__dict__["_key"] = ""


class Component(Node, metaclass=ComponentMeta):
    """Base of `LightningFlow` and `LightningWork`; not for users to derive from."""

    _declared: dict[str, None] = {}  # noqa: RUF012 - what an object has whose super().__init__() never ran
    _quick: dict[str, None] = {}  # noqa: RUF012 - the same
    _watcher: Callable[[Component], None] | None = None
    _internals: tuple[str, ...] = ()
    _sealed: bool
    _calls: dict[str, Any]

    def _open(self, calls: dict[str, Any]) -> None:
        """Begin the component's life: from now on attributes may be declared."""
        fields = self.__dict__
        fields["_declared"] = dict.fromkeys(self._internals)
        fields["_quick"] = fields["_declared"]
        fields["_sealed"] = False
        fields["_watcher"] = None
        fields["_backend"] = None
        fields[CALLS] = calls
        fields["_changes"] = {}
        fields[ASSIGNED] = set()

    def __setattr__(self, name: str, value: Any) -> None:
        # No thread is switched between the look-up and the write: there is no call in between. See `_arm`.
        if type(value) in PLAIN and name in self._quick:
            self.__dict__[name] = value
        else:
            self._assign(name, value)

    def __delattr__(self, name: str) -> None:
        if name in self._declared:
            raise AttributeError(f"{self._title()}: {name} is part of the state and cannot be deleted; set it to None")
        super().__delattr__(name)

    def _assign(self, name: str, value: Any) -> None:
        """Assign what is not a plain scalar, or not to a declared name."""
        if "_declared" not in self.__dict__:
            raise NotInitializedError(type(self).__name__)
        if name in self._declared:
            self._store(name, value)
        elif hasattr(getattr(type(self), name, None), "__set__") or name.startswith("_"):
            object.__setattr__(self, name, value)
        elif self._sealed:
            raise UndeclaredAttributeError(self._title(), name)
        else:
            self._store(name, value)
            self._declared[name] = None

    def _store(self, name: str, value: Value) -> None:
        try:
            validate(value, (name,))
        except InvalidValueError as problem:
            raise problem.within((), self._title()) from None
        fields = self.__dict__
        limit = fields.get("_state_limit_bytes", 0)
        if limit and type(value) is str and (size := size_bytes(value)) > limit:
            raise too_large(name, size, size, limit).within((), self._title())
        fields[name] = value
        if type(value) in CONTAINERS:
            fields[ASSIGNED].add(name)
        if fields["_quick"] is NO_NAMES:  # looked at after the write, as `_arm` says
            self._notify()

    def _arm(self) -> None:
        """Have the watcher called at every write, until `_disarm`.

        A write by another thread that began before this may end after it without a word: look once more for what
        was written, now and a little later. (A trace function, such as a debugger's, may switch threads anywhere.)
        """
        self.__dict__["_quick"] = NO_NAMES

    def _disarm(self) -> None:
        """Let writes go unnoticed: whoever is interested will come and look."""
        self.__dict__["_quick"] = self.__dict__["_declared"]

    @property
    def _is_armed(self) -> bool:
        return self.__dict__["_quick"] is NO_NAMES

    def _title(self) -> str:
        """Name the component as errors do: ``root.w (Trainer)``."""
        return f"{self.name or 'unattached'} ({type(self).__name__})"

    def _notify(self) -> None:
        """Tell the watcher, if there is one, about a change."""
        watcher = self.__dict__["_watcher"]
        if watcher is not None:
            watcher(self)

    def _set_calls(self, calls: dict[str, Any]) -> None:
        self.__dict__[CALLS] = calls
        self._notify()

    def _vars(self) -> dict[str, Value]:
        """Return the declared attributes; fresh, containers included."""
        fields = self.__dict__
        return {name: copy(fields[name]) for name in self._declared}

    def _own_state(self) -> dict[str, Any]:
        return {"vars": self._vars(), "calls": copy(self.__dict__[CALLS]), "changes": {}}

    @property
    def changes(self) -> dict[str, Any]:
        """Kept for Lightning Apps; always empty there and here."""
        return dict(self.__dict__["_changes"])

    def _set_own_state(self, provided: dict[str, Any]) -> None:
        for name, value in provided.get("vars", {}).items():
            setattr(self, str(name), copy(value))
        self.__dict__["_changes"] = dict(provided.get("changes", {}))
        if "calls" in provided:
            self._set_calls(copy(provided["calls"]))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name or 'unattached'}>"

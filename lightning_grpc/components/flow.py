"""LightningFlow: coordination of Works and of other Flows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lightning_grpc.components.component import Node
from lightning_grpc.components.iterate import Iterating
from lightning_grpc.components.schedule import Scheduling
from lightning_grpc.components.structures import (
    announce,
    as_structure,
    attach,
    children_state,
    components_below,
    flows_below,
    set_children_state,
    works_below,
)
from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import ChildError, NotInitializedError
from lightning_grpc.signals import ExitAppException, LightningFlowException


class LightningFlow(Scheduling, Iterating):
    """Coordinates Works, and other Flows, by reacting to their state.

    The root Flow's ``run`` is called again and again: at once after any state has changed, and now and
    then anyway. It looks at the state and decides; the long jobs are done by Works. Attributes are state;
    assigning a Work, a Flow, or a list or dict of them attaches it, in ``__init__`` or later.

    Raises:
        NotInitializedError: A subclass forgot ``super().__init__()``.

    Threads:
        A Flow belongs to the thread that runs the app.

    Source: Lightning Apps 2.3, its documentation of LightningFlow.

    Example:
        >>> class RootFlow(LightningFlow):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.counter = 0
        ...     def run(self):
        ...         self.counter += 1
        >>> flow = RootFlow()
        >>> flow.run()
        >>> assert flow.counter == 1
        >>> assert flow.state["vars"]["counter"] == 1
    """

    _children: dict[str, Node]
    _lightningignore: tuple[str, ...]

    def __init__(self) -> None:
        self._open({})
        self.__dict__["_children"] = {}
        self.__dict__["_lightningignore"] = ()

    def run(self, *args: Any, **kwargs: Any) -> None:
        """Coordinate; override it in the root Flow."""

    # The tree.

    @property
    def flows(self) -> dict[str, LightningFlow]:
        """All Flows below, at any depth, by full name."""
        return flows_below(self)

    def works(self, recurse: bool = True) -> list[LightningWork]:
        """Return its Works.

        Args:
            recurse: Whether to include those of the Flows and structures below.
        """
        if recurse:
            return works_below(self)
        return [child for _, child in sorted(self._children_by_key()) if isinstance(child, LightningWork)]

    def named_works(self, recurse: bool = True) -> list[tuple[str, LightningWork]]:
        """Return its Works with their full names; see `works`."""
        return [(work.name, work) for work in self.works(recurse=recurse)]

    @property
    def ready(self) -> bool:
        """Whether the app is ready to be used; override it. By default, when all Flows below are."""
        return all(flow.ready for flow in self.flows.values())

    @property
    def lightningignore(self) -> tuple[str, ...]:
        """File patterns to leave behind when the app's folder is sent elsewhere; stored."""
        return self._lightningignore

    @lightningignore.setter
    def lightningignore(self, lightningignore: tuple[str, ...]) -> None:
        if self._find_backend() is not None:
            raise RuntimeError(
                f"Your app has been already dispatched, so modifying the `{self.name}.lightningignore` does not have "
                "an effect"
            )
        self.__dict__["_lightningignore"] = tuple(lightningignore)

    # What others may have it do.

    def configure_commands(self) -> Any:
        """Return the commands that the Flow offers while the app runs; override it.

        A command is a method of a Flow that ``lightning-grpc NAME`` and `AppClient.run_command` call. It is executed
        between two runs of the root, never while ``run`` runs. Its parameters' annotations say what it takes.

        Returns:
            A list of dicts, or one dict: the command's name and the method, or a `ClientCommand` made with it.

        Example:
            >>> class Flow(LightningFlow):
            ...     def __init__(self):
            ...         super().__init__()
            ...         self.names = []
            ...     def configure_commands(self):
            ...         return [{"add": self.add}]
            ...     def add(self, name: str, times: int = 1):
            ...         self.names += [name] * times
        """
        return []

    def configure_api(self) -> list[Any]:
        """Return the Flow's routes of the app's HTTP API; override it. Called once, when the app is served over HTTP.

        Returns:
            `Get`, `Post`, `Put` and `Delete` of `lightning_grpc.api`, such as ``[Post("/v1/names", self.add)]``.
        """
        return []

    # The end.

    def stop(self, end_msg: str = "") -> None:
        """End the app well, from any Flow of the tree.

        Args:
            end_msg: Printed first, if given.

        Raises:
            ExitAppException: Always; that is how it leaves ``run``.
        """
        if end_msg:
            print(end_msg)
        raise ExitAppException(end_msg)

    def fail(self, end_msg: str = "") -> None:
        """End the app as failed, from any Flow of the tree.

        Args:
            end_msg: Printed first, if given.

        Raises:
            LightningFlowException: Always; that is how it leaves ``run``.
        """
        if end_msg:
            print(end_msg)
        raise LightningFlowException(end_msg)

    def stop_works(self, works: Iterable[LightningWork]) -> None:
        """Stop several Works at once.

        Raises:
            RuntimeError: No app runs the Flow.
        """
        backend = self._find_backend()
        if backend is None:
            raise RuntimeError("Your flow should have a backend attached. Found None.")
        backend.stop(list(works))

    # Its state.

    @property
    def state(self) -> dict[str, Any]:
        """The state of the Flow and of all below it; fresh.

        Shape: ``{"vars", "calls", "flows", "works", "structures", "changes"}``, each a dict.
        """
        return {**self._own_state(), **children_state(self, "state")}

    @property
    def state_vars(self) -> dict[str, Any]:
        """The attributes of the Flow and of all below it; fresh."""
        return {"vars": self._vars(), **children_state(self, "state_vars")}

    @property
    def state_with_changes(self) -> dict[str, Any]:
        """Same as `state`; kept for Lightning Apps."""
        return {**self._own_state(), "changes": self.changes, **children_state(self, "state_with_changes")}

    def set_state(self, provided_state: dict[str, Any], recurse: bool = True) -> None:
        """Set the state of the Flow, and of all below it.

        Args:
            provided_state: As `state` returns it; sections that are missing are left as they are.
            recurse: Whether to set the children's states too.

        Raises:
            ValueError: The state has a child that the Flow does not have.
        """
        self._set_own_state({**provided_state, "calls": {**self._calls, **provided_state.get("calls", {})}})
        if recurse:
            set_children_state(self, provided_state)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the Flow without its children; fresh."""
        return {**self._own_state(), "flows": {}, "works": {}, "structures": {}}

    def load_state_dict(self, flow_state: dict[str, Any], children_states: dict[str, Any], strict: bool = True) -> None:
        """Reload the state of the Flow and of its dynamic children.

        Override it to attach the children that ``run`` had attached, then call it on ``super()``.

        Args:
            flow_state: As `state_dict` returns it.
            children_states: The children's states by their name below this Flow, such as ``w`` or ``child.w``.
            strict: Whether a child that is not there is an error.

        Raises:
            ValueError: `strict`, and a child was not attached again.

        Example:
            >>> class Flow(LightningFlow):
            ...     def load_state_dict(self, flow_state, children_states, strict=True):
            ...         self.child = LightningFlow()
            ...         super().load_state_dict(flow_state, children_states, strict)
        """
        self.set_state(flow_state, recurse=False)
        for name, state in children_states.items():
            if _is_below_another(self, name, children_states):
                continue  # that one's business, below
            child = _find(self, name.split("."))
            if isinstance(child, LightningFlow):
                below = {
                    key.removeprefix(f"{name}."): value
                    for key, value in children_states.items()
                    if key.startswith(f"{name}.")
                }
                child.load_state_dict(state, below, strict=strict)
            elif isinstance(child, LightningWork):
                child.set_state(state)
            elif strict:
                raise ValueError(f"The component {name} wasn't instantiated for the component {self.name}")

    # Attributes.

    def _assign(self, name: str, value: Any) -> None:
        if "_children" not in self.__dict__:
            raise NotInitializedError(type(self).__name__)
        children = self._children
        if name in children:
            if value is not children[name] and value != children[name]:
                raise ChildError(
                    f"{self._title()}: Cannot set attributes as the component can't be changed once defined: {name}"
                )
            return
        value = value if name.startswith("_") else as_structure(value)
        if isinstance(value, Node) and not name.startswith("_"):
            self._adopt(name, value)
        else:
            super()._assign(name, value)

    def _adopt(self, name: str, child: Node) -> None:
        attach(self, name, child)
        self._children[name] = child
        self.__dict__[name] = child
        backend = self._find_backend()
        if name in self._declared:
            del self._declared[name]
            if backend is not None:
                backend.retired(self, name)
        announce(child)

    def __delattr__(self, name: str) -> None:
        if name in self._children:
            raise ChildError(f"{self._title()}: {name} cannot be deleted; keep components that come and go in a Dict")
        super().__delattr__(name)

    def _children_by_key(self) -> Iterator[tuple[str, Node]]:
        return iter(self._children.items())


class RootFlow(LightningFlow):
    """The Flow of an app whose root is a Work: it runs the Work until it has succeeded, and ends."""

    def __init__(self, work: LightningWork) -> None:
        super().__init__()
        self.work = work

    @property
    def ready(self) -> bool:
        """Whether the Work says so, or else has a URL."""
        return bool(getattr(self.work, "ready", self.work.url != ""))

    def run(self, *args: Any, **kwargs: Any) -> None:
        """Run the Work; end the app when it has succeeded."""
        if self.work.has_succeeded:
            self.stop()
        self.work.run()


def collect_state(flow: LightningFlow) -> dict[str, Any]:
    """Return the states of a Flow and of all components below it, by full name; what `reload_state` takes."""
    return {
        component.name: component.state if isinstance(component, LightningWork) else component.state_dict()  # type: ignore[attr-defined]
        for component in components_below(flow)
    }


def reload_state(root: LightningFlow, states: dict[str, Any], strict: bool = True) -> None:
    """Set the states of a tree of which some components may have to be attached again.

    The state of a component that is not there is passed to its closest Flow that is, whose
    `LightningFlow.load_state_dict` may attach it.

    Args:
        root: The Flow at the top.
        states: As `collect_state` returns them.
        strict: Whether a component that was not attached again is an error.

    Raises:
        ValueError: `strict`, and a component was not attached again.
    """
    present = {component.name: component for component in components_below(root)}
    orphans: dict[str, dict[str, Any]] = {}
    for name, state in states.items():
        if name in present:
            continue
        parent = name
        while not isinstance(present.get(parent), LightningFlow):
            parent = parent.rpartition(".")[0]
        orphans.setdefault(parent, {})[name.removeprefix(f"{parent}.")] = state
    for name, component in present.items():
        if name not in states:
            continue
        if isinstance(component, LightningFlow):
            component.load_state_dict(states[name], orphans.get(name, {}), strict=strict)
        elif isinstance(component, LightningWork):
            component.set_state(states[name])
    missing = states.keys() - {component.name for component in components_below(root)}
    if strict and missing:
        raise ValueError(f"These components were not re-created while the state was reloaded: {sorted(missing)}")


def _is_below_another(flow: LightningFlow, name: str, states: dict[str, Any]) -> bool:
    """Tell whether a name leads through a Flow that has a state of its own among the given ones."""
    keys = name.split(".")
    above = [".".join(keys[:depth]) for depth in range(1, len(keys))]
    return any(each in states and isinstance(_find(flow, each.split(".")), LightningFlow) for each in above)


def _find(node: Node, keys: list[str]) -> Node | None:
    for key in keys:
        child = dict(node._children_by_key()).get(key)
        if child is None:
            return None
        node = child
    return node

"""Routes of an app's HTTP API, as Flows declare them; nothing here serves them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, ClassVar

from lightning_grpc.components.component import Component
from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.errors import ConfigurationError

ROUTE_TIMEOUT_S = 10.0
"""How long a request waits for a Flow's method, unless the route says otherwise."""

_PARAMETER = re.compile(r"{[^}:]*(:[^}]*)?}")


class Route:
    """One route: requests of one HTTP method to one path are answered by one function.

    Args:
        route: The path, such as ``/v1/items/{item}``.
        method: What answers: a method of a Flow, which is run between two runs of the root, on the Flow's thread; or a
            function, which is run beside the app and must not touch its components. Either may be ``async``.
        method_name: A name for it in the API's description; by default, its own.
        timeout: The same as `timeout_s`; kept for Lightning Apps.
        timeout_s: For a Flow's method: a request that is not answered after so many seconds fails with 504.
        options: What FastAPI's routes take, such as ``response_model``, ``status_code`` or ``tags``.

    Raises:
        ConfigurationError: The path does not begin with a slash, `method` cannot be called or is a Work's, or the
            timeout is not above 0.
    """

    verb: ClassVar[str] = ""

    def __init__(
        self,
        route: str,
        method: Callable[..., Any],
        method_name: str | None = None,
        timeout: float | None = None,
        *,
        timeout_s: float | None = None,
        **options: Any,
    ) -> None:
        if not str(route).startswith("/"):
            raise ConfigurationError(f"the path of a route begins with a slash, unlike {route!r}")
        if not callable(method):
            raise ConfigurationError(f"what answers {self.verb} {route} is a function or a method, not {method!r}")
        wait_s = timeout_s if timeout_s is not None else timeout
        self.path = route
        self.handler = method
        self.timeout_s = ROUTE_TIMEOUT_S if wait_s is None else wait_s
        self.options = options
        self.owner = _owner(method)
        self.name = method_name or _name(method)
        if self.timeout_s <= 0:
            raise ConfigurationError(f"the timeout of {self} is a time in seconds above 0, not {self.timeout_s}")
        if self.owner is not None and not isinstance(self.owner, LightningFlow):
            raise ConfigurationError(
                f"{self} leads to a method of the Work {self.owner.name}, which runs in another process; have a method "
                "of a Flow answer it"
            )

    @property
    def flow(self) -> LightningFlow | None:
        """The Flow whose method answers; None for a function."""
        return self.owner if isinstance(self.owner, LightningFlow) else None

    @property
    def identity(self) -> tuple[str, str]:
        """What no two routes share: the HTTP method, and the path whatever its parameters are called."""
        return self.verb, _PARAMETER.sub(r"{\1}", self.path)

    def __str__(self) -> str:
        return f"{self.verb} {self.path}"


class Get(Route):
    """Answers GET requests; see `Route`."""

    verb = "GET"


class Post(Route):
    """Answers POST requests; see `Route`."""

    verb = "POST"


class Put(Route):
    """Answers PUT requests; see `Route`."""

    verb = "PUT"


class Delete(Route):
    """Answers DELETE requests; see `Route`."""

    verb = "DELETE"


def collect_routes(root: LightningFlow, is_reserved: Callable[[str], bool]) -> list[Route]:
    """Return the routes of all Flows of a tree, the root's first.

    A route that is listed twice with the same handler, by a Flow and by one above it, counts once.

    Args:
        root: The Flow at the top.
        is_reserved: Tells whether a path is one of the package's own.

    Raises:
        ConfigurationError: A Flow's ``configure_api`` returns something else than a list of routes, two routes are the
            same but for their handlers, or a path is reserved.
    """
    found: dict[tuple[str, str], tuple[LightningFlow, Route]] = {}
    for flow in [root, *root.flows.values()]:
        routes: object = flow.configure_api()
        if not isinstance(routes, list | tuple) or not all(isinstance(route, Route) for route in routes):
            raise ConfigurationError(
                f"{flow.name}.configure_api() returns a list of Get, Post, Put and Delete of lightning_grpc.api, not "
                f"{routes!r}"
            )
        for route in routes:
            if is_reserved(route.path):
                raise ConfigurationError(f"{flow.name} has the route {route}; that path is one of lightning_grpc's own")
            known = found.setdefault(route.identity, (flow, route))
            if known[1].handler != route.handler:
                raise ConfigurationError(
                    f"two routes are {route}: one of {known[0].name} ({known[1].name}), one of {flow.name} "
                    f"({route.name}); give one of them another path"
                )
    return [route for _, route in found.values()]


def _owner(method: Callable[..., Any]) -> Component | None:
    while isinstance(method, functools.partial):
        method = method.func
    owner = getattr(method, "__self__", None)
    return owner if isinstance(owner, Component) else None


def _name(method: Callable[..., Any]) -> str:
    while isinstance(method, functools.partial):
        method = method.func
    return str(getattr(method, "__name__", type(method).__name__))

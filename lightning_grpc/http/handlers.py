"""Makes endpoints of the handlers of an app's routes, with the same signature."""

from __future__ import annotations

import asyncio
import inspect
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from lightning_grpc.components.routes import Route
from lightning_grpc.errors import ConfigurationError
from lightning_grpc.http.asking import ask, unexpected
from lightning_grpc.http.functions import FunctionCalls
from lightning_grpc.service.running_app import RunningApp
from lightning_grpc.state.values import CONTAINERS, copy

Endpoint = Callable[..., Any]


class ReceivedRequest:
    """A request that was read to its end: what a Flow's method gets for a parameter that is a ``Request``.

    Attributes:
        method: Such as ``POST``.
        url: The whole URL, as a text.
        headers: Its headers; names in any case.
        query_params: The parameters of its query.
        path_params: Those of its path.
        cookies: Its cookies.
    """

    def __init__(self, request: Request, body: bytes) -> None:
        self.method = request.method
        self.url = str(request.url)
        self.headers: Mapping[str, str] = request.headers
        self.query_params: Mapping[str, str] = request.query_params
        self.path_params: Mapping[str, Any] = request.path_params
        self.cookies: Mapping[str, str] = request.cookies
        self._body = body

    def body(self) -> bytes:
        """Return the body."""
        return self._body

    def json(self) -> Any:
        """Return what the body says in JSON.

        Raises:
            ValueError: It is not JSON.
        """
        return json.loads(self._body)


def add_route(api: FastAPI, route: Route, running: RunningApp) -> None:
    """Add one of an app's routes.

    Raises:
        ConfigurationError: FastAPI does not understand the handler's signature, or an option of the route.
    """
    if route.flow is not None:
        endpoint = _of_flow(route, running)
    else:
        if not hasattr(api.state, "calls"):
            api.state.calls = FunctionCalls()
        endpoint = _of_function(route, api.state.calls)
    tags = [route.flow.name if route.flow is not None else "functions"]
    options = {"tags": tags, "response_class": Answer, **route.options}
    try:
        signature = inspect.signature(route.handler, eval_str=True)
        _refuse_nameless(signature)
        endpoint.__signature__ = signature  # type: ignore[attr-defined]
        endpoint.__name__, endpoint.__doc__ = route.name, inspect.getdoc(route.handler)
        api.add_api_route(route.path, endpoint, methods=[route.verb], **options)
    except Exception as error:
        raise ConfigurationError(
            f"the route {route} ({route.name}) cannot be served: {type(error).__name__}: {error}. Annotations of a "
            "handler are names of its module, and its options are those of FastAPI's routes."
        ) from error


class Answer(JSONResponse):
    """JSON, which has no nan and no infinity: null stands for them, as in what pydantic writes."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        try:
            return super().render(content)
        except ValueError:
            return super().render(_without_nonfinite(content))


def _without_nonfinite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_nonfinite(item) for key, item in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nonfinite(item) for item in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _refuse_nameless(signature: inspect.Signature) -> None:
    """Refuse parameters that a request cannot give, for it gives all by name."""
    for each in signature.parameters.values():
        if each.kind not in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY):
            raise TypeError(f"a request gives what a handler takes by name, which {each} has not")


def _of_flow(route: Route, running: RunningApp) -> Endpoint:
    """Return an endpoint that has a Flow's method executed on the Flow's thread."""

    async def endpoint(**arguments: Any) -> Any:
        for name, value in arguments.items():
            if isinstance(value, Request):
                arguments[name] = ReceivedRequest(value, await value.body())
        return await ask(running, str(route), lambda: _taken(_execute(route, arguments)), route.timeout_s)

    return endpoint


def _execute(route: Route, arguments: dict[str, Any]) -> Any:
    result = route.handler(**arguments)
    if inspect.iscoroutine(result):
        return asyncio.run(asyncio.wait_for(result, route.timeout_s))
    return result


def _taken(result: Any) -> Any:
    """Return a result that the Flow does not change any more."""
    return copy(result) if type(result) in CONTAINERS else result


def _of_function(route: Route, calls: FunctionCalls) -> Endpoint:
    """Return an endpoint that calls a function that touches no Flow, within its time, and tells what it raises."""
    handler = route.handler
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None)):  # noqa: B004

        async def asynchronous(*arguments: Any, **named: Any) -> Any:
            limit = asyncio.timeout(route.timeout_s)
            try:
                async with limit:
                    return await handler(*arguments, **named)
            except (HTTPException, asyncio.CancelledError):
                raise
            except TimeoutError as error:
                if not limit.expired():
                    raise unexpected(str(route), error) from None
                raise HTTPException(
                    504, f"{route} was not done within {route.timeout_s:g} s; it was cancelled"
                ) from None
            except BaseException as error:
                raise unexpected(str(route), error) from None

        return asynchronous

    async def synchronous(*arguments: Any, **named: Any) -> Any:
        try:
            return await calls.call(str(route), lambda: handler(*arguments, **named), route.timeout_s)
        except (HTTPException, asyncio.CancelledError):
            raise
        except BaseException as error:
            raise unexpected(str(route), error) from None

    return synchronous

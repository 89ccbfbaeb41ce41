"""The routes that every app has, and the application that serves them beside those of its Flows."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Header, Query, Request, Security
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.components.routes import Route
from lightning_grpc.components.status import AppStage
from lightning_grpc.components.structures import components_below
from lightning_grpc.errors import UpdateRefusedError
from lightning_grpc.http import paths
from lightning_grpc.http.asking import answer_to, ask
from lightning_grpc.http.binding import Binding
from lightning_grpc.http.doorkeeper import Doorkeeper
from lightning_grpc.http.follower import Event, Follower
from lightning_grpc.http.guard import Application, Guard
from lightning_grpc.http.handlers import add_route
from lightning_grpc.http.metrics_text import CONTENT_TYPE, render_metrics
from lightning_grpc.http.models import (
    Code,
    CommandSpec,
    ComponentSpec,
    DeltaUpdate,
    Health,
    ParameterSpec,
    Problem,
    RouteSpec,
    Spec,
    StateUpdate,
    Updated,
)
from lightning_grpc.http.rendering import from_json, to_json, write
from lightning_grpc.http.replacing import changes_to
from lightning_grpc.service.commands import CommandDescription
from lightning_grpc.service.running_app import RunningApp

_log = logging.getLogger("lightning_grpc")

T = TypeVar("T")

TIMEOUT_S = 10.0
"""How long a built-in route waits for the Flow."""
KEEPALIVE_S = 15
"""A stream of events says that it is alive this often."""
_SEND_DEADLINE_S = 60.0  # for a client that does not read its events

_DESCRIPTION = (
    f"Beside these routes, `{paths.EVENTS}` is a stream of server-sent events: a `snapshot` with the whole state, then "
    "a `delta` for each revision."
)

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 401, 403, 409, 413, 421, 422, 429, 500, 503, 504)
}
_bearer = HTTPBearer(auto_error=False, description="The app's token; the guard looks at it.")


@dataclass(frozen=True)
class Face:
    """What the routes work with.

    Attributes:
        running: The app.
        root: Its root Flow; for the Flow's thread alone.
        routes: What its Flows declare.
        binding: Where the server listens.
        doorkeeper: Who may come in.
        follower: The deltas, for streams of events.
    """

    running: RunningApp
    root: LightningFlow
    routes: Sequence[Route]
    binding: Binding
    doorkeeper: Doorkeeper
    follower: Follower


def build(face: Face) -> Application:
    """Return the ASGI application, guarded.

    Raises:
        ConfigurationError: A route of a Flow cannot be served as it is.
    """
    api = FastAPIOffline(
        title=face.running.name,
        description=_DESCRIPTION,
        docs_url=paths.DOCS,
        redoc_url=None,
        openapi_url=paths.OPENAPI,
        static_url=paths.STATIC,
        separate_input_output_schemas=False,
    )
    _add_pages(api, face)
    _add_looking(api, face)
    _add_events(api, face)
    _add_changing(api, face)
    for route in face.routes:
        add_route(api, route, face.running)
    if not any(route.identity == ("GET", "/") for route in face.routes):
        api.add_api_route("/", _to_view, include_in_schema=False)
    api.add_exception_handler(HTTPException, _tell)
    api.add_exception_handler(RequestValidationError, _tell_what_does_not_fit)
    api.add_exception_handler(ResponseValidationError, _tell_what_handler_returned)
    api.add_exception_handler(Exception, _tell_unexpected)
    return Guard(api, binding=face.binding, doorkeeper=face.doorkeeper, paths=paths.PATHS)


def _add_pages(api: FastAPI, face: Face) -> None:
    @api.get(paths.VIEW, include_in_schema=False)
    async def view() -> RedirectResponse:
        return RedirectResponse(paths.DOCS)

    @api.get(paths.OPEN, include_in_schema=False)
    async def let_in(code: Annotated[str, Query(max_length=100)]) -> RedirectResponse:
        session = face.doorkeeper.redeem(code)
        if session is None:
            raise HTTPException(403, "this link was used already, or is too old; 'lightning-grpc open' gives another")
        response = RedirectResponse(paths.VIEW, status_code=303)
        response.set_cookie(face.doorkeeper.cookie_name, session, httponly=True, samesite="strict", path="/")
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response


def _add_looking(api: FastAPI, face: Face) -> None:
    running = face.running

    @api.get(paths.HEALTH, tags=["app"], responses={503: {"model": Health}})
    async def health(response: Response) -> Health:
        """Whether the app runs; 503 if it is ending."""
        told = running.describe()
        response.status_code = 200 if told.stage == AppStage.RUNNING.value else 503
        return Health(stage=told.stage, revision=told.revision)

    @api.get(paths.METRICS, tags=["app"], response_class=PlainTextResponse)
    async def metrics() -> PlainTextResponse:
        """Return metrics in Prometheus' text format."""
        told = running.describe()
        text = render_metrics(running.metrics(), revision=told.revision, started_at_s=told.started_at_s)
        return PlainTextResponse(text, media_type=CONTENT_TYPE)

    @api.get(paths.SPEC, tags=["app"], responses=_problems(429, 503, 504))
    async def spec() -> Spec:
        """Return the components of the app, its commands and its routes."""
        components = await ask(running, "the components", lambda: _components(face.root), TIMEOUT_S)
        commands = await _in_time("the commands", running.commands())
        return Spec(
            name=running.name,
            epoch=str(running.epoch),
            components=components,
            commands=[_describe_command(command) for command in commands],
            routes=[_describe(route) for route in face.routes],
        )

    @api.get(paths.STATE, tags=["state"], responses={200: {"model": dict[str, Any]}, **_problems(429, 503, 504)})
    async def get_state() -> Response:
        """Return the state of all components, as of the revision in the header `X-Revision`."""
        revision, document = await _in_time("the state", running.state())
        text = await asyncio.to_thread(lambda: write(to_json(document)))
        headers = {"X-Revision": str(revision), "X-Epoch": str(running.epoch), "Cache-Control": "no-store"}
        return Response(text, media_type="application/json", headers=headers)


def _add_events(api: FastAPI, face: Face) -> None:
    @api.get(paths.EVENTS, include_in_schema=False)  # what reads the schema waits for an answer's end
    async def events(last_event_id: Annotated[str, Header(max_length=100)] = "") -> EventSourceResponse:
        """Return server-sent events: `snapshot` with the whole state first, then a `delta` for each revision.

        With `Last-Event-ID`, what came after that event, if it is still known; else a snapshot.
        """
        after = _revision_of(last_event_id, face.running.epoch)
        news = await _in_time("the events", face.follower.open(after))
        told = _told(news, face.running.epoch)
        return EventSourceResponse(told, ping=KEEPALIVE_S, sep="\n", send_timeout=_SEND_DEADLINE_S)


def _add_changing(api: FastAPI, face: Face) -> None:
    running = face.running
    token, problems = [Security(_bearer)], _problems(*_PROBLEMS)

    @api.post(paths.STATE, tags=["state"], dependencies=token, responses=problems)
    async def post_state(wanted: StateUpdate) -> Updated:
        """Set the declared attributes in which a state differs from the app's; needs the app's token."""
        _, document = await _in_time("the state", running.state())
        try:
            changes = changes_to(document, _value(wanted.state))
        except UpdateRefusedError as error:
            raise answer_to("update", error) from None
        return Updated(revision=await _in_time("update", running.update(changes, wanted.base_revision)))

    @api.post(paths.DELTA, tags=["state"], dependencies=token, responses=problems)
    async def post_delta(delta: DeltaUpdate) -> Updated:
        """Change declared attributes, all of them or none; needs the app's token."""
        try:
            changes = [change.read() for change in delta.changes]
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        return Updated(revision=await _in_time("update", running.update(changes, delta.base_revision)))

    @api.post(paths.CODES, tags=["app"], dependencies=token, responses=problems)
    async def post_code() -> Code:
        """Return a URL that lets a browser in: it works once, for five minutes; needs the app's token."""
        return Code(url=f"{face.binding.url}{paths.OPEN}?code={face.doorkeeper.issue_code()}")


async def _to_view() -> RedirectResponse:
    return RedirectResponse(paths.VIEW)


async def _told(news: AsyncIterator[Event], epoch: int) -> AsyncIterator[ServerSentEvent]:
    async for event in news:
        yield ServerSentEvent(event.data, event=event.name, id=f"{event.revision}.{epoch}", sep="\n")


def _revision_of(event_id: str, epoch: int) -> int:
    """Return the revision that an event's id tells; 0 if it is of another run of the app, or no id."""
    revision, _, of = event_id.strip().partition(".")
    if not (revision.isascii() and revision.isdigit()) or of not in ("", str(epoch)):
        return 0
    return int(revision)


async def _in_time(what: str, awaitable: Awaitable[T]) -> T:
    """Return what is asked of the Flow's thread, or raise the answer that its failure amounts to."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await awaitable
    except TimeoutError:
        raise HTTPException(
            504, f"the app's Flow was busy for {TIMEOUT_S:g} s; {what} was given up, unless it had begun"
        ) from None
    except Exception as error:
        raise answer_to(what, error) from None


def _value(data: Any) -> Any:
    try:
        return from_json(data)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None


def _components(root: LightningFlow) -> list[ComponentSpec]:
    return [
        ComponentSpec(
            name=component.name,
            kind="flow" if isinstance(component, LightningFlow) else "work",
            class_name=type(component).__qualname__,
            attributes=[name for name in component._declared if not name.startswith("_")],
        )
        for component in components_below(root)
    ]


def _describe(route: Route) -> RouteSpec:
    flow = route.flow.name if route.flow is not None else None
    return RouteSpec(method=route.verb, path=route.path, handler=route.name, flow=flow)


def _describe_command(command: CommandDescription) -> CommandSpec:
    parameters = [
        ParameterSpec(name=each.name, type=each.type, required=each.required, default=to_json(each.default))
        for each in command.parameters
    ]
    return CommandSpec(name=command.name, description=command.description, flow=command.flow, parameters=parameters)


def _problems(*statuses: int | str) -> dict[int | str, dict[str, Any]]:
    return {status: _PROBLEMS[status] for status in statuses}


async def _tell(_request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    return _problem(problem.status_code, problem.detail, problem.headers)


async def _tell_what_does_not_fit(_request: Request, problem: Exception) -> Response:
    assert isinstance(problem, RequestValidationError)
    return _problem(422, [{"loc": each["loc"], "msg": each["msg"], "type": each["type"]} for each in problem.errors()])


async def _tell_what_handler_returned(request: Request, problem: Exception) -> Response:
    _log.error("%s %s returned what its response model does not allow: %s", request.method, request.url.path, problem)
    return _problem(500, "the handler returned what its response model does not allow; the app's log says more")


async def _tell_unexpected(_request: Request, problem: Exception) -> Response:
    return _problem(500, f"{type(problem).__name__}: {problem}")


def _problem(status: int, detail: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer that can be written whatever it is about, lone surrogates included."""
    content = json.dumps({"detail": detail}, default=str)
    return Response(content, status, headers, media_type="application/json")

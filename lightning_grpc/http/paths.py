"""The paths that every app has; the routes of Flows cannot take them."""

from __future__ import annotations

from lightning_grpc.http.guard import Paths

DOCS = "/docs"
VIEW = "/view"
OPEN = "/open"
HEALTH = "/healthz"
METRICS = "/metrics"
OPENAPI = "/openapi.json"
STATE = "/api/v1/state"
DELTA = "/api/v1/delta"
SPEC = "/api/v1/spec"
EVENTS = "/api/v1/events"
CODES = "/api/v1/codes"
STATIC = "/static-offline-docs"

PATHS = Paths(
    changing=frozenset({STATE, DELTA, CODES}),
    public=frozenset({HEALTH, OPEN}),
    pages=frozenset({"/", VIEW, DOCS, OPEN}),
)

_RESERVED = frozenset(
    {DOCS, f"{DOCS}/oauth2-redirect", VIEW, OPEN, HEALTH, METRICS, OPENAPI, STATE, DELTA, SPEC, EVENTS, CODES, STATIC}
)


def is_reserved(path: str) -> bool:
    """Tell whether a path is one of the package's own."""
    return (path.rstrip("/") or "/") in _RESERVED or path.startswith(f"{STATIC}/")

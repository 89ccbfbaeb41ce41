"""Requests made up from the API's own description find no server error."""

from __future__ import annotations

import contextlib
import threading

import pytest
import schemathesis
from http_apps import DEADLINE_S, HandlerModel, Item, Shelf, serve
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

import lightning_grpc as L
from lightning_grpc.api import Delete, Get, Post, Put

EXAMPLES = 15


class Store(L.LightningFlow):
    """Has routes of every kind, none of which fails by itself."""

    def __init__(self):
        super().__init__()
        self.names = []
        self.shelf = {"a": (1, 2.5)}
        self.any = None
        self._end = self._release = threading.Event()

    def run(self):
        if self._end.is_set():
            self.stop()

    def handler(self, config: HandlerModel) -> None:
        self.names = [*self.names[-10:], config.name]

    def list_names(self, limit: int | None = None) -> list[str]:
        return self.names[: max(0, limit)] if limit is not None else self.names

    def put_item(self, key: str, item: Item, note: str = "") -> Shelf:
        self.shelf = {key: [item.name, note]}
        return Shelf(items=[item], total=1)

    async def delete_item(self, key: str):
        return self.shelf.pop(key, None)

    def configure_api(self):
        return [
            Post("/v1/api/request", self.handler),
            Get("/v1/names", self.list_names),
            Put("/v1/items/{key}", self.put_item),
            Delete("/v1/items/{key}", self.delete_item),
            Get("/v1/half/{number}", half),
        ]


def half(number: float) -> float:
    return number / 2


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        with serve(Store()) as each:
            yield each


def test_no_request_makes_the_server_fail(served):
    schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    tried = {f"{operation.method.upper()} {operation.path}" for operation in operations}
    assert {"POST /api/v1/delta", "POST /api/v1/state", "PUT /v1/items/{key}"} <= tried
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _try(operation, mode, served)
    assert served.client.get("/healthz").json()["stage"] == "running"
    assert served.client.get("/api/v1/state").status_code == 200


def _try(operation, mode, served):
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def run(case):
        answer = case.call(headers=served.with_token, timeout=DEADLINE_S)
        assert answer.status_code < 500, (case.as_curl_command(), answer.status_code, answer.text)

    with contextlib.suppress(Unsatisfiable):  # where there is nothing that could be wrong
        run()


ODD = [
    b"",
    b"null",
    b"[]",
    b"{",
    b"\xff\xfe",
    b'{"name": "\\ud800"}',
    b'{"name": "x", "x": NaN}',
    b'{"name": 1e999}',
    b'{"name": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    b'{"name": ' + b"9" * 5_000 + b"}",
    b'{"state": {"vars": {"any": "\\ud800"}}, "changes": []}',
    b'{"state": {"vars": {"\\ud800": 1}}, "changes": [{"op": "set", "path": ["vars", "\\ud800"], "value": 1}]}',
    b'{"state": {"vars": {"any": NaN}}, "changes": [{"op": "set", "path": ["vars", "any"], "value": -Infinity}]}',
    b'{"state": {"vars": {"any": ' + b"[" * 60 + b"]" * 60 + b'}}, "changes": []}',
    b'{"state": {"\\ud800": {}}, "changes": [{"op": "\\ud800"}]}',
    b'{"state": {}, "changes": [{"op": "splice", "path": ["vars", "names"], "index": 99999999999999999999}]}',
    b'{"state": {}, "changes": [{"op": "set", "path": ["vars", "any", "x", 1], "value": {"$dict": [[[], 1]]}}]}',
    b'{"state": {"vars": {"any": {"$int": "' + b"7" * 5_000 + b'"}}}, "changes": []}',
]


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_odd_bodies_are_answered_in_order(served, body, kind):
    headers = {"Content-Type": kind, **served.with_token}
    for path in ("/v1/api/request", "/api/v1/state", "/api/v1/delta"):
        answer = served.client.post(path, content=body, headers=headers)
        assert answer.status_code in (200, 400, 409, 422), (path, answer.text)
    assert served.client.put("/v1/items/x", content=body, headers=headers).status_code in (200, 400, 422)

"""The app's HTTP API: real servers, real requests."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import subprocess
import sys
import threading

import httpx
import pytest
from http_apps import DEADLINE_S, HandlerModel, Shop, events, has_started, serve, wait_until

import lightning_grpc as L
from lightning_grpc.api import Get, Post
from lightning_grpc.errors import ConfigurationError
from lightning_grpc.http.follower import MAX_CLIENTS
from lightning_grpc.http.functions import MAX_CALLS
from lightning_grpc.runners import MultiProcessRuntime
from lightning_grpc.service.registry import running_apps


@pytest.fixture(scope="module", autouse=True)
def runtime_directory(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        yield


@pytest.fixture(scope="module")
def served():
    with serve() as each:
        wait_until(lambda: has_started(each.root.keeper), "the Work's start")
        yield each


# The routes that Flows declare.


def test_a_request_of_the_seed_is_handled_by_the_flow(served):
    answer = served.client.post("/v1/api/request", json={"name": "Ada"})
    assert (answer.status_code, answer.json()) == (200, None)
    assert "Ada" in served.client.get("/v1/names").json()


def test_a_body_that_does_not_fit_is_refused_before_the_flow_sees_it(served):
    answer = served.client.post("/v1/api/request", json={"title": "Ada"})
    assert answer.status_code == 422
    assert answer.json()["detail"] == [{"loc": ["body", "name"], "msg": "Field required", "type": "missing"}]


def test_paths_queries_bodies_and_response_models_are_those_of_the_signature(served):
    answer = served.client.put("/v1/items/a", params={"note": "fresh"}, json={"name": "apple"})
    assert answer.status_code == 201
    assert answer.json() == {"items": [{"name": "apple", "price": 1.0}], "total": 1}
    assert served.root.shelf["a"]["note"] == "fresh"
    assert served.client.delete("/v1/items/a").status_code == 200
    assert served.root.shelf == {}


def test_a_flows_methods_run_on_the_thread_that_runs_the_flow(served):
    assert served.client.get("/v1/thread").json() == "the app"
    assert served.client.post("/v1/patient", params={"name": "async"}).json() == "the app"
    assert "async" in served.root.names


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_a_number_that_json_does_not_have_is_null_in_what_a_handler_returns(served, number):
    answer = served.client.get("/v1/measured", params={"x": number})
    assert (answer.status_code, answer.json()) == (200, {"x": None, "all": [None, [None, 1.5]]})
    assert served.client.get("/v1/measured", params={"x": 2}).json() == {"x": 2.0, "all": [2.0, [2.0, 1.5]]}


def test_functions_need_no_flow(served):
    assert served.client.get("/v1/double/4").json() == 8
    assert served.client.get("/v1/triple/4").json() == 12


def test_a_flows_method_can_read_the_whole_request(served):
    answer = served.client.post("/v1/echo", json=[1], headers={"X-Kind": "k"})
    assert answer.json() == {"method": "POST", "json": [1], "kind": "k"}


def test_what_a_child_declares_is_served_too(served):
    before = served.root.child.count
    assert served.client.post("/v1/count", params={"by": 2}).json() == before + 2


def test_a_handler_that_writes_makes_the_root_run(served):
    runs = served.app.metrics.runs
    served.client.post("/v1/count")

    def is_told():
        later = [run for run in served.app.metrics.latest_runs if run.number > runs]
        return any("POST /v1/count" in str(cause) for run in later for cause in run.causes)

    wait_until(is_told, "a run because of it")


def test_an_exception_of_a_handler_is_told_and_logged_and_harms_nothing(served, caplog):
    answer = served.client.get("/v1/raising")
    assert answer.status_code == 500
    assert answer.json() == {"detail": "ZeroDivisionError: cannot divide that"}
    assert "in raising" in caplog.text
    answer = served.client.get("/v1/broken")
    assert (answer.status_code, answer.json()) == (500, {"detail": "KeyError: 'no such thing'"})
    assert served.client.get("/v1/leaving").json() == {"detail": "SystemExit: 3"}
    assert served.client.get("/healthz").json()["stage"] == "running"


def test_an_http_exception_passes(served):
    answer = served.client.delete("/v1/items/nothing")
    assert (answer.status_code, answer.json()) == (404, {"detail": "there is no nothing"})


def test_a_handler_cannot_wait_for_a_work_that_blocks(served):
    answer = served.client.get("/v1/suspended")
    assert answer.status_code == 409
    assert "GET /v1/suspended has called root.keeper.run(), which blocks" in answer.json()["detail"]
    wait_until(lambda: served.root.keeper.has_succeeded, "the run that was asked for all the same")


def test_a_slow_handler_blocks_neither_the_server_nor_other_requests():
    with serve() as served:

        def has_begun():
            answer = served.client.get("/v1/hold")
            assert answer.status_code == 504
            return "it has begun, and goes on" in answer.json()["detail"]  # else the Flow did not get to it so soon

        wait_until(has_begun, "the slow handler's beginning")
        assert served.root._busy.is_set()
        assert served.client.get("/healthz").status_code == 200
        assert served.client.get("/metrics").status_code == 200
        assert served.client.get("/v1/double/1").json() == 2
        late = served.client.post("/v1/late", json={"name": "too late"})
        assert late.status_code == 504
        assert "it was not done" in late.json()["detail"]
        served.root._release.set()
        assert served.client.get("/v1/names").json() == []


def test_a_handler_may_end_the_app():
    with serve() as served:
        assert served.client.get("/v1/quit").status_code in (200, 503)
        wait_until(lambda: served.app.stage.value == "stopping", "the end")


def test_a_handler_may_fail_the_app():
    with serve() as served:
        answer = served.client.get("/v1/failing")
        assert answer.status_code == 500
        assert "fail(): enough" in answer.json()["detail"]
        wait_until(lambda: served.app.stage.value == "failed", "the end")
    assert "enough" in str(served.app.exception)


def test_a_function_that_does_not_end_keeps_no_app_from_ending():
    began, release, answers = threading.Event(), threading.Event(), []

    def endless():
        began.set()
        release.wait(DEADLINE_S)

    try:
        with serve(Named(lambda flow: Get("/v1/endless", endless))) as served:
            asking = threading.Thread(
                target=lambda: answers.append(httpx.get(f"{served.url}/v1/endless", trust_env=False, timeout=60))
            )
            asking.start()
            assert began.wait(DEADLINE_S)
        assert served.app.exception is None
    finally:
        release.set()
    asking.join(DEADLINE_S)
    assert [answer.status_code for answer in answers] == [503]


def test_functions_that_take_too_long_are_given_up_and_do_not_keep_others_waiting():
    release = threading.Event()

    def stuck():
        release.wait(DEADLINE_S)

    async def waiting():
        await asyncio.sleep(DEADLINE_S)

    def fine():
        return "fine"

    routes = (
        lambda _: Get("/v1/stuck", stuck, timeout_s=0.05),
        lambda _: Get("/v1/waiting", waiting, timeout_s=0.05),
        lambda _: Get("/v1/fine", fine),
    )
    try:
        with serve(Named(*routes)) as served:
            answer = served.client.get("/v1/waiting")
            assert (answer.status_code, "it was cancelled" in answer.text) == (504, True)
            for _ in range(MAX_CALLS):
                answer = served.client.get("/v1/stuck")
                assert (answer.status_code, "it goes on all the same" in answer.text) == (504, True)
            assert served.client.get("/v1/stuck").status_code == 429
            assert served.client.get("/docs").status_code == 200
            release.set()
            wait_until(lambda: served.client.get("/v1/fine").status_code == 200, "room for others")
    finally:
        release.set()


# The routes that every app has.


def test_the_pages_lead_to_the_documentation_which_loads_nothing_from_elsewhere(served):
    for page in ("/", "/view"):
        answer = served.client.get(page, follow_redirects=True)
        assert (answer.status_code, answer.url.path) == (200, "/docs")
    page = served.client.get("/docs").text
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert loaded
    assert "//" not in "".join(loaded)
    assert all(served.client.get(path).status_code == 200 for path in loaded)


def test_the_description_tells_of_every_route(served):
    described = served.client.get("/openapi.json").json()
    assert {"/v1/api/request", "/v1/items/{key}", "/v1/count", "/api/v1/state", "/api/v1/delta", "/healthz"} <= set(
        described["paths"]
    )
    assert described["paths"]["/v1/items/{key}"]["put"]["description"] == "Put an item on the shelf."
    assert described["paths"]["/v1/count"]["post"]["tags"] == ["root.child"]


def test_metrics_are_in_prometheus_format(served):
    answer = served.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert any(re.fullmatch(r"lightning_grpc_runs_total \d+", line) for line in lines)
    assert any(line.startswith('lightning_grpc_work_revision{work="root.keeper"} ') for line in lines)


def test_the_spec_tells_of_components_and_routes(served):
    spec = served.client.get("/api/v1/spec").json()
    assert {"name": "root.child", "kind": "flow", "class_name": "Counting", "attributes": ["count"]} in spec[
        "components"
    ]
    assert {"method": "POST", "path": "/v1/count", "handler": "add", "flow": "root.child"} in spec["routes"]


def test_the_spec_tells_of_commands(served):
    assert served.client.get("/api/v1/spec").json()["commands"] == [
        {
            "name": "greet",
            "description": "Greet somebody.",
            "flow": "root",
            "parameters": [
                {"name": "name", "type": "str", "required": True, "default": None},
                {"name": "times", "type": "int", "required": False, "default": 1},
            ],
        }
    ]


def test_the_state_is_written_exactly(served):
    answer = served.client.get("/api/v1/state")
    state = answer.json()
    assert state["vars"]["pair"] == {"$tuple": [1, 2.5]}
    assert state["vars"]["table"] == {"$dict": [[1, "one"]]}
    assert state["app_state"] == {"stage": "running"}
    assert int(answer.headers["x-revision"]) >= 1


def test_a_state_that_is_sent_changes_the_attributes_in_which_it_differs(served):
    state = served.client.get("/api/v1/state").json()
    state["vars"]["pair"] = {"$tuple": [3, {"$float": "nan"}]}
    state["flows"]["child"]["vars"]["count"] = 40
    answer = served.client.post("/api/v1/state", json={"state": state}, headers=served.with_token)
    assert answer.status_code == 200, answer.text
    assert served.root.child.count == 40
    assert str(served.root.pair) == "(3, nan)"
    refused = served.client.post("/api/v1/state", json={"state": {"vars": {"new": 1}}}, headers=served.with_token)
    assert refused.status_code == 422
    assert "root['vars']['new']" in refused.json()["detail"]


def test_a_delta_changes_all_that_it_names_or_nothing(served):
    served.root.names.clear()
    changes = [
        {"op": "splice", "path": ["vars", "names"], "index": 0, "items": ["a", "b"]},
        {"op": "set", "path": ["vars", "names", 1], "value": "c"},
        {"op": "set", "path": ["vars", "count"], "value": {"$int": str(10**30)}},
        {"op": "set", "path": ["vars", "table", 7], "value": {"$tuple": []}},
        {"op": "delete", "path": ["vars", "table", 1]},
    ]
    answer = served.client.post("/api/v1/delta", json={"changes": changes}, headers=served.with_token)
    assert answer.status_code == 200, answer.text
    assert (served.root.names, served.root.count, served.root.table) == (["a", "c"], 10**30, {7: ()})
    changes = [
        {"op": "set", "path": ["vars", "count"], "value": 1},
        {"op": "set", "path": ["vars", "nothing"], "value": 1},
    ]
    answer = served.client.post("/api/v1/delta", json={"changes": changes}, headers=served.with_token)
    assert answer.status_code == 422
    assert served.root.count == 10**30
    answer = served.client.post(
        "/api/v1/delta",
        json={"changes": [{"op": "set", "path": ["vars", "count"], "value": {"$float": 1}}]},
        headers=served.with_token,
    )
    assert (answer.status_code, answer.json()) == (422, {"detail": "$float does not hold what it must"})


def test_a_delta_for_an_older_state_is_a_conflict(served):
    def put(value, base):
        changes = [{"op": "set", "path": ["flows", "child", "vars", "count"], "value": value}]
        body = {"changes": changes, "base_revision": base}
        return served.client.post("/api/v1/delta", json=body, headers=served.with_token)

    first = put(1, 0).json()["revision"]
    second = put(2, first).json()["revision"]
    assert second > first
    assert put(3, first).status_code == 409
    assert served.root.child.count == 2


# Events.


def test_events_begin_with_a_snapshot_and_go_on_with_deltas(served):
    served.client.post("/v1/count", params={"by": 0})
    with events(served) as told:
        snapshot = next(told)
        assert snapshot.name == "snapshot"
        assert snapshot.revision == snapshot.data["revision"]
        count = snapshot.data["state"]["flows"]["child"]["vars"]["count"]
        served.client.post("/v1/count", params={"by": 5})
        delta = next(told)
    assert (delta.name, delta.revision) == ("delta", snapshot.revision + 1)
    assert delta.data == {"values_changed": {"root['flows']['child']['vars']['count']": {"new_value": count + 5}}}


def test_events_go_on_after_the_last_one_that_a_client_has(served):
    with events(served) as told:
        last = next(told)
    for by in (1, 2, 3):
        served.client.post("/v1/count", params={"by": by})
    for event_id in (last.id, str(last.revision)):
        with events(served, event_id) as told:
            deltas = [next(told) for _ in range(3)]
        assert [each.name for each in deltas] == ["delta"] * 3
        assert [each.revision for each in deltas] == [last.revision + n for n in (1, 2, 3)]


@pytest.mark.parametrize("event_id", ["999999999", "1.77", "nonsense", "-4", "9" * 90])
def test_a_client_whose_last_event_is_not_known_begins_with_a_snapshot(served, event_id):
    with events(served, event_id) as told:
        assert next(told).name == "snapshot"


def test_events_end_with_the_app_after_its_last_revision():
    with serve() as served, events(served) as told:
        assert next(told).name == "snapshot"
        wait_until(lambda: has_started(served.root.keeper), "the Work's start")  # which would come after the end, too
        served.root._end.set()
        last = list(told)[-1]
    assert last.data == {"values_changed": {"root['app_state']['stage']": {"new_value": "stopping"}}}


def test_a_stream_without_news_says_that_it_is_alive(served, monkeypatch):
    monkeypatch.setattr("lightning_grpc.http.face.KEEPALIVE_S", 0.05)
    with served.client.stream("GET", "/api/v1/events") as answer:
        assert any(line.startswith(":") for line in answer.iter_lines())


def test_too_many_followers_are_refused(served):
    limits = httpx.Limits(max_connections=None)
    with httpx.Client(base_url=served.url, timeout=DEADLINE_S, trust_env=False, limits=limits) as client:
        streams = contextlib.ExitStack()
        with streams:
            lines = []
            for _ in range(MAX_CLIENTS):
                answer = streams.enter_context(client.stream("GET", "/api/v1/events"))
                lines.append(answer.iter_lines())
                assert next(lines[-1]).startswith("id: ")
            with client.stream("GET", "/api/v1/events") as refused:
                assert refused.status_code == 429

    def follows_again():
        with served.client.stream("GET", "/api/v1/events") as answer:
            return answer.status_code == 200

    wait_until(follows_again, "a place for a client")


# Who is let in.


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
@pytest.mark.parametrize("path", ["/v1/api/request", "/api/v1/state", "/healthz", "/docs"])
def test_the_page_of_another_site_can_do_nothing(served, method, path):
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"https://{served.url[7:]}", ""):
        answer = served.client.request(method, path, headers={"Origin": origin, **served.with_token})
        assert answer.status_code == 403, (origin, answer.text)
        assert "access-control-allow-origin" not in answer.headers


def test_the_apps_own_page_can(served):
    answer = served.client.post("/v1/count", headers={"Origin": served.url, "Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 200


def test_a_request_that_a_page_of_another_site_makes_without_an_origin_is_refused(served):
    for site in ("cross-site", "same-site"):
        assert served.client.get("/v1/names", headers={"Sec-Fetch-Site": site}).status_code == 403
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert served.client.get("/docs", headers=link).status_code == 200
    assert served.client.get("/v1/names", headers=link).status_code == 403


@pytest.mark.parametrize("path", ["/v1/names", "/api/v1/state", "/docs", "/healthz", "/nothing"])
def test_a_name_that_was_made_to_lead_here_is_refused(served, path):
    port = served.url.rpartition(":")[2]
    for host in (f"evil.example:{port}", "127.0.0.1:1", "127.0.0.1", f"127.0.0.1.evil.example:{port}"):
        assert served.client.get(path, headers={"Host": host}).status_code == 421
    assert served.client.get(path, headers={"Host": f"localhost:{port}"}).status_code in (200, 404)


@pytest.mark.parametrize("path", ["/api/v1/state", "/api/v1/delta", "/api/v1/codes", "/api/v1/state/"])
def test_what_changes_the_state_needs_the_token(served, path):
    body = {"state": {"vars": {"count": 1}}, "changes": []}
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": served.token}, {"Cookie": "a=b"}):
        answer = served.client.post(path, json=body, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_link_lets_a_browser_in_once(served):
    url = served.client.post("/api/v1/codes", headers=served.with_token).json()["url"]
    assert served.token not in url
    with httpx.Client(base_url=served.url, trust_env=False, timeout=DEADLINE_S) as browser:
        answer = browser.get(url)
        assert (answer.status_code, answer.headers["location"]) == (303, "/view")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert served.token not in cookie
        assert browser.post("/api/v1/delta", json={"changes": []}).status_code == 200
        foreign = {"Origin": "http://evil.example"}
        assert browser.post("/api/v1/delta", json={"changes": []}, headers=foreign).status_code == 403
    with httpx.Client(trust_env=False, timeout=DEADLINE_S) as other:
        assert other.get(url).status_code == 403


def test_a_body_has_a_limit(served):
    too_large = b"x" * ((16 << 20) + 1)
    assert served.client.post("/v1/echo", content=too_large).status_code == 413
    assert served.client.post("/v1/echo", content=iter([too_large])).status_code == 413
    assert served.client.get("/healthz").status_code == 200


def test_an_app_that_others_can_reach_asks_them_for_the_token():
    with serve(http_host="0.0.0.0") as served:
        assert served.url.startswith("http://127.0.0.1:")
        assert served.client.get("/healthz").status_code == 200
        for path in ("/v1/names", "/api/v1/state", "/docs", "/metrics"):
            assert served.client.get(path).status_code == 401
            assert served.client.get(path, headers=served.with_token).status_code == 200


# Where it is served.


def test_a_taken_port_is_an_error_before_the_app_runs():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        root = Shop()
        with pytest.raises(ConfigurationError, match=rf"port {port} of 127.0.0.1 is taken.*--port"):
            L.LightningApp(root, http_port=port).run()


class Named(L.LightningFlow):
    """Declares the routes it is given."""

    def __init__(self, *routes, **children):
        super().__init__()
        for name, child in children.items():
            setattr(self, name, child)
        self._routes = routes
        self._end = self._release = threading.Event()

    def run(self):
        if self._end.is_set():
            self.stop()

    def configure_api(self):
        return [make(self) for make in self._routes]

    def one(self):
        return 1

    def two(self, model: HandlerModel):
        return model

    def any(self, *args):
        return args


def test_a_route_that_cannot_be_served_fails_the_app():
    root = Named(lambda flow: Get("/v1/one", flow.one, colour="red"))
    app = L.LightningApp(root, http_port=0)
    with pytest.raises(ConfigurationError, match=r"the route GET /v1/one \(one\) cannot be served.*colour"):
        app.run()


def test_a_handler_that_takes_what_a_request_cannot_name_fails_the_app():
    root = Named(lambda flow: Get("/v1/any", flow.any))
    with pytest.raises(ConfigurationError, match=r"the route GET /v1/any \(any\) cannot be served: .*\*args"):
        L.LightningApp(root, http_port=0).run()


def test_two_flows_with_the_same_route_are_an_error_before_the_app_runs():
    child = Named(lambda flow: Post("/v1/{b}", flow.two))
    root = Named(lambda flow: Post("/v1/{a}", flow.two), child=child)
    with pytest.raises(ConfigurationError, match=r"root \(two\).*root.child \(two\)"):
        L.LightningApp(root, http_port=0).run()


def test_an_app_is_not_served_over_http_unless_it_says_so():
    root = Named(lambda flow: Get("not a path", flow.one))
    root._end.set()
    app = L.LightningApp(root)
    app.run()
    assert app.http_url == ""


def test_the_runtime_of_lightning_apps_serves_http_too():
    class Brief(Named):
        def run(self):
            if app.http_url:
                self.stop()

    app = L.LightningApp(Brief(), idle_interval_s=0.02)
    MultiProcessRuntime(app, port=0).dispatch()
    assert app.http_url.startswith("http://127.0.0.1:")


# The command line.


APP = """
import lightning_grpc as L
from lightning_grpc.api import Post

class Flow(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.names = []
    def run(self):
        if "end" in self.names:
            self.stop(f"names: {self.names}")
    def handler(self, name: str) -> int:
        self.names.append(name)
        return len(self.names)
    def configure_api(self):
        return [Post("/v1/names", self.handler)]

app = L.LightningApp(Flow(), idle_interval_s=0.05)
"""


def command(*arguments, environment, **options):
    return [sys.executable, "-m", "lightning_grpc", *map(str, arguments)], {
        "env": environment,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        **options,
    }


@pytest.fixture
def environment():
    return {name: value for name, value in os.environ.items() if name != "LIGHTNING_GRPC_NO_SERVER"}


def test_the_command_says_where_to_look_and_open_lets_a_browser_in(tmp_path, environment):
    (tmp_path / "app.py").write_text(APP)
    line, options = command("run", "app", tmp_path / "app.py", "--port", 0, "--name", "shop", environment=environment)
    with subprocess.Popen(line, **options) as process:
        try:
            started = process.stderr.readline()
            url = re.fullmatch(
                r"INFO: Your app has started. View it in your browser: (http://127.0.0.1:\d+)/view\n", started
            )[1]
            wait_until(lambda: url in [entry.http for entry in running_apps()], "registration")
            line, options = command("open", "shop", environment=environment, timeout=DEADLINE_S, check=False)
            opened = subprocess.run(line, **options)
            assert opened.returncode == 0, opened.stderr
            assert re.fullmatch(rf"{url}/open\?code=\S+\n", opened.stdout)
            with httpx.Client(trust_env=False, timeout=DEADLINE_S) as client:
                assert client.get(opened.stdout.strip()).status_code == 303
                assert client.post(f"{url}/v1/names", params={"name": "end"}).json() == 1
            out, err = process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()
    assert (process.returncode, out) == (0, "names: ['end']\n"), err


def test_the_command_refuses_a_taken_port(tmp_path, environment):
    (tmp_path / "app.py").write_text(APP)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line, options = command("run", "app", tmp_path / "app.py", "--port", port, environment=environment)
        done = subprocess.run(line, timeout=DEADLINE_S, check=False, **options)
    assert done.returncode == 1
    assert f"ERROR: port {port} of 127.0.0.1 is taken" in done.stderr
    assert "--port" in done.stderr
    assert "started" not in done.stderr


def test_open_says_which_apps_there_are(environment):
    line, options = command("open", "nothing", environment=environment)
    done = subprocess.run(line, timeout=DEADLINE_S, check=False, **options)
    assert done.returncode == 2
    assert "No app called 'nothing' is running" in done.stderr

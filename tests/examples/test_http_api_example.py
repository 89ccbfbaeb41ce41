"""The example of an HTTP API, asked as its README asks it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time

import httpx
import pytest
from example_runs import DEADLINE_S, EXAMPLES, ROOT, without_slow_runs


@pytest.fixture
def kitchen(example):
    """The example, running at a port of its own."""
    started = example("http_api")
    runtime_directory = tempfile.mkdtemp(prefix="lgh")
    environment = {**started.environment, "XDG_RUNTIME_DIR": runtime_directory, "LIGHTNING_GRPC_PORT": "0"}
    del environment["LIGHTNING_GRPC_NO_SERVER"]
    app = subprocess.Popen(
        started.command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    yield app
    if app.poll() is None:
        app.terminate()
        app.communicate(timeout=DEADLINE_S)
    shutil.rmtree(runtime_directory)


def test_the_kitchen_takes_orders_as_the_readme_says(kitchen):
    line = next(filter(without_slow_runs, kitchen.stderr))
    url = re.fullmatch(r"INFO: Your app has started. View it in your browser: (http://127.0.0.1:\d+)/view\n", line)[1]
    with httpx.Client(base_url=url, trust_env=False, timeout=DEADLINE_S) as client:
        order = {"number": 0, "dish": "soup", "count": 2, "ready": False}
        answer = client.post("/v1/orders", json={"dish": "soup", "count": 2})
        assert (answer.status_code, answer.json()) == (201, order)
        deadline_s = time.monotonic() + DEADLINE_S
        while client.get("/v1/orders/0").json() != {**order, "ready": True}:
            assert time.monotonic() < deadline_s
        assert client.get("/v1/menu").json() == ["soup", "bread", "tea"]
        assert client.post("/v1/orders", json={"count": 2}).status_code == 422
        assert client.get("/v1/orders/7").status_code == 404
        assert client.delete("/v1/kitchen").json() == 0
    out, err = kitchen.communicate(timeout=DEADLINE_S)
    assert (kitchen.returncode, out) == (0, "2 x soup is ready\nThe kitchen is closed.\n"), err


def test_the_readme_asks_for_routes_that_are_there():
    readme = (EXAMPLES / "http_api" / "README.md").read_text(encoding="utf-8")
    routes = set(re.findall(r"curl.*http://127.0.0.1:7501(/\S+)", readme))
    assert routes == {"/v1/orders", "/v1/orders/0", "/v1/menu", "/v1/kitchen", "/api/v1/events"}

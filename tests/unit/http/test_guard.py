"""What the guard lets through, without a server."""

from __future__ import annotations

import asyncio

import pytest

from lightning_grpc.http.binding import Binding
from lightning_grpc.http.doorkeeper import Doorkeeper
from lightning_grpc.http.guard import Guard
from lightning_grpc.http.paths import PATHS, is_reserved


@pytest.fixture
def binding():
    binding = Binding("127.0.0.1", 0)
    yield binding
    binding.close()


def ask(guard, scope, *messages):
    """Return the messages that an ASGI application sends."""
    sent, received = [], list(messages)

    async def receive():
        return received.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    return sent


async def echo(scope, receive, send):
    body = (await receive())["body"] if scope["method"] == "POST" else b""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def untouched(scope, receive, send):
    raise AssertionError("this was to be refused")


def make(app, binding, **options):
    return Guard(app, binding=binding, doorkeeper=Doorkeeper("the token", binding.port), paths=PATHS, **options)


def http(binding, method="GET", path="/v1/x", **headers):
    headers = {"host": f"127.0.0.1:{binding.port}", **{name.replace("_", "-"): text for name, text in headers.items()}}
    encoded = [(name.encode(), text.encode()) for name, text in headers.items()]
    return {"type": "http", "method": method, "path": path, "headers": encoded}


def test_a_request_without_a_host_or_with_two_is_refused(binding):
    scope = http(binding)
    for headers in ([], scope["headers"] * 2):
        assert ask(make(untouched, binding), {**scope, "headers": headers})[0]["status"] == 400


def test_a_websocket_passes_the_same_checks(binding):
    socket = {"type": "websocket", "path": "/v1/x", "headers": http(binding)["headers"]}
    foreign = [*socket["headers"], (b"origin", b"http://evil.example")]
    for headers in (foreign, [(b"host", b"evil.example")]):
        sent = ask(make(untouched, binding), {**socket, "headers": headers})
        assert [each["type"] for each in sent] == ["websocket.close"]

    async def accept(scope, receive, send):
        await send({"type": "websocket.accept"})

    assert ask(make(accept, binding), socket) == [{"type": "websocket.accept"}]


def test_a_body_in_parts_arrives_whole(binding):
    parts = [
        {"type": "http.request", "body": b"ab", "more_body": True},
        {"type": "http.request", "body": b"cd", "more_body": False},
    ]
    sent = ask(make(echo, binding), http(binding, "POST", transfer_encoding="chunked"), *parts)
    assert sent[1]["body"] == b"abcd"


def test_a_body_that_turns_out_too_large_is_refused(binding):
    parts = [{"type": "http.request", "body": b"ab", "more_body": True}] * 3
    guard = make(untouched, binding, max_body_bytes=3)
    assert ask(guard, http(binding, "POST", transfer_encoding="chunked"), *parts)[0]["status"] == 413
    assert ask(guard, http(binding, "POST", content_length="4"))[0]["status"] == 413
    assert ask(guard, http(binding, "POST", content_length="9" * 5000))[0]["status"] == 413


def test_a_client_that_leaves_in_the_middle_of_its_body_is_let_go(binding):
    parts = [{"type": "http.request", "body": b"ab", "more_body": True}, {"type": "http.disconnect"}]
    assert ask(make(untouched, binding), http(binding, "POST", content_length="4"), *parts) == []


def test_a_slow_body_is_refused(binding, monkeypatch):
    monkeypatch.setattr("lightning_grpc.http.guard.BODY_DEADLINE_S", 0.01)

    async def run():
        sent = []

        async def receive():
            await asyncio.Event().wait()

        async def send(message):
            sent.append(message)

        await make(untouched, binding)(http(binding, "POST", content_length="4"), receive, send)
        return sent

    assert asyncio.run(run())[0]["status"] == 408


@pytest.mark.parametrize("begun", [False, True])
def test_what_the_server_cancels_is_brought_to_an_end(binding, begun):
    async def run():
        sent, waiting = [], asyncio.Event()

        async def send(message):
            sent.append(message)

        async def endless(scope, receive, send):
            if begun:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            waiting.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(make(endless, binding)(http(binding), None, send))
        await waiting.wait()
        task.cancel()
        await task
        return sent

    sent = asyncio.run(run())
    assert sent[0]["status"] == (200 if begun else 503)
    assert not sent[-1].get("more_body", False)


@pytest.mark.parametrize("header", ["authorization", "cookie"])
def test_odd_credentials_are_no_credentials(binding, header):
    for text in ("Bearer", "Bearer é", "Basic the token", "\xff", "=;=", f"lightning_grpc_{binding.port}=the token"):
        sent = ask(make(untouched, binding), http(binding, "POST", "/api/v1/delta", **{header: text}))
        assert sent[0]["status"] == 401


def test_reading_the_state_needs_no_token_on_this_machine(binding):
    assert ask(make(echo, binding), http(binding, "GET", "/api/v1/state"))[0]["status"] == 200


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/api/v1/state", "/static-offline-docs/x.js", "/metrics", "/view"])
def test_the_packages_own_paths_are_reserved(path):
    assert is_reserved(path)


@pytest.mark.parametrize("path", ["/", "/api/v1/request", "/v1/api/request", "/api/v1/states", "/view/x"])
def test_other_paths_are_free(path):
    assert not is_reserved(path)

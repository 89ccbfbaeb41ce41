"""What every request has to pass before anything else looks at it: its Host, its Origin, its token, its size."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from lightning_grpc.http.binding import Binding
from lightning_grpc.http.doorkeeper import Doorkeeper

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 16 << 20
"""How large the body of a request may be."""
BODY_DEADLINE_S = 30.0
"""How long a client may take to send it."""

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_FROM_ELSEWHERE = frozenset({"cross-site", "same-site"})  # another port of this host is the same site


@dataclass(frozen=True)
class Paths:
    """Paths that are treated in a way of their own.

    Attributes:
        changing: Of built-in routes that change something: they need the token everywhere, unless they are read.
        public: They never need the token.
        pages: Pages for people, to which a page of another site may link.
    """

    changing: frozenset[str] = field(default_factory=frozenset)
    public: frozenset[str] = field(default_factory=frozenset)
    pages: frozenset[str] = field(default_factory=frozenset)


class _Refused(Exception):  # noqa: N818 - an answer, not an error
    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class Guard:
    """An ASGI middleware that lets through what may come in; the outermost one.

    * A Host that is none of the server's is refused: a name that was made to lead here (DNS rebinding).
    * A request that a page of another origin has made is refused. Browsers say so in ``Origin`` or ``Sec-Fetch-Site``;
      other clients send neither.
    * The token, or the cookie that was given for it, is needed for built-in routes that change something; and for
      everything that is not public, if others than this machine reach the server.
    * A body is read before the request goes on; one that is too large or too slow is refused, and JSON with texts that
      cannot be.

    Args:
        app: What is guarded.
        binding: Where the server listens.
        doorkeeper: Knows the token.
        paths: Paths that are treated in a way of their own.
        max_body_bytes: See `MAX_BODY_BYTES`.
    """

    def __init__(
        self,
        app: Application,
        *,
        binding: Binding,
        doorkeeper: Doorkeeper,
        paths: Paths,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._app = app
        self._binding = binding
        self._doorkeeper = doorkeeper
        self._paths = paths
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one connection and pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            self._check_sender(scope)
            self._check_token(scope)
            if scope["type"] == "http" and _has_body(scope):
                body = await self._read_body(scope, receive)
                _check_texts(body)
                receive = _replay(body, receive)
        except _Refused as refused:
            await _refuse(scope, refused, send)
            return
        except ConnectionError:
            return  # the client has gone before it had said everything
        answer = _Answer(send)
        try:
            await self._app(scope, receive, answer.send)
        except asyncio.CancelledError:  # by the server, which is ending and has waited long enough
            await answer.end()

    def _check_sender(self, scope: Scope) -> None:
        hosts = _headers(scope, b"host")
        if len(hosts) != 1:
            raise _Refused(400, "a request names its host in exactly one header Host")
        if not self._binding.allows(hosts[0]):
            raise _Refused(421, f"this server is not {hosts[0]}; it is {self._binding.url}")
        for origin in _headers(scope, b"origin"):
            scheme, _, authority = origin.partition("://")
            if scheme.lower() != "http" or not self._binding.allows(authority):
                raise _Refused(403, f"a page of {origin} may not use this server")
        if _FROM_ELSEWHERE.isdisjoint(_headers(scope, b"sec-fetch-site")):
            return
        if "navigate" not in _headers(scope, b"sec-fetch-mode") or scope["path"] not in self._paths.pages:
            raise _Refused(403, "a page of another site may not use this server")

    def _check_token(self, scope: Scope) -> None:
        path = scope["path"].rstrip("/") or "/"
        method = scope.get("method", "GET")
        changes = path in self._paths.changing and method not in _READS
        if not changes and (self._binding.is_loopback or path in self._paths.public):
            return
        if not self._doorkeeper.knows(_headers(scope, b"authorization"), _headers(scope, b"cookie")):
            raise _Refused(
                401,
                f"{method} {path} needs the app's token, as 'Authorization: Bearer TOKEN', or the cookie that a "
                "browser gets by the URL that 'lightning-grpc open' gives",
            )

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes:
        too_large = _Refused(413, f"the body of a request has at most {self._max_body_bytes} bytes")
        announced = _headers(scope, b"content-length")
        if any(int(size[:20]) > self._max_body_bytes for size in announced if size.isascii() and size.isdigit()):
            raise too_large
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_DEADLINE_S):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ConnectionError
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > self._max_body_bytes:
                        raise too_large
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise _Refused(408, f"the body of the request was not there after {BODY_DEADLINE_S:.0f} s") from None


class _Answer:
    """An answer that can be brought to an end from outside, wherever it is."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._has_begun = False

    async def send(self, message: Message) -> None:
        """Pass a part of it on."""
        self._has_begun = True
        await self._send(message)

    async def end(self) -> None:
        """Say that there is no answer, or no more of it."""
        with contextlib.suppress(Exception):  # it is over already, or less than was announced
            if self._has_begun:
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await _refuse({"type": "http"}, _Refused(503, "the app has ended"), self._send)


def _has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def _check_texts(body: bytes) -> None:
    """Refuse JSON that escapes one half of a surrogate pair: no encoding carries such a text, and no state holds it."""
    if b"\\ud" not in body.lower():
        return
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return  # not JSON; whoever expects JSON will say so
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _Refused(422, "the body has a text with a lone surrogate, which no encoding can carry") from None


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that says the body first, and then what the client says later: that it has gone."""
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


async def _refuse(scope: Scope, refused: _Refused, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": refused.why[:100]})
        return
    body = json.dumps({"detail": refused.why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refused.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refused.status in (408, 413):
        headers.append((b"connection", b"close"))  # the rest of the body is not read
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

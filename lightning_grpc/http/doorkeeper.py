"""Who has shown the app's token, and who got a cookie for it."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Iterable
from http.cookies import CookieError, SimpleCookie

CODE_LIFE_S = 300.0
"""How long a one-time code may be used, in seconds."""
MAX_CODES = 16
"""One-time codes that are open at a time; a newer one takes the place of the oldest."""


class Doorkeeper:
    """Knows the app's token, gives out one-time codes, and takes a code for a cookie.

    The cookie is not the token: it is of this run of the server and of no use anywhere else.

    Args:
        token: The app's.
        port: Where the server listens; it is part of the cookie's name, since cookies of one host are shared by all of
            its ports.
        now: A clock in seconds.

    Threads: One at a time.
    """

    def __init__(self, token: str, port: int, now: Callable[[], float] = time.monotonic) -> None:
        self._token = token
        self._session = secrets.token_urlsafe(32)
        self._codes: dict[str, float] = {}
        self._now = now
        self.cookie_name = f"lightning_grpc_{port}"

    def issue_code(self) -> str:
        """Return a fresh code that is taken once, within `CODE_LIFE_S`."""
        while len(self._codes) >= MAX_CODES:
            del self._codes[next(iter(self._codes))]
        code = secrets.token_urlsafe(24)
        self._codes[code] = self._now() + CODE_LIFE_S
        return code

    def redeem(self, code: str) -> str | None:
        """Take a code and return the cookie's value for it; None if the code is not, or no longer, one of ours."""
        until = self._codes.pop(code, None)
        return self._session if until is not None and self._now() <= until else None

    def knows(self, authorization: Iterable[str], cookies: Iterable[str]) -> bool:
        """Tell whether a request shows the token or the cookie.

        Args:
            authorization: Its headers ``Authorization``.
            cookies: Its headers ``Cookie``.
        """
        given = list(authorization)
        if given:
            scheme, _, token = given[0].partition(" ")
            return len(given) == 1 and scheme.lower() == "bearer" and _equal(token.strip(), self._token)
        return any(_equal(value, self._session) for value in map(self._cookie, cookies))

    def _cookie(self, header: str) -> str:
        try:
            morsel = SimpleCookie(header).get(self.cookie_name)
        except CookieError:
            return ""
        return morsel.value if morsel is not None else ""


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())

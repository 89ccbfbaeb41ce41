"""Where a server may listen without proving who it is, and without asking who calls."""

from __future__ import annotations

from lightning_grpc.errors import ConfigurationError
from lightning_grpc.wire.addresses import is_local
from lightning_grpc.wire.credentials import ServerTls, check_token


def check_binding(address: str, tls: ServerTls | None, token: str | None) -> None:
    """Refuse to listen where others could read what is said, or call without being asked who they are.

    Whoever may call a Work runs its code with arguments of his own. So unix sockets and loopback are free, and any
    other address needs both: TLS, and something that callers must have, which is a token or a certificate.

    Args:
        address: As gRPC writes it; ``HOST:PORT`` or ``unix:PATH``.
        tls: How the server proves who it is; None for plain text.
        token: What callers must carry; None for no token.

    Raises:
        ConfigurationError: Something is missing; it says what, and the two ways to go on. Or it is no token.

    Example:
        >>> check_binding("127.0.0.1:50051", None, None)
        >>> check_binding("0.0.0.0:50051", None, "secret")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        lightning_grpc.errors.ConfigurationError: 0.0.0.0:50051 is not on loopback, and without TLS ...
    """
    if token:
        check_token(token)
    if is_local(address):
        return
    asks_who_calls = bool(token) or (tls is not None and tls.client_ca is not None)
    if tls is not None and asks_who_calls:
        return
    gaps = []
    if tls is None:
        gaps.append("without TLS all that is said there, a token too, can be read on the way")
    if not asks_who_calls:
        gaps.append("without a token or certificates of its callers, whoever reaches it can call it")
    raise ConfigurationError(
        f"{address} is not on loopback, and {', and '.join(gaps)}. Two ways to go on: (1) listen on 127.0.0.1 or a "
        "unix socket, and reach it from elsewhere through an SSH tunnel; (2) listen there with TLS and something that "
        "callers must have: --tls-cert and --tls-key, with --token-file, or with --tls-client-ca for callers with "
        "certificates. 'lightning-grpc tls init DIR' makes all of these files."
    )

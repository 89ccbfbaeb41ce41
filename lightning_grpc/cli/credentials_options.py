"""Options for TLS and tokens, the same at every command that serves or connects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from lightning_grpc.errors import ConfigurationError

if TYPE_CHECKING:
    from lightning_grpc.wire.credentials import ClientTls, ServerTls

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path, dir_okay=False)

_TOKEN_FILE = click.option("--token-file", type=_FILE, metavar="FILE", help="A file, yours alone, with the token.")
_SERVER = (
    click.option("--tls-cert", type=_FILE, metavar="FILE", help="Serve with TLS: the server's certificate, PEM."),
    click.option("--tls-key", type=_FILE, metavar="FILE", help="Its private key, PEM."),
    click.option(
        "--tls-client-ca", type=_FILE, metavar="FILE", help="Let in only clients with a certificate of this CA, PEM."
    ),
    _TOKEN_FILE,
)
_CLIENT = (
    click.option(
        "--tls-ca", type=_FILE, metavar="FILE", help="Connect with TLS: the CA of the server's certificate, PEM."
    ),
    click.option("--tls-cert", type=_FILE, metavar="FILE", help="Your own certificate, if the server asks, PEM."),
    click.option("--tls-key", type=_FILE, metavar="FILE", help="Its private key, PEM."),
    click.option("--tls-server-name", default="", metavar="NAME", help="The certificate's name, if not the host's."),
    _TOKEN_FILE,
)


def server_credentials_options(command: _Command) -> _Command:
    """Give a command the options that `server_credentials` takes."""
    return _with(command, _SERVER)


def client_credentials_options(command: _Command) -> _Command:
    """Give a command the options that `client_credentials` takes."""
    return _with(command, _CLIENT)


@dataclass(frozen=True)
class ServerCredentials:
    """What a server shows and asks for.

    Attributes:
        tls: How it proves who it is; None to listen in plain text.
        token: What callers must carry; None for no token.
    """

    tls: ServerTls | None
    token: str | None = field(repr=False)


@dataclass(frozen=True)
class ClientCredentials:
    """What a client trusts and shows.

    Attributes:
        tls: Whom it trusts; None for a connection in plain text.
        token: What it carries; None for no token.
    """

    tls: ClientTls | None
    token: str | None = field(repr=False)


def server_credentials(
    tls_cert: Path | None, tls_key: Path | None, tls_client_ca: Path | None, token_file: Path | None
) -> ServerCredentials:
    """Return what the options of a server say.

    Raises:
        ConfigurationError: They do not fit together, or the token cannot be read.
    """
    from lightning_grpc.wire.credentials import ServerTls, read_token

    token = read_token(token_file) if token_file else None
    if tls_cert is None and tls_key is None and tls_client_ca is None:
        return ServerCredentials(None, token)
    if tls_cert is None or tls_key is None:
        raise ConfigurationError("TLS needs the server's certificate and its key: give --tls-cert and --tls-key")
    return ServerCredentials(ServerTls(tls_cert, tls_key, tls_client_ca), token)


def client_credentials(
    tls_ca: Path | None, tls_cert: Path | None, tls_key: Path | None, tls_server_name: str, token_file: Path | None
) -> ClientCredentials:
    """Return what the options of a client say.

    Raises:
        ConfigurationError: They do not fit together, or the token cannot be read.
    """
    from lightning_grpc.wire.credentials import ClientTls, read_token

    token = read_token(token_file) if token_file else None
    if tls_ca is None and tls_cert is None and tls_key is None and not tls_server_name:
        return ClientCredentials(None, token)
    return ClientCredentials(ClientTls(tls_ca, tls_cert, tls_key, tls_server_name), token)


def _with(command: _Command, options: tuple[Callable[[_Command], _Command], ...]) -> _Command:
    for option in reversed(options):
        command = option(command)
    return command

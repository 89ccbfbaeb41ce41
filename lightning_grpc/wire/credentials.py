"""TLS, at both ends: what is needed, read from files, with errors that name the file."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_grpc.errors import ConfigurationError

if TYPE_CHECKING:
    import grpc


@dataclass(frozen=True)
class ServerTls:
    """How a server proves who it is, and whom it lets in.

    Attributes:
        certificate: Its certificate with those that it is signed by, a PEM file.
        key: Its private key, a PEM file.
        client_ca: If given, a PEM file: only clients with a certificate signed by one of these are let in (mTLS).
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def load(self) -> grpc.ServerCredentials:
        """Read the files.

        Raises:
            ConfigurationError: One cannot be read, or is not what it shall be.
        """
        import grpc  # here, because the command line knows these classes before it needs a connection

        certificate, key = _read(self.certificate, "CERTIFICATE"), _read(self.key, "PRIVATE KEY")
        client_ca = _read(self.client_ca, "CERTIFICATE") if self.client_ca else None
        _check_pair(self.certificate, self.key)
        _check_authority(self.client_ca)
        return grpc.ssl_server_credentials([(key, certificate)], client_ca, client_ca is not None)


@dataclass(frozen=True)
class ClientTls:
    """Whom a client trusts, and how it proves who it is.

    Attributes:
        ca: The certificates that the server's must be signed by one of, a PEM file; None for those of the system.
        certificate: The client's own, for servers that ask for one (mTLS), a PEM file.
        key: Its private key, a PEM file.
        server_name: The name that the server's certificate must have; empty for the host of the address.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str = ""

    def __post_init__(self) -> None:
        """Refuse half of a pair."""
        if (self.certificate is None) != (self.key is None):
            raise ConfigurationError("a client's certificate and its key go together: give both, or neither")

    def load(self) -> grpc.ChannelCredentials:
        """Read the files.

        Raises:
            ConfigurationError: One cannot be read, or is not what it shall be.
        """
        import grpc

        ca = _read(self.ca, "CERTIFICATE") if self.ca else None
        certificate = _read(self.certificate, "CERTIFICATE") if self.certificate else None
        key = _read(self.key, "PRIVATE KEY") if self.key else None
        if self.certificate and self.key:
            _check_pair(self.certificate, self.key)
        _check_authority(self.ca)
        return grpc.ssl_channel_credentials(ca, key, certificate)

    @property
    def options(self) -> list[tuple[str, str]]:
        """Return the channel options that go with it."""
        return [("grpc.ssl_target_name_override", self.server_name)] if self.server_name else []


def read_token(file: Path) -> str:
    """Return the token in a file.

    Raises:
        ConfigurationError: It cannot be read, is empty, or others than its owner may read it.
    """
    try:
        if file.stat().st_mode & 0o077:
            raise ConfigurationError(f"{file}: others may read this token; make it yours alone: chmod 600 {file}")
        token = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"{file}: the token cannot be read: {error}") from None
    if not _is_token(token):
        raise ConfigurationError(f"{file}: no token in it; it is one line of printable characters without spaces")
    return token


def check_token(token: str) -> str:
    """Return a token if a call can carry it.

    Raises:
        ConfigurationError: It cannot; the error does not show it.
    """
    if not _is_token(token):
        raise ConfigurationError(
            "what was given as token is none: it is a text of printable ASCII characters without spaces and line ends; "
            "one that was read from a file has to be stripped, or give the file instead (token_file, --token-file)"
        )
    return token


def _is_token(token: object) -> bool:
    return isinstance(token, str) and token.isascii() and token.isprintable() and token != "" and " " not in token


def _check_pair(certificate: Path, key: Path) -> None:
    """Refuse what gRPC would take, and could then serve or show to nobody."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"{certificate} and {key} are no certificate with its key: they do not belong together, one is broken, or "
            f"the key has a password ({error.reason or error})"
        ) from None


def _check_authority(file: Path | None) -> None:
    try:
        if file is not None:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except ssl.SSLError as error:
        raise ConfigurationError(f"{file}: a certificate in it is broken ({error.reason or error})") from None


def _read(file: Path, kind: str) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file}: the {kind.lower()} cannot be read: {error.strerror}") from None
    if kind.encode() + b"-----" not in content:
        raise ConfigurationError(
            f"{file} has no {kind.lower()} in it; a PEM file with '-----BEGIN {kind}-----' is needed"
        )
    return content

"""Which Work a client is for, and what it shows there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lightning_grpc.errors import ConfigurationError
from lightning_grpc.wire.addresses import parse_address
from lightning_grpc.wire.client import WorkChannel
from lightning_grpc.wire.credentials import ClientTls, read_token

File = str | Path | None


@dataclass(frozen=True, slots=True)
class WorkTarget:
    """Where a Work answers, and what it asks for.

    Attributes:
        address: Where, as gRPC writes it.
        work: The Work that is meant, if several are served there; may be empty.
        token: What the server asks for; None for nothing.
        tls: Whom to trust; None for a connection in plain text.
    """

    address: str
    work: str = ""
    token: str | None = field(default=None, repr=False)
    tls: ClientTls | None = None

    @property
    def name(self) -> str:
        """What errors call the Work: by its address, and its name if one was given."""
        return f"{self.work} at {self.address}" if self.work else f"the Work at {self.address}"

    def connect(self) -> WorkChannel:
        """Return a connection, on the running loop."""
        return WorkChannel(self.address, self.name, self.token, tls=self.tls, work=self.work)


def make_target(
    address: str,
    *,
    work: str = "",
    token: str | None = None,
    token_file: File = None,
    tls: ClientTls | None = None,
    tls_ca: File = None,
    tls_cert: File = None,
    tls_key: File = None,
    tls_server_name: str = "",
) -> WorkTarget:
    """Return what the options of a client say; see `AsyncWorkClient`.

    Raises:
        ConfigurationError: They do not fit together, the address is none, or the token cannot be read.
    """
    where, named = parse_address(address)
    if work and named and work != named:
        raise ConfigurationError(f"the address names the Work {named!r}, and work= names {work!r}; give one")
    if token is not None and token_file is not None:
        raise ConfigurationError("give the token or the file with it, not both")
    if token_file is not None:
        token = read_token(Path(token_file))
    if tls_server_name or tls_ca or tls_cert or tls_key:
        if tls is not None:
            raise ConfigurationError("give tls, or what it is made of, not both")
        tls = ClientTls(_path(tls_ca), _path(tls_cert), _path(tls_key), tls_server_name)
    return WorkTarget(where, work or named, token, tls)


def _path(file: File) -> Path | None:
    return Path(file) if file else None

"""To which service a Work is attached, and what is known of that service before it is followed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lightning_grpc.errors import ConfigurationError
from lightning_grpc.state.values import Value

FAIL, RETRY, WAIT = "fail", "retry", "wait"
POLICIES = (FAIL, RETRY, WAIT)
"""What may happen with a run whose service goes away; see docs/attached-works.md."""
LOST_AFTER_S = 30.0
"""How long a service may be away before the runs it was asked for count as lost, if nothing else is said."""


@dataclass(frozen=True)
class Attachment:
    """Where a Work is that runs already, how to get in, and what a run is worth when it goes away.

    Attributes:
        address: ``HOST:PORT``, ``unix:PATH`` or a target that gRPC resolves; ``#NAME`` after it names one of several.
        tls_ca: The CA of the server's certificate, a PEM file; this or another of the TLS options asks for TLS.
        tls_cert: The client's own certificate, if the server asks for one, a PEM file.
        tls_key: Its private key, a PEM file.
        tls_server_name: The name in the server's certificate, if it is not the host's.
        token_file: A file with the token that the server asks for.
        token: That token itself.
        on_lost: One of `POLICIES`.
        lost_after_s: How long the service may be away, in seconds; infinite for any time.

    Raises:
        ConfigurationError: The options do not fit together.
    """

    address: str
    tls_ca: str | Path | None = None
    tls_cert: str | Path | None = None
    tls_key: str | Path | None = None
    tls_server_name: str = ""
    token_file: str | Path | None = None
    token: str | None = field(default=None, repr=False)
    on_lost: str = FAIL
    lost_after_s: float = LOST_AFTER_S

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        if self.on_lost not in POLICIES:
            raise ConfigurationError(f"on_lost is one of {', '.join(map(repr, POLICIES))}, not {self.on_lost!r}")
        if not self.lost_after_s > 0:
            raise ConfigurationError(f"lost_after_s is a time in seconds above 0, not {self.lost_after_s}")
        if self.token is not None and self.token_file is not None:
            raise ConfigurationError(f"{self.address}: give its token, or the file with it, not both")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigurationError(
                f"{self.address}: a client's certificate and its key go together: give both tls_cert and tls_key"
            )

    @property
    def patience_s(self) -> float:
        """How long what was asked for waits for a service that is away."""
        return math.inf if self.on_lost == WAIT else self.lost_after_s

    @property
    def wants_tls(self) -> bool:
        """Whether the connection is to be secured by TLS."""
        return bool(self.tls_ca or self.tls_cert or self.tls_server_name)


@dataclass(frozen=True)
class Introduction:
    """How a service has introduced itself.

    Attributes:
        class_name: The class of its Work, as the Work says.
        epoch: The process that has answered.
        attributes: The names of the Work's attributes.
        receives_updates: Whether what is written on its mirror may be handed to it while it runs.
        run_signature: How to call its ``run``, for people.
        documentation: What it is good for, for people.
        revision: The newest revision of its state.
        vars: The attributes' values when it was asked for them.
    """

    class_name: str
    epoch: int
    attributes: tuple[str, ...]
    receives_updates: bool = False
    run_signature: str = ""
    documentation: str = ""
    revision: int = 0
    vars: Mapping[str, Value] = field(default_factory=dict)

    def with_vars(self, values: Mapping[str, Value]) -> Introduction:
        """Return the same with the values of the attributes."""
        return replace(self, vars=values)

    def check(self, work: str, address: str, class_name: str, attributes: frozenset[str]) -> None:
        """Make sure that a component may stand for this service.

        Args:
            work: The component's name, for errors.
            address: Where the service is, for errors.
            class_name: The component's class; empty if any will do.
            attributes: The component's attributes.

        Raises:
            ConfigurationError: It is another class, or the service lacks attributes.
        """
        own = self.class_name.rpartition(".")[2]
        if class_name and class_name != own:
            raise ConfigurationError(
                f"{work} is of class {class_name}, the Work at {address} of class {own}. Check the address (of a "
                "server with several Works, HOST:PORT#NAME names the one that is meant), or use a RemoteWork."
            )
        missing = sorted(attributes.difference(self.attributes))
        if missing:
            raise ConfigurationError(
                f"{work} has the attributes {', '.join(missing)}, which the {own} at {address} lacks: the service runs "
                "another version of the class. Deploy the same one on both sides, or use RemoteWork, which takes the "
                "attributes that are there."
            )

"""Addresses: how they are written, and who else hears what is said there."""

from __future__ import annotations

import re

from lightning_grpc.errors import ConfigurationError

_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|\[::1\]")
_HOST_AND_PORT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/#]+):(\d{1,5})")
_RESOLVED_BY_GRPC = re.compile(r"(dns|xds|ipv4|ipv6):.+")
_UNIX = re.compile(r"unix:(//)?[^#]+|unix-abstract:[^#]+")


def parse_address(text: str) -> tuple[str, str]:
    """Return an address as gRPC writes it, and the name of the Work that is meant there.

    Args:
        text: ``HOST:PORT``, ``unix:PATH``, a path that begins with a slash, or a target that gRPC resolves
            (``dns:///...``, ``xds:///...``); after it, if several Works are served there, ``#NAME``.

    Returns:
        The address, and the name; empty if none is given.

    Raises:
        ConfigurationError: It is no such address.

    Example:
        >>> parse_address("10.0.0.7:50051#trainer")
        ('10.0.0.7:50051', 'trainer')
    """
    address, _, name = text.partition("#")
    if address.startswith("/"):
        address = f"unix:{address}"
    known = _HOST_AND_PORT.fullmatch(address)
    if _RESOLVED_BY_GRPC.fullmatch(address) or _UNIX.fullmatch(address) or (known and int(known[2]) <= 65535):
        return address, name
    raise ConfigurationError(
        f"{text!r} is no address; give HOST:PORT, such as 127.0.0.1:50051, unix:PATH, or a target that gRPC resolves, "
        "such as dns:///HOST:PORT; after it, if several Works are served there, #NAME"
    )


def is_local(address: str) -> bool:
    """Tell whether what is said at an address, as gRPC writes it, stays on this machine."""
    known = _HOST_AND_PORT.fullmatch(address)
    return bool(_UNIX.fullmatch(address)) or (known is not None and _LOOPBACK.fullmatch(known[1]) is not None)


def check_address(address: str) -> str:
    """Return an address to listen on, or to connect to, if what is said there stays on this machine.

    Args:
        address: ``HOST:PORT``, of loopback.

    Raises:
        ConfigurationError: It is no such address.
    """
    known = _HOST_AND_PORT.fullmatch(address)
    if known is None or int(known[2]) > 65535:
        raise ConfigurationError(f"{address!r} is no address; give HOST:PORT, such as 127.0.0.1:7600; port 0 picks one")
    if not _LOOPBACK.fullmatch(known[1]):
        raise ConfigurationError(
            f"{address} is not on loopback, and the app's service has no TLS: its token, and all that is said, could "
            "be read on the network. Use 127.0.0.1, ::1 or localhost; from another machine, through an SSH tunnel."
        )
    return address

"""Free ports."""

from __future__ import annotations

import socket


def find_free_port() -> int:
    """Return a TCP port that is free on loopback at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

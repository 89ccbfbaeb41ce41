"""Where the server listens: the socket, its URL, and the names under which it may be addressed."""

from __future__ import annotations

import errno
import ipaddress
import socket

from lightning_grpc.errors import ConfigurationError

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 7501
_BACKLOG = 128


class Binding:
    """A socket that listens for HTTP.

    It listens from the beginning, so that the port is surely ours; who connects before the server is there waits.

    Args:
        host: The name or address to listen at.
        port: The port; 0 picks a free one.

    Attributes:
        socket: The socket.
        host: As given.
        port: The port that it is.

    Raises:
        ConfigurationError: The port is taken, or there is no such host here; says which option to change.
    """

    def __init__(self, host: str = DEFAULT_HOST, port: int = DEFAULT_PORT) -> None:
        if not 0 <= port <= 65535:
            raise ConfigurationError(f"--port (http_port) is a number from 0 to 65535, not {port}")
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
        except (OSError, UnicodeError) as error:
            raise ConfigurationError(
                f"cannot listen at {host!r}: {error}. Give another --host (http_host), such as {DEFAULT_HOST}."
            ) from None
        self.host = host
        self.socket = socket.socket(family, kind, protocol)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(address)
            self.socket.listen(_BACKLOG)
        except OSError as error:
            self.socket.close()
            raise ConfigurationError(_explain(error, host, port)) from None
        self._address = ipaddress.ip_address(str(self.socket.getsockname()[0]).partition("%")[0])
        self.port = int(self.socket.getsockname()[1])

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self._address.is_loopback

    @property
    def url(self) -> str:
        """How it is reached from this machine; without a slash at the end."""
        if self._address.is_unspecified:
            return f"http://{'127.0.0.1' if self._address.version == 4 else '[::1]'}:{self.port}"
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def allows(self, authority: str) -> bool:
        """Tell whether a request may address the server by this host and port.

        Allowed are the loopback's names, and the host it was told to listen at. If that is every address of the
        machine: any address, and the machine's own name. A name that somebody else decides about is never allowed, even
        if it leads here: the page of another site could have made it so.

        Args:
            authority: As in the header ``Host``, such as ``localhost:7501``.
        """
        host, colon, port = authority.strip().lower().rpartition(":")
        if not colon or "]" in port:
            host, port = authority.strip().lower(), "80"
        if port != str(self.port):
            return False
        if host in ("127.0.0.1", "localhost", "[::1]") or host.strip("[]") == self.host.lower():
            return True
        if not self._address.is_unspecified:
            return False
        try:
            ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return host == socket.gethostname().lower()
        return True

    def close(self) -> None:
        """Stop listening."""
        self.socket.close()


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is taken, maybe by another app. Give another one with --port (http_port), --port 0 "
            "for any free one, or --no-server for none."
        )
    if error.errno == errno.EACCES:
        return f"port {port} of {host} may not be used by you. Give one above 1023 with --port (http_port)."
    return (
        f"cannot listen at {host} port {port}: {error.strerror}. Give another --host (http_host) or --port (http_port)."
    )

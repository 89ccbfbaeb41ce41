"""Why a connection did not come about, in words for whoever has to change something.

gRPC often knows no more than "Socket closed": a server that wants TLS, or a certificate, just hangs up. So after a
failed attempt, and only then, one more connection is made with the standard library, which tells its parts apart.
Nothing secret is sent over it: no token, and no request.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from lightning_grpc.errors import ConfigurationError
from lightning_grpc.wire.certificate_facts import CertificateFacts, parse_certificate, read_certificates
from lightning_grpc.wire.credentials import ClientTls

DEADLINE_S = 2.0
"""What finding out may take, beyond what the call itself has taken."""
_AGAIN_S = 0.2

_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")  # an empty SETTINGS frame
_SETTINGS = 4
_IP = re.compile(r"ipv[46]:(?P<host>\[[^\]]+\]|%5B.+?%5D|[\d.]+):(?P<port>\d+)")
_UNIX = re.compile(r"unix(?P<is_abstract>-abstract)?:(//)?(?P<path>.+?)(: |$)")
_EXPIRED, _NOT_YET_VALID, _UNKNOWN_AUTHORITY, _WRONG_HOST = 10, 9, (2, 18, 19, 20, 21), (62, 64)  # of OpenSSL
_WRONG_USE = 26
_PLAIN_TEXT = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})


def is_failed_connection(details: str) -> bool:
    """Tell whether gRPC's text about a failed call says that there was no connection to make it on."""
    return details.startswith("failed to connect") or _is_unresolved(details)


@dataclass(frozen=True)
class Explanation:
    """Why there was no connection.

    Attributes:
        words: What is wrong and what to do, without a full stop at its end; empty if nothing was found to be wrong, as
            when the server has come back meanwhile.
        is_lasting: Whether somebody has to change something; if not, waiting may help.
    """

    words: str
    is_lasting: bool = False


_NOTHING = Explanation("")


async def diagnose(target: str, tls: ClientTls | None, details: str) -> Explanation:
    """Find out why there was no connection, within `DEADLINE_S`.

    Args:
        target: What the client was to connect to, as gRPC writes it.
        tls: How it tried to; None for plain text.
        details: gRPC's text, which has the address that was tried last.
    """
    if _is_unresolved(details):
        return Explanation(f"the host of {target} is not known; check the name, and that this machine can resolve it")
    endpoint = _endpoint(details)
    if endpoint is None:
        return _NOTHING
    probe = _Probe(endpoint, target, tls)
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await (probe.plain() if tls is None else probe.secured(tls))
    except TimeoutError:
        return Explanation(probe.silence)
    except ConnectionError:  # the server hangs up in a way that says nothing
        return _NOTHING
    except OSError as error:
        return Explanation(f"{target} cannot be reached: {error.strerror or error}")


@dataclass(frozen=True)
class _Endpoint:
    family: socket.AddressFamily
    address: tuple[str, int] | str


class _NobodyError(Exception):
    """There is nobody to talk to; says why."""


class _Probe:
    """One look at what is at an address.

    Attributes:
        silence: What it means if nothing is heard from now on.
    """

    def __init__(self, endpoint: _Endpoint, target: str, tls: ClientTls | None) -> None:
        self._endpoint = endpoint
        self._target = target
        self._host = (tls.server_name if tls else "") or _host(target)
        self.silence = f"{target} does not answer: its machine is down, or a firewall is in between"

    async def plain(self) -> Explanation:
        """Return what is wrong with a connection in plain text."""
        try:
            heard = await self._greet(None)
            if not heard or heard[0] == 0x15 or heard[:1] == b"\x16":  # hung up, or a record of TLS
                return await self._what_hung_up()
        except _NobodyError as refused:
            return Explanation(str(refused))
        if _is_grpc(heard):
            return _NOTHING
        if heard.startswith(b"HTTP/1"):
            return _lasting(f"{self._target} speaks HTTP/1, and is no gRPC server; check the port")
        return _lasting(f"what answers at {self._target} is no gRPC server; check the port")

    async def _what_hung_up(self) -> Explanation:
        try:
            async with _Connection(await self._connect(), _blind_context(), self._host):
                pass
        except (ssl.SSLError, OSError):
            return Explanation(
                f"{self._target} accepts connections and closes them: it ends, or is no gRPC server; check the port"
            )
        return _lasting(
            f"{self._target} speaks TLS, and the call was made in plain text. Say whose certificate to trust: tls_ca, "
            "or --tls-ca FILE"
        )

    async def secured(self, tls: ClientTls, *, again: bool = False) -> Explanation:
        """Return what is wrong with a connection by TLS; `again` if the server has hung up once already."""
        try:
            heard = await self._greet(_trusting_context(tls))
        except _NobodyError as refused:
            return Explanation(str(refused))
        except ssl.SSLCertVerificationError as error:
            return _lasting(await self._why_distrusted(error, tls))
        except ssl.SSLError as error:
            if error.reason in _PLAIN_TEXT:
                return _lasting(
                    f"{self._target} does not speak TLS, and the call was made with it. Serve it with TLS (--tls-cert, "
                    "--tls-key), or, on this machine alone, leave out tls_ca"
                )
            if "ALERT" in (error.reason or ""):
                return _lasting(self._why_turned_away(tls))
            return Explanation(f"the TLS handshake with {self._target} fails: {error.reason or error}")
        except ConnectionError:
            heard = b""
        if _is_grpc(heard):
            return _NOTHING
        if again:
            return _lasting(self._why_turned_away(tls))
        await asyncio.sleep(_AGAIN_S)  # a server that is ending hangs up, too, and is gone then
        return await self.secured(tls, again=True)

    async def _why_distrusted(self, error: ssl.SSLCertVerificationError, tls: ClientTls) -> str:
        shown = await self._certificate()
        code = error.verify_code
        named = f"the certificate of {self._target}"
        if shown is not None and code == _EXPIRED:
            return f"{named} has expired on {_day(shown.end)}. The server needs a new one"
        if shown is not None and code == _NOT_YET_VALID:
            return f"{named} holds only from {_day(shown.begin)} on. Check the clocks of both machines"
        if shown is not None and code in _WRONG_HOST:
            return (
                f"{named} is for {', '.join(shown.names) or 'no host'}, and not for {self._host}. Use a name it has, "
                "or say which one to expect: tls_server_name, or --tls-server-name NAME"
            )
        if shown is not None and code in _UNKNOWN_AUTHORITY:
            trusted = f"in {tls.ca}" if tls.ca else "among the authorities that are trusted by default"
            return (
                f"{named} is signed by {shown.issuer}, which is not {trusted}. Give the CA that has signed it: "
                "tls_ca, or --tls-ca FILE"
            )
        if code == _WRONG_USE:
            return f"{named} is no server's. The server needs one that is made for servers"
        return f"{named} is not trusted: {error.verify_message}"

    def _why_turned_away(self, tls: ClientTls) -> str:
        """Say why a server whose certificate is good hangs up: that is how it asks for the client's."""
        if tls.certificate is None:
            return (
                f"{self._target} closes the connection when the TLS handshake is done, as servers do that want a "
                "certificate of the client (mTLS), and none was given: tls_cert and tls_key, or --tls-cert and "
                "--tls-key"
            )
        own = _own(tls.certificate)
        now = dt.datetime.now(dt.UTC)
        if own is not None and own.validity(now) != "valid":
            return f"{self._target} does not accept {tls.certificate}: it is {own.validity(now)} ({_span(own)})"
        if own is not None and own.uses and "client" not in own.uses:
            return f"{self._target} does not accept {tls.certificate}: it is made for {', '.join(own.uses)}, no client"
        signed = f", which is signed by {own.issuer}" if own is not None else ""
        return (
            f"{self._target} does not accept the certificate {tls.certificate}{signed}. It must be signed by the CA "
            "that the server was given for its clients (--tls-client-ca)"
        )

    async def _certificate(self) -> CertificateFacts | None:
        """Return what the server shows, trusted or not."""
        try:
            async with _Connection(await self._connect(), _blind_context(), self._host) as connection:
                return connection.certificate()
        except (OSError, ValueError, _NobodyError):
            return None

    async def _greet(self, context: ssl.SSLContext | None) -> bytes:
        """Say what every HTTP/2 client says first, and return the first that is heard; empty if it hangs up."""
        async with _Connection(await self._connect(), context, self._host) as connection:
            return await connection.exchange(_GREETING)

    async def _connect(self) -> socket.socket:
        target = self._target
        connection = socket.socket(self._endpoint.family, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, self._endpoint.address)
        except BaseException as error:
            connection.close()
            if isinstance(error, ConnectionRefusedError):
                raise _NobodyError(
                    f"nobody listens at {target}; is the server running, and is it the right port?"
                ) from None
            if isinstance(error, FileNotFoundError):
                raise _NobodyError(
                    f"nobody listens at {target}: there is no such socket; is the server running?"
                ) from None
            if isinstance(error, PermissionError):
                raise _NobodyError(f"{target} is not yours to open: its permissions are another user's") from None
            raise
        self.silence = f"{target} accepts connections and then says nothing: it hangs, or is no gRPC server"
        return connection


class _Connection:
    """A connection, by TLS if there is a context; an asynchronous context manager."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext | None, host: str) -> None:
        self._socket = connection
        self._context = context
        self._host = host
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        try:
            name = self._host if self._context else None
            self._reader, self._writer = await asyncio.open_connection(
                sock=self._socket, ssl=self._context, server_hostname=name
            )
        except BaseException:
            self._socket.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.transport.abort()

    async def exchange(self, greeting: bytes) -> bytes:
        """Send something and return the first that comes back; empty if the peer hangs up."""
        assert self._writer is not None
        self._writer.write(greeting)
        try:
            return await self._reader.read(64)
        except (ConnectionResetError, BrokenPipeError):
            return b""

    def certificate(self) -> CertificateFacts | None:
        """Return what the server has shown."""
        assert self._writer is not None
        shown = self._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return parse_certificate(shown) if shown else None


def _lasting(words: str) -> Explanation:
    return Explanation(words, is_lasting=True)


def _is_unresolved(details: str) -> bool:
    return details.startswith(("errors resolving", "DNS resolution failed"))


def _is_grpc(heard: bytes) -> bool:
    return len(heard) > 3 and heard[3] == _SETTINGS and not heard.startswith(b"HTTP/")


def _endpoint(details: str) -> _Endpoint | None:
    if found := _IP.search(details):
        host = unquote(found["host"]).strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return _Endpoint(family, (host, int(found["port"])))
    if found := _UNIX.search(details):
        path = unquote(found["path"])
        return _Endpoint(socket.AF_UNIX, f"\0{path}" if found["is_abstract"] else path)
    return None


def _host(target: str) -> str:
    """Return the host that the server's certificate has to be for, as gRPC takes it from the target."""
    if target.startswith("unix"):
        return "localhost"
    _, _, name = target.rpartition("/")
    return name.removeprefix("dns:").rpartition(":")[0].strip("[]") or name


def _trusting_context(tls: ClientTls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca)
    context.set_alpn_protocols(["h2"])
    if tls.certificate and tls.key:
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")
    return context


def _blind_context() -> ssl.SSLContext:
    """Trust anybody: nothing is said on such a connection, only the certificate is looked at."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


def _own(file: Path) -> CertificateFacts | None:
    try:
        return read_certificates(file)[0]
    except ConfigurationError:
        return None


def _day(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _span(facts: CertificateFacts) -> str:
    return f"{_day(facts.begin)} to {_day(facts.end)}"

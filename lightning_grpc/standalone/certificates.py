"""A certificate authority for a lab: the files that a server and its clients need to trust one another."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import re
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_grpc.errors import ConfigurationError
from lightning_grpc.wire.auth import new_token

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

DEFAULT_DAYS = 365
"""How long certificates hold if nothing else is said."""
MAX_DAYS = 3650

_SKEW = dt.timedelta(minutes=5)  # clocks differ
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_FILES = ("ca.crt", "ca.key", "server.crt", "server.key", "client.crt", "client.key", "token")


@dataclass(frozen=True)
class TrustFiles:
    """The files that `make_trust_files` makes, all of them readable for their owner alone.

    Attributes:
        directory: Where they are.
        hosts: The names and numbers that the server's certificate holds for.
    """

    directory: Path
    hosts: tuple[str, ...]

    @property
    def ca(self) -> Path:
        """The authority's certificate: what both sides trust."""
        return self.directory / "ca.crt"

    @property
    def server_certificate(self) -> Path:
        """What the server shows."""
        return self.directory / "server.crt"

    @property
    def server_key(self) -> Path:
        """The server's private key."""
        return self.directory / "server.key"

    @property
    def client_certificate(self) -> Path:
        """What a client shows to a server that asks for a certificate."""
        return self.directory / "client.crt"

    @property
    def client_key(self) -> Path:
        """The client's private key."""
        return self.directory / "client.key"

    @property
    def token(self) -> Path:
        """A random token, which every call carries."""
        return self.directory / "token"

    @property
    def paths(self) -> tuple[Path, ...]:
        """All of the files."""
        return tuple(self.directory / name for name in _FILES)


def own_hosts() -> tuple[str, ...]:
    """Return what this machine is called: loopback, and its own name."""
    names = ("localhost", "127.0.0.1", "::1", socket.gethostname())
    return tuple(dict.fromkeys(name for name in names if _is_host(name)))


def make_trust_files(
    directory: Path,
    hosts: Iterable[str] = (),
    *,
    days: int = DEFAULT_DAYS,
    overwrite: bool = False,
    now: dt.datetime | None = None,
) -> TrustFiles:
    """Make an authority, a certificate with its key for a server and for a client, and a token.

    The keys are made here and leave the directory only if somebody copies them. Nothing is revoked by making new
    ones: who trusts the old authority goes on to trust what it has signed.

    Args:
        directory: Is made if it is not there; only its owner may look into it.
        hosts: Names and numbers by which clients reach the server, beside those of this machine (`own_hosts`).
        days: How long the certificates hold.
        overwrite: Whether files of an earlier time are replaced.
        now: From when on they hold; None for the present.

    Raises:
        ConfigurationError: Files are there already, a host is none, or the directory cannot be used.
    """
    if not 1 <= days <= MAX_DAYS:
        raise ConfigurationError(f"certificates hold for 1 to {MAX_DAYS} days, not {days}")
    names = tuple(dict.fromkeys((*own_hosts(), *map(_check_host, hosts))))
    _prepare(directory, overwrite=overwrite)
    begin = (now or dt.datetime.now(dt.UTC)) - _SKEW
    end = begin + _SKEW + dt.timedelta(days=days)
    authority = _Authority(begin, end)
    made = {
        "ca.crt": authority.certificate_pem,
        "ca.key": authority.key_pem,
        "token": f"{new_token()}\n".encode(),
    }
    made["server.crt"], made["server.key"] = authority.issue("lightning-grpc server", names)
    made["client.crt"], made["client.key"] = authority.issue("lightning-grpc client", ())
    for name, content in made.items():
        _write(directory / name, content)
    return TrustFiles(directory, names)


class _Authority:
    """Signs certificates that hold from `begin` to `end`.

    Source: RFC 5280 for the extensions; Python 3.13 verifies strictly, and wants the key identifiers.
    """

    def __init__(self, begin: dt.datetime, end: dt.datetime) -> None:
        from cryptography import x509

        self._begin, self._end = begin, end
        self._key = _new_key()
        self._name = _name(f"lightning-grpc CA {secrets.token_hex(4)}")  # two of them must not look the same
        extensions: list[tuple[Any, bool]] = [
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (_usage(is_authority=True), True),
        ]
        self._certificate = self._sign(self._name, self._key.public_key(), extensions)
        self.certificate_pem = _certificate_pem(self._certificate)
        self.key_pem = _key_pem(self._key)

    def issue(self, common_name: str, hosts: tuple[str, ...]) -> tuple[bytes, bytes]:
        """Return a certificate and its key: a server's if it has hosts, else a client's."""
        from cryptography import x509
        from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose

        key = _new_key()
        extensions: list[tuple[Any, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(is_authority=False), True),
            (x509.ExtendedKeyUsage([Purpose.SERVER_AUTH if hosts else Purpose.CLIENT_AUTH]), False),
        ]
        if hosts:
            extensions.append((x509.SubjectAlternativeName(list(map(_general_name, hosts))), False))
        certificate = self._sign(_name(common_name), key.public_key(), extensions)
        return _certificate_pem(certificate), _key_pem(key)

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, extensions: list[tuple[Any, bool]]
    ) -> x509.Certificate:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._begin)
            .not_valid_after(self._end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, hashes.SHA256())


def _new_key() -> ec.EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _name(common_name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _certificate_pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _general_name(host: str) -> x509.GeneralName:
    from cryptography import x509

    number = _ip_address(host)
    return x509.DNSName(host) if number is None else x509.IPAddress(number)


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_host(text: str) -> bool:
    if _ip_address(text) is not None:
        return True
    labels = text.removeprefix("*.").split(".")
    is_number = labels[-1].isdigit()  # a broken IPv4 address, or HOST:PORT cut in the wrong place
    return len(text) <= 253 and not is_number and all(map(_LABEL.fullmatch, labels))


def _check_host(text: str) -> str:
    if not _is_host(text):
        raise ConfigurationError(
            f"{text!r} is no host: give a name or a number by which clients reach the server, such as "
            "trainer.example.org or 10.0.0.7, without a port"
        )
    return text


def _prepare(directory: Path, *, overwrite: bool) -> None:
    """Have a directory that its owner alone may look into, without the files that shall be made."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
    except OSError as error:
        raise ConfigurationError(f"{directory}: no directory can be made there: {error.strerror}") from None
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise ConfigurationError(
            f"{directory}: others may look into this directory, and private keys are to be written there. Give one "
            f"that is not there yet, or make it yours alone: chmod 700 {directory}"
        )
    there = [name for name in _FILES if os.path.lexists(directory / name)]
    if there and not overwrite:
        raise ConfigurationError(
            f"{directory}: {', '.join(there)} would be replaced, and who trusts them would be locked out. Give another "
            "directory, or replace them: --force"
        )


def _write(file: Path, content: bytes) -> None:
    """Write a file that was never, at no moment, anybody else's to read."""
    new = file.with_name(f"{file.name}.new")
    try:
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as stream:
            stream.write(content)
        new.replace(file)
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be written: {error.strerror}") from None

"""What certificates say of themselves, for people: whose they are, whom they hold for, and until when."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_grpc.errors import ConfigurationError, NotThereError

if TYPE_CHECKING:
    from cryptography import x509


@dataclass(frozen=True)
class CertificateFacts:
    """One certificate.

    Attributes:
        subject: Whose it is.
        issuer: Who has signed it.
        names: The hosts that it holds for; empty for one that is no server's.
        uses: What it may be used for: ``authority``, ``server``, ``client``; empty if it does not say.
        begin: From when on it holds.
        end: Until when.
        fingerprint: SHA-256 of it, in hexadecimal.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    uses: tuple[str, ...]
    begin: dt.datetime
    end: dt.datetime
    fingerprint: str

    def validity(self, now: dt.datetime) -> str:
        """Return ``valid``, ``expired`` or ``not yet valid``."""
        if now < self.begin:
            return "not yet valid"
        return "valid" if now <= self.end else "expired"


def read_certificates(file: Path) -> list[CertificateFacts]:
    """Return what the certificates in a PEM file say, in their order.

    Raises:
        NotThereError: There is no such file.
        ConfigurationError: It cannot be read, or there is no certificate in it.
    """
    from cryptography import x509

    try:
        content = file.read_bytes()
    except OSError as error:
        told = NotThereError if isinstance(error, FileNotFoundError) else ConfigurationError
        raise told(f"{file}: cannot be read: {error.strerror}; give a PEM file with certificates") from None
    if b"-----BEGIN CERTIFICATE-----" not in content:
        kind = "a private key, which is not shown to anybody" if b"PRIVATE KEY-----" in content else "something else"
        raise ConfigurationError(f"{file} has no certificate in it, but {kind}; give a PEM file with certificates")
    try:
        return list(map(_facts, x509.load_pem_x509_certificates(content)))
    except ValueError as error:
        raise ConfigurationError(f"{file}: a certificate in it is broken: {error}") from None


def parse_certificate(der: bytes) -> CertificateFacts:
    """Return what a certificate says, as it travels in a handshake.

    Raises:
        ValueError: It is broken.
    """
    from cryptography import x509

    return _facts(x509.load_der_x509_certificate(der))


def _facts(certificate: x509.Certificate) -> CertificateFacts:
    from cryptography.hazmat.primitives.hashes import SHA256

    return CertificateFacts(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        names=_names(certificate),
        uses=_uses(certificate),
        begin=certificate.not_valid_before_utc,
        end=certificate.not_valid_after_utc,
        fingerprint=certificate.fingerprint(SHA256()).hex(),
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress))


def _uses(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose

    uses = []
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.BasicConstraints) and extension.value.ca:
            uses.append("authority")
        if isinstance(extension.value, x509.ExtendedKeyUsage):
            uses += ["server"] if Purpose.SERVER_AUTH in extension.value else []
            uses += ["client"] if Purpose.CLIENT_AUTH in extension.value else []
    return tuple(uses)

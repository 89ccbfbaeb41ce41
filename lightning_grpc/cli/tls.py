"""``lightning-grpc tls``: makes the files for TLS in a lab, and shows certificates."""

from __future__ import annotations

import datetime as dt
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from lightning_grpc.cli.connection import json_option
from lightning_grpc.cli.help import Command, Group
from lightning_grpc.cli.output import FAILED, MISUSED, fail, print_json, say, schema

if TYPE_CHECKING:
    from lightning_grpc.standalone.certificates import TrustFiles
    from lightning_grpc.wire.certificate_facts import CertificateFacts


@click.group(
    cls=Group,
    examples=[("tls init certs --host server.lab", "make all that TLS needs"), ("tls show certs/ca.crt", "look at it")],
)
def tls() -> None:
    """Make and show what TLS needs."""


@tls.command(
    cls=Command,
    examples=[
        ("tls init certs", "for this machine"),
        ("tls init certs --host server.lab --days 30", "for another name, and for a month"),
    ],
)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name or number by which clients reach the server; may be repeated. This machine's own are added.",
)
@click.option("--days", type=int, default=365, show_default=True, help="How long the certificates hold.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@json_option
def init(directory: Path, hosts: tuple[str, ...], days: int, force: bool, as_json: bool) -> None:
    """Make a CA, certificates for a server and a client, and a token, in DIRECTORY.

    For a lab: whoever holds `ca.key` can make certificates that all of these trust.
    """
    from lightning_grpc.errors import ConfigurationError
    from lightning_grpc.standalone.certificates import make_trust_files

    try:
        files = make_trust_files(directory, hosts, days=days, overwrite=force)
    except ConfigurationError as error:
        raise fail(str(error)) from None
    if as_json:
        names = sorted(each.name for each in files.paths)
        print_json(schema("trust-files", directory=str(directory.absolute()), hosts=list(files.hosts), files=names))
        return
    print(*files.paths, sep="\n")
    say(_next_steps(files))


@tls.command(
    cls=Command,
    epilog="Exit codes: 0 all certificates are valid now; 1 one is not, or there is none in FILE; 2 there is no FILE.",
    examples=[("tls show certs/server.crt", "whose it is, and until when"), ("tls show certs/ca.crt --json", "")],
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def show(file: Path, as_json: bool) -> None:
    """Show the certificates in FILE: whose they are, for which hosts, and until when."""
    from lightning_grpc.errors import ConfigurationError, NotThereError
    from lightning_grpc.wire.certificate_facts import read_certificates

    try:
        certificates = read_certificates(file)
    except ConfigurationError as error:
        raise fail(str(error), MISUSED if isinstance(error, NotThereError) else FAILED) from None
    now = dt.datetime.now(dt.UTC)
    if as_json:
        print_json([schema("certificate", **_as_json(each, now)) for each in certificates], indented=True)
    else:
        print("\n\n".join(_as_text(each, now) for each in certificates))
    raise SystemExit(any(each.validity(now) != "valid" for each in certificates))


def _next_steps(files: TrustFiles) -> str:
    ca, token, server, server_key, client, client_key = (
        shlex.quote(str(path))
        for path in (
            files.ca, files.token, files.server_certificate, files.server_key,
            files.client_certificate, files.client_key,
        )
    )  # fmt: skip
    return f"""\
Made in {files.directory}: a CA, a server's and a client's certificate with their keys, and a token.
The server's certificate holds for {", ".join(files.hosts)}.

On the server, with the token:
  lightning-grpc run work FILE:CLASS --bind 0.0.0.0:50051 \\
    --tls-cert {server} --tls-key {server_key} --token-file {token}
or, for clients with certificates only (mTLS), instead of or beside --token-file:
    --tls-client-ca {ca}

On a client, which needs copies of ca.crt and token (chmod 600):
    --tls-ca {ca} --token-file {token}
and for mTLS copies of client.crt and client.key, too:
    --tls-cert {client} --tls-key {client_key}

ca.key is needed for neither: keep it here, or away from the network."""


def _as_text(facts: CertificateFacts, now: dt.datetime) -> str:
    lines = [
        ("subject", facts.subject),
        ("issuer", facts.issuer),
        ("for", ", ".join(facts.uses) or "anything"),
        ("names", ", ".join(facts.names) or "none"),
        ("from", f"{facts.begin:%Y-%m-%d %H:%M} UTC"),
        ("until", f"{facts.end:%Y-%m-%d %H:%M} UTC ({facts.validity(now)})"),
        ("sha256", facts.fingerprint),
    ]
    return "\n".join(f"{name:8}{text}" for name, text in lines)


def _as_json(facts: CertificateFacts, now: dt.datetime) -> dict[str, object]:
    return {
        "subject": facts.subject,
        "issuer": facts.issuer,
        "uses": list(facts.uses),
        "names": list(facts.names),
        "not_before": facts.begin.isoformat(),
        "not_after": facts.end.isoformat(),
        "validity": facts.validity(now),
        "sha256": facts.fingerprint,
    }

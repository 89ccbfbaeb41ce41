"""Servers that these tests try to get into; one of each kind serves all tests, and has to survive them."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from patience import patient_clients
from served_works import SMALL, Served, serving

from lightning_grpc.standalone.certificates import TrustFiles, make_trust_files
from lightning_grpc.wire.credentials import ClientTls, read_token

LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@dataclass
class Guarded:
    """A server with what it takes to be let in."""

    served: Served
    token: str | None = None
    tls: ClientTls | None = None
    work: str = ""

    @property
    def address(self):
        return self.served.address


@pytest.fixture(autouse=True)
def patience():
    """Let no client of these tests take a server that is waiting for its turn for one that does not answer."""
    with patient_clients():
        yield


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> TrustFiles:
    """What the servers of these tests trust, and those who may come in."""
    return make_trust_files(tmp_path_factory.mktemp("trust") / "own")


@pytest.fixture(scope="session")
def others(tmp_path_factory) -> TrustFiles:
    """The files of another authority."""
    return make_trust_files(tmp_path_factory.mktemp("trust") / "others")


@pytest.fixture(scope="session")
def old(tmp_path_factory) -> TrustFiles:
    """Files that held long ago."""
    return make_trust_files(tmp_path_factory.mktemp("trust") / "old", days=1, now=LONG_AGO)


@pytest.fixture(scope="session")
def guarded(files):
    """A Work on loopback that asks for a token."""
    with serving(f"{SMALL}:Echo", "--token-file", files.token) as served:
        yield Guarded(served, read_token(files.token))


@pytest.fixture(scope="session")
def secured(files):
    """A Work with TLS that asks for a token."""
    options = ("--tls-cert", files.server_certificate, "--tls-key", files.server_key, "--token-file", files.token)
    with serving(f"{SMALL}:Echo", *options) as served:
        yield Guarded(served, read_token(files.token), ClientTls(files.ca))


@pytest.fixture(scope="session")
def mutual(files):
    """A Work with TLS that asks for a certificate."""
    options = ("--tls-cert", files.server_certificate, "--tls-key", files.server_key, "--tls-client-ca", files.ca)
    with serving(f"{SMALL}:Echo", *options) as served:
        yield Guarded(served, None, ClientTls(files.ca, files.client_certificate, files.client_key))


@pytest.fixture(scope="session")
def fronted(files):
    """Two Works behind one address that asks for a token; calls name the one they mean."""
    works = ("--work", f"{SMALL}:Echo=echo", "--work", f"{SMALL}:Counter=counter")
    with serving(None, *works, "--token-file", files.token) as served:
        yield Guarded(served, read_token(files.token), work="echo")

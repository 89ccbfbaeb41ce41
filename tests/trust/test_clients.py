"""What the clients that people use say when they are not let in, and that they are, with what it takes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from neighbor import DEADLINE_S

from lightning_grpc import WorkClient
from lightning_grpc.errors import ConfigurationError, TransportError


def test_a_client_with_the_authority_and_the_token_is_let_in(secured, files):
    with WorkClient(secured.address, tls_ca=files.ca, token_file=files.token) as work:
        work.run("by TLS").wait(timeout_s=DEADLINE_S)
        assert secured.token not in repr(work) + repr(work.describe()) + repr(work.state)


def test_a_client_with_a_certificate_is_let_in(mutual, files):
    with WorkClient(
        mutual.address, tls_ca=files.ca, tls_cert=files.client_certificate, tls_key=files.client_key
    ) as work:
        work.run("by a certificate").wait(timeout_s=DEADLINE_S)


def test_a_client_that_is_not_let_in_says_why(secured, mutual, files, others):
    attempts = [
        (secured, {}, TransportError, "speaks TLS, and the call was made in plain text"),
        (secured, {"tls_ca": others.ca}, TransportError, "is signed by"),
        (secured, {"tls_ca": files.ca, "tls_server_name": "a.example.org"}, TransportError, "not for a.example.org"),
        (secured, {"tls_ca": files.ca}, ConfigurationError, "no token came with it"),
        (secured, {"tls_ca": files.ca, "token": "wrong"}, ConfigurationError, "not this server's"),
        (mutual, {"tls_ca": files.ca}, TransportError, "want a certificate of the client"),
    ]
    for guarded, options, kind, words in attempts:
        with pytest.raises(kind, match=words) as refused, WorkClient(guarded.address, **options):
            pass
        assert guarded.address in str(refused.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "speaks TLS, and the call was made in plain text"),
        pytest.param(["--tls-ca", "OTHER"], "is signed by CN=lightning-grpc CA", marks=pytest.mark.slow),
        pytest.param(["--tls-ca", "OWN"], "no token came with it", marks=pytest.mark.slow),
    ],
    ids=["plain text", "wrong authority", "no token"],
)
def test_the_command_line_says_why_in_words(secured, files, others, options, words):
    named = {"OTHER": str(others.ca), "OWN": str(files.ca)}
    line = [sys.executable, "-m", "lightning_grpc", "check", "work", secured.address]
    line += [named.get(each, each) for each in options]
    done = subprocess.run(line, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode != 0
    said = " ".join((done.stdout + done.stderr).split())
    assert words in said
    assert "Traceback" not in said

"""What is read from gRPC's texts about connections that did not come about."""

from __future__ import annotations

import socket

import pytest

from lightning_grpc.wire.diagnosis import _endpoint, _host, is_failed_connection

FAILED = "failed to connect to all addresses; last error: UNAVAILABLE: "


@pytest.mark.parametrize(
    ("details", "family", "address"),
    [
        (f"{FAILED}ipv4:127.0.0.1:42735: Socket closed", socket.AF_INET, ("127.0.0.1", 42735)),
        (f"{FAILED}ipv6:%5B::1%5D:50051: Socket closed", socket.AF_INET6, ("::1", 50051)),
        (f"{FAILED}ipv6:[2001:db8::7]:1: Socket closed", socket.AF_INET6, ("2001:db8::7", 1)),
        (f"{FAILED}unix:/tmp/a b/s: connect failed", socket.AF_UNIX, "/tmp/a b/s"),
        (f"{FAILED}unix:/tmp/x/none: connect failed: addr: unix:/tmp/x/none error: No", socket.AF_UNIX, "/tmp/x/none"),
        (f"{FAILED}unix-abstract:name: connect failed", socket.AF_UNIX, "\0name"),
    ],
)
def test_the_address_that_was_tried_is_read_from_grpcs_text(details, family, address):
    found = _endpoint(details)
    assert found is not None
    assert (found.family, found.address) == (family, address)


@pytest.mark.parametrize("details", ["", "Socket closed", "failed to connect to all addresses", "x is ending"])
def test_a_text_without_an_address_leads_nowhere(details):
    assert _endpoint(details) is None


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("127.0.0.1:50051", "127.0.0.1"),
        ("[::1]:50051", "::1"),
        ("trainer.example.org:443", "trainer.example.org"),
        ("dns:///trainer.example.org:443", "trainer.example.org"),
        ("dns://8.8.8.8/trainer.example.org:443", "trainer.example.org"),
        ("dns:trainer.example.org:443", "trainer.example.org"),
        ("unix:/tmp/s", "localhost"),
    ],
)
def test_the_host_that_a_certificate_has_to_be_for_is_that_of_the_target(target, host):
    assert _host(target) == host


@pytest.mark.parametrize(
    ("details", "failed"),
    [
        (f"{FAILED}ipv4:127.0.0.1:1: Socket closed", True),
        ("errors resolving a.invalid:1: [field:hostname lookup error: not found]", True),
        ("DNS resolution failed for a.invalid:1", True),
        ("root.w is ending", False),
        ("Socket closed", False),
        ("", False),
    ],
)
def test_a_connection_that_broke_is_told_from_one_that_never_was(details, failed):
    assert is_failed_connection(details) is failed

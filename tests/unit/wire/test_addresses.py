"""Addresses that stay on this machine."""

from __future__ import annotations

import pytest

from lightning_grpc.errors import ConfigurationError
from lightning_grpc.wire.addresses import check_address


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.1.2.3:7600", "localhost:65535", "[::1]:0"])
def test_an_address_on_loopback_is_accepted(address):
    assert check_address(address) == address


@pytest.mark.parametrize(
    "address", ["0.0.0.0:0", "[::]:0", "10.0.0.1:1", "example.org:80", "127.0.0.1.example.org:80", "localhost.x:1"]
)
def test_an_address_elsewhere_is_refused_and_it_is_said_why(address):
    with pytest.raises(ConfigurationError, match="not on loopback, and the app's service has no TLS"):
        check_address(address)


@pytest.mark.parametrize("address", ["", "127.0.0.1", "::1:80", "127.0.0.1:99999", "127.0.0.1:x", ":80", "unix:/tmp/s"])
def test_what_is_no_address_is_refused_with_how_to_write_one(address):
    with pytest.raises(ConfigurationError, match="give HOST:PORT"):
        check_address(address)

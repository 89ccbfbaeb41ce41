from pathlib import Path

import pytest

from lightning_grpc.errors import ConfigurationError
from lightning_grpc.wire.binding_rule import check_binding
from lightning_grpc.wire.credentials import ServerTls

TLS = ServerTls(Path("server.crt"), Path("server.key"))
MTLS = ServerTls(Path("server.crt"), Path("server.key"), Path("ca.crt"))
ELSEWHERE = ["0.0.0.0:50051", "[::]:50051", "10.0.0.7:0", "example.org:50051", "127.0.0.1.example.org:50051"]


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.8.8.8:1", "localhost:50051", "[::1]:50051", "unix:/tmp/s"])
def test_loopback_and_unix_sockets_are_free(address: str) -> None:
    check_binding(address, None, None)


@pytest.mark.parametrize("address", ELSEWHERE)
@pytest.mark.parametrize(
    ("tls", "token", "gap"),
    [
        (None, None, "can be read on the way, and without a token"),
        (None, "secret", "without TLS all that is said"),
        (TLS, None, "without a token or certificates of its callers"),
        (TLS, "", "without a token or certificates of its callers"),
    ],
)
def test_any_other_address_is_refused_with_what_is_missing_and_two_ways_to_go_on(
    address: str, tls: ServerTls | None, token: str | None, gap: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_binding(address, tls, token)
    text = str(refused.value)
    assert text.startswith(f"{address} is not on loopback")
    assert gap in text
    for way in ("127.0.0.1", "SSH tunnel", "--tls-cert", "--tls-key", "--token-file", "--tls-client-ca", "tls init"):
        assert way in text
    assert "secret" not in text


@pytest.mark.parametrize("address", ELSEWHERE)
@pytest.mark.parametrize(("tls", "token"), [(TLS, "secret"), (MTLS, None), (MTLS, "secret")])
def test_tls_with_a_token_or_with_certificates_of_the_callers_may_listen_anywhere(
    address: str, tls: ServerTls, token: str | None
) -> None:
    check_binding(address, tls, token)

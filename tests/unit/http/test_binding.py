"""Where the server listens, and under which names."""

from __future__ import annotations

import socket

import pytest

from lightning_grpc.errors import ConfigurationError
from lightning_grpc.http.binding import Binding


@pytest.fixture
def bind():
    bindings = []

    def make(host, port=0):
        bindings.append(Binding(host, port))
        return bindings[-1]

    yield make
    for binding in bindings:
        binding.close()


def test_a_picked_port_is_told(bind):
    binding = bind("127.0.0.1")
    assert binding.port > 0
    assert binding.url == f"http://127.0.0.1:{binding.port}"
    assert binding.is_loopback


def test_loopback_is_addressed_by_its_names_alone(bind):
    binding = bind("localhost")
    port = binding.port
    for authority in (f"127.0.0.1:{port}", f"LOCALHOST:{port}", f"[::1]:{port}"):
        assert binding.allows(authority)
    for authority in (
        "127.0.0.1",
        f"10.0.0.1:{port}",
        f"evil.example:{port}",
        f"localhost:{port + 1}",
        "",
        ":",
        "[::1]",
    ):
        assert not binding.allows(authority)


def test_every_address_is_addressed_by_addresses_and_the_machines_name(bind):
    binding = bind("0.0.0.0")
    assert not binding.is_loopback
    for host in ("127.0.0.1", "10.1.2.3", "[fe80::1]", socket.gethostname()):
        assert binding.allows(f"{host}:{binding.port}")
    assert not binding.allows(f"evil.example:{binding.port}")


def test_a_taken_port_is_an_error_that_says_what_to_do(bind):
    port = bind("127.0.0.1").port
    with pytest.raises(
        ConfigurationError, match=rf"port {port} of 127.0.0.1 is taken.*--port .*http_port.*--no-server"
    ):
        bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["a" * 300, "1.2.3.4", "x\0y"])
def test_a_host_that_is_not_here_is_an_error(bind, host):
    with pytest.raises(ConfigurationError, match=r"--host"):
        bind(host)


def test_a_name_that_nobody_knows_is_an_error(bind, monkeypatch):
    def look_up(host, *_, **__):  # servers of names may be out of reach, and are then waited for
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(ConfigurationError, match=r"'no\.such\.host': .*not known.*--host"):
        bind("no.such.host")


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_is_a_number_of_16_bits(bind, port):
    with pytest.raises(ConfigurationError, match=r"--port"):
        bind("127.0.0.1", port)

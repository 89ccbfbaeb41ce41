"""The proxy that breaks connections does what it is told, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import threading
import time
from pathlib import Path

import grpc
import pytest

import lightning_grpc as L
from lightning_grpc.errors import ConfigurationError
from lightning_grpc.runtimes.local import LocalRuntime
from lightning_grpc.testing import EmptyFlow, EmptyWork, FaultProxy, ProxiedRuntime

DEADLINE_S = 20


class Pair:
    """A client and, behind the proxy, the server's end of its connection."""

    def __init__(self, family, directory):
        self.is_unix = family == "unix"
        self.server = socket.socket(socket.AF_UNIX if self.is_unix else socket.AF_INET)
        self.server.settimeout(DEADLINE_S)
        self.server.bind(f"{directory}/server" if self.is_unix else ("127.0.0.1", 0))
        self.server.listen()
        name = self.server.getsockname()
        self.address = f"unix:{name}" if self.is_unix else f"127.0.0.1:{name[1]}"
        self.ends = []

    def connect(self, proxy, *, greet=True):
        client = self.dial(proxy)
        peer, _ = self.server.accept()
        peer.settimeout(DEADLINE_S)
        self.ends.append(peer)
        if greet:  # the proxy knows both ends when something has passed
            client.sendall(b"!")
            assert receive(peer, 1) == b"!"
        return client, peer

    def dial(self, proxy):
        client = socket.socket(self.server.family)
        client.settimeout(DEADLINE_S)
        if self.is_unix:
            client.connect(proxy.address.removeprefix("unix:"))
        else:
            host, port = proxy.address.split(":")
            client.connect((host, int(port)))
        self.ends.append(client)
        return client

    def close(self):
        for each in (*self.ends, self.server):
            each.close()


@pytest.fixture(params=["unix", "tcp"])
def pair(request, tmp_path):
    with contextlib.closing(Pair(request.param, tmp_path)) as pair:
        yield pair


@pytest.fixture
def proxy(pair):
    with FaultProxy(pair.address, seed=5) as proxy:
        yield proxy


def receive(end, size):
    """Return as many bytes, or fewer if the connection ends."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while len(data) < size and (more := end.recv(size - len(data))):
            data += more
    return data


def has_ended(end):
    return receive(end, 1) == b""


def nothing_comes(end):
    """Whether there is nothing to read, now and a moment later."""
    return select.select([end], [], [], 0.05)[0] == []


def test_what_is_sent_arrives_in_both_directions_and_nothing_else(pair, proxy):
    client, peer = pair.connect(proxy)
    data = bytes(range(256)) * 4000
    for sender, receiver in ((client, peer), (peer, client)):
        writing = threading.Thread(target=sender.sendall, args=(data,))
        writing.start()
        assert receive(receiver, len(data)) == data
        writing.join(DEADLINE_S)
    assert proxy.connections == 1


def test_the_end_of_one_direction_is_passed_on_and_the_other_goes_on(pair, proxy):
    client, peer = pair.connect(proxy)
    client.shutdown(socket.SHUT_WR)
    assert has_ended(peer)
    peer.sendall(b"still here")
    assert receive(client, 10) == b"still here"
    peer.close()
    assert has_ended(client)


def test_a_cut_ends_all_connections_and_new_ones_are_accepted(pair, proxy):
    ends = [end for _ in range(3) for end in pair.connect(proxy)]
    assert proxy.cut() == 3
    assert all(map(has_ended, ends))
    client, peer = pair.connect(proxy)
    client.sendall(b"x")
    assert receive(peer, 1) == b"x"
    assert proxy.connections == 4


def test_half_open_holds_everything_back_and_loses_nothing(pair, proxy):
    client, peer = pair.connect(proxy)
    proxy.half_open()
    client.sendall(b"question")
    late_client, late_peer = pair.connect(proxy, greet=False)
    late_client.sendall(b"late")
    client.shutdown(socket.SHUT_WR)
    assert nothing_comes(peer)
    assert nothing_comes(late_peer)
    proxy.go_on()
    assert receive(peer, 100) == b"question"
    assert receive(late_peer, 4) == b"late"


def test_a_delay_makes_everything_late_and_keeps_the_order(pair, proxy):
    client, peer = pair.connect(proxy)
    proxy.delay(0.2)
    sent_s = time.monotonic()
    client.sendall(b"first")
    client.sendall(b"second")
    assert receive(peer, 11) == b"firstsecond"
    assert time.monotonic() - sent_s >= 0.2
    proxy.delay(0.0)
    client.sendall(b"third")
    assert receive(peer, 5) == b"third"


def test_garbage_goes_to_the_client_only_and_is_the_same_for_the_same_seed(pair):
    seen = []
    for seed in (1, 1, 2):
        with FaultProxy(pair.address, seed=seed) as proxy:
            client, peer = pair.connect(proxy)
            assert proxy.garbage(40) == 1
            seen.append(receive(client, 40))
            assert nothing_comes(peer)
    assert seen[0] == seen[1] != seen[2]


def test_the_last_chunk_of_the_server_is_repeated_to_each_client(pair, proxy):
    client, peer = pair.connect(proxy)
    other_client, other_peer = pair.connect(proxy)
    assert proxy.repeat() == 0
    for text in (b"one", b"two"):
        peer.sendall(text)
        assert receive(client, 3) == text
    other_peer.sendall(b"six")
    assert receive(other_client, 3) == b"six"
    assert proxy.repeat() == 2
    assert receive(client, 3) == b"two"
    assert receive(other_client, 3) == b"six"


def test_a_proxy_that_refuses_closes_new_connections_and_keeps_old_ones(pair, proxy):
    client, peer = pair.connect(proxy)
    proxy.refuse()
    assert has_ended(pair.dial(proxy))
    client.sendall(b"x")
    assert receive(peer, 1) == b"x"
    assert proxy.connections == 1
    proxy.refuse(False)
    pair.connect(proxy)
    assert proxy.connections == 2


def test_healing_ends_all_faults_that_last(pair, proxy):
    proxy.half_open()
    proxy.refuse()
    proxy.delay(1000)
    proxy.heal()
    client, peer = pair.connect(proxy)
    client.sendall(b"x")
    assert receive(peer, 1) == b"x"


def test_nobody_behind_the_proxy_is_an_end_of_the_connection(pair):
    with FaultProxy(pair.address) as proxy:
        pair.server.close()
        assert has_ended(pair.dial(proxy))
        assert proxy.connections == 0


def test_closing_ends_connections_thread_and_socket_and_may_be_repeated(pair):
    proxy = FaultProxy(pair.address)
    address = proxy.open()
    assert address == proxy.address
    with pytest.raises(ConfigurationError, match="open already"):
        proxy.open()
    client, peer = pair.connect(proxy)
    proxy.half_open()
    client.sendall(b"x")
    proxy.close()
    proxy.close()
    assert has_ended(client)
    assert has_ended(peer)
    assert not [thread for thread in threading.enumerate() if thread.name == "lightning-grpc-fault-proxy"]
    if pair.is_unix:
        assert not Path(address.removeprefix("unix:")).parent.exists()


@pytest.mark.parametrize("act", ["cut", "half_open", "go_on", "garbage", "repeat", "refuse", "heal"])
def test_a_proxy_that_is_not_open_says_so(act):
    with pytest.raises(ConfigurationError, match="not open"):
        getattr(FaultProxy("unix:/nowhere"), act)()


@pytest.mark.parametrize("address", ["", "nowhere", "host:", ":80", "host:http"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ConfigurationError, match="unix:PATH or HOST:PORT"):
        FaultProxy(address)


def test_a_delay_below_zero_is_refused(proxy):
    with pytest.raises(ConfigurationError, match="a time in seconds"):
        proxy.delay(-1)


@pytest.mark.parametrize("listen", ["unix:{}/grpc", "127.0.0.1:0"])
def test_grpc_passes_through(tmp_path, listen):
    async def check():
        server = grpc.aio.server()
        port = server.add_insecure_port(listen.format(tmp_path))
        await server.start()
        target = listen.format(tmp_path) if listen.startswith("unix:") else f"127.0.0.1:{port}"
        with FaultProxy(target) as proxy:
            async with grpc.aio.insecure_channel(proxy.address) as channel:
                call = channel.unary_unary("/no.Such/Method")(b"", timeout=DEADLINE_S)
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call
                assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        await server.stop(None)

    asyncio.run(check())


def test_the_works_of_an_app_are_reached_through_proxies_by_name():
    class Flow(L.LightningFlow):
        def __init__(self):
            super().__init__()
            self.first = EmptyWork()
            self.second = EmptyWork()
            self.connections = {}

        def run(self):
            self.first.run()
            self.second.run()
            self.connections = {name: proxy.connections for name, proxy in runtime.proxies.items()}
            self.stop()

    runtime = ProxiedRuntime(LocalRuntime())
    flow = Flow()
    L.LightningApp(flow).run(runtime)
    assert flow.connections.keys() == {"root.first", "root.second"}
    assert min(flow.connections.values()) >= 1  # more, if the first one did not come about soon enough
    assert runtime.proxies == {}
    assert not [thread for thread in threading.enumerate() if thread.name == "lightning-grpc-fault-proxy"]


def test_the_components_that_do_nothing_can_be_used():
    L.LightningApp(EmptyWork()).run()
    assert EmptyFlow().run() is None

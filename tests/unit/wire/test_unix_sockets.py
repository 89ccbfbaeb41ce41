"""Sockets that only their user can open, and the umask, which is of all threads (issue: Trust)."""

from __future__ import annotations

import itertools
import socket
import threading
from pathlib import Path

import pytest

from lightning_grpc.errors import ConfigurationError
from lightning_grpc.wire.unix_sockets import LONGEST_PATH, UnixSocket

DEADLINE_S = 30


class Listener:
    """Listens where it is told to, as gRPC does, until it is closed."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)

    def __call__(self, address):
        self.socket.bind(address.removeprefix("unix:"))
        self.socket.listen()
        return 1

    def close(self):
        self.socket.close()


@pytest.fixture
def listener():
    made = Listener()
    yield made
    made.close()


def answers(path):
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
    return True


def test_a_socket_is_its_users_alone_and_the_only_file_that_is_made(tmp_path, listener):
    path = tmp_path / "w"
    made = UnixSocket(str(path))
    assert made.listen(listener) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert answers(path)
    made.remove()
    assert list(tmp_path.iterdir()) == []


def test_nobody_else_can_reach_a_socket_before_its_mode_is_right(tmp_path, listener):
    seen = []

    def bind(address):
        seen.append(Path(address.removeprefix("unix:")).parent.stat().st_mode & 0o777)
        return listener(address)

    UnixSocket(str(tmp_path / "w")).listen(bind)
    assert seen == [0o700]


def test_what_other_threads_make_meanwhile_has_its_usual_mode(tmp_path):
    modes = set()
    many, stopped = threading.Event(), threading.Event()

    def make_folders():
        for number in itertools.count():
            folder = tmp_path / f"folder{number}"
            folder.mkdir()
            modes.add(folder.stat().st_mode & 0o777)
            folder.rmdir()
            if number == 100:
                many.set()
            if stopped.is_set():
                return

    def make_sockets(name):
        for number in itertools.count():
            if number >= 100 and (many.is_set() or stopped.is_set()):
                return
            listener = Listener()
            made = UnixSocket(str(tmp_path / f"{name}{number}"))
            made.listen(listener)
            made.remove()
            listener.close()

    (tmp_path / "usual").mkdir()
    usual = (tmp_path / "usual").stat().st_mode & 0o777
    maker = threading.Thread(target=make_folders, name="folders", daemon=True)
    binders = [threading.Thread(target=make_sockets, args=(name,), name=name, daemon=True) for name in "ab"]
    for thread in (maker, *binders):
        thread.start()
    try:
        assert many.wait(DEADLINE_S)
        for thread in binders:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()
    finally:
        stopped.set()
    maker.join(DEADLINE_S)
    assert not maker.is_alive()
    assert modes == {usual}


def test_of_two_servers_at_one_path_the_second_is_refused_however_close_they_are(tmp_path, listener):
    path = str(tmp_path / "w")
    first, second = UnixSocket(path), UnixSocket(path)  # neither has seen the other
    first.listen(listener)
    late = Listener()
    with pytest.raises(ConfigurationError, match=f"another server listens on {path}; end it first"):
        second.listen(late)
    late.close()
    second.remove()
    assert answers(path)
    assert [each.name for each in tmp_path.iterdir()] == ["w"]


def test_a_file_system_without_hard_links_has_sockets_all_the_same(tmp_path, listener, monkeypatch):
    def link(made, path):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", link)
    path = tmp_path / "w"
    UnixSocket(str(path)).listen(listener)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert answers(path)


def test_a_dead_servers_file_is_replaced(tmp_path, listener):
    path = str(tmp_path / "w")
    dead = Listener()
    UnixSocket(path).listen(dead)
    dead.close()
    assert not answers(path)
    UnixSocket(path).listen(listener)
    assert answers(path)


def test_the_file_of_another_server_is_not_removed(tmp_path, listener):
    path = tmp_path / "w"
    old = Listener()
    made = UnixSocket(str(path))
    made.listen(old)
    path.unlink()
    UnixSocket(str(path)).listen(listener)
    made.remove()
    old.close()
    assert answers(path)


def test_a_folder_that_is_too_deep_is_refused_with_its_limit(tmp_path, listener):
    deepest = tmp_path / ("x" * (LONGEST_PATH - 12 - len(str(tmp_path)) - 1))
    deepest.mkdir()
    UnixSocket(str(deepest / "w")).listen(listener)
    assert answers(deepest / "w")
    deeper = tmp_path / ("x" * (LONGEST_PATH - 12 - len(str(tmp_path))))
    deeper.mkdir()
    with pytest.raises(ConfigurationError, match="the folder of a socket may have 95 bytes; choose a shorter one"):
        UnixSocket(str(deeper / "w"))


def test_a_path_that_clients_would_read_in_another_way_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="takes a % for the beginning of an escape"):
        UnixSocket(str(tmp_path / "a%41"))


def test_a_bind_that_fails_leaves_nothing(tmp_path):
    def bind(address):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        UnixSocket(str(tmp_path / "w")).listen(bind)
    assert list(tmp_path.iterdir()) == []

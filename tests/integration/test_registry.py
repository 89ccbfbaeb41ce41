"""The registry of running apps: entries that come, go and are left behind; and what the command shows of it."""

from __future__ import annotations

import json
import logging
import os
import signal
import stat
import tempfile
import threading
from pathlib import Path

import command_lines
import pytest
from served_apps import DEADLINE_S, Board, Served, app_process, entry_of, until

import lightning_grpc as L
from lightning_grpc.errors import ConfigurationError
from lightning_grpc.service.registry import (
    Registration,
    WorksRegistration,
    prepare_directory,
    running_apps,
    running_works,
    runtime_directory,
)


@pytest.fixture
def own_directory(tmp_path_factory, monkeypatch):
    """A runtime directory for one test alone."""
    path = Path(tempfile.mkdtemp(prefix="r", dir=os.environ["XDG_RUNTIME_DIR"]))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(path))
    return path


def command(*words):
    return command_lines.command(*words, env={**os.environ, "COLUMNS": "200"})


def listed_when_all_answer(*words):
    """What a listing prints when each app answers in time, which one that has just begun may not do at first."""

    def find():
        listed = command("ps", *words)
        assert listed.returncode == 0, listed.stderr
        silent = any(sign in listed.stdout for sign in ("no answer", '"works": null'))
        return not silent and listed.stdout

    return until(find, "all apps answer")


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_an_app_is_registered_while_it_runs_and_leaves_nothing(own_directory):
    with Served() as served:
        entry = served.entry
        directory = Path(entry.directory)
        assert entry.pid == os.getpid()
        assert entry.http == ""
        assert entry.is_live
        assert entry.addresses == (f"unix:{directory}/s",)
        assert (mode(directory.parent), mode(directory)) == (0o700, 0o700)
        assert {each.name: mode(each) for each in directory.iterdir()} == {
            "app.json": 0o600,
            "token": 0o600,
            "s": 0o600,
        }
        assert entry.read_token() not in (directory / "app.json").read_text()
    assert list(directory.parent.iterdir()) == []
    assert not entry.is_live
    with pytest.raises(ConfigurationError, match="may have ended"):
        entry.read_token()


def test_what_an_app_that_was_killed_leaves_is_removed_by_who_looks(own_directory, tmp_path):
    with app_process(tmp_path) as (process, name):
        entry = until(lambda: entry_of(name), "the app is registered")
        process.send_signal(signal.SIGKILL)
        process.wait(DEADLINE_S)
        assert Path(entry.directory).is_dir()
        assert not entry.is_live
        assert running_apps() == []
        assert not Path(entry.directory).exists()


def test_an_entry_whose_pid_belongs_to_another_process_now_is_removed(own_directory):
    registration = Registration("new", 1, 1.0, "token")
    registration.announce(addresses=["unix:/nowhere"])
    reused = Path(registration.directory).with_name(f"{os.getpid()}-{registration.process_start - 1}-1")
    Path(registration.directory).rename(reused)
    assert running_apps() == []
    assert not reused.exists()


def test_an_entry_that_is_still_being_written_is_left_alone(own_directory):
    registration = Registration("slow", 1, 1.0, "token")
    assert running_apps() == []
    assert Path(registration.directory).is_dir()
    registration.announce(addresses=["unix:/nowhere"])
    assert [entry.name for entry in running_apps()] == ["slow"]
    registration.announce(http="http://127.0.0.1:7501")
    (entry,) = running_apps()
    assert (entry.addresses, entry.http) == (("unix:/nowhere",), "http://127.0.0.1:7501")
    registration.remove()
    assert running_apps() == []


def test_apps_that_start_at_once_do_not_get_into_each_others_way(own_directory):
    registrations, errors = [], []
    gate = threading.Barrier(16)

    def register(number):
        try:
            gate.wait(DEADLINE_S)
            registration = Registration(f"app {number}", number, float(number), f"token {number}")
            registration.announce(addresses=["unix:/nowhere"])
            registrations.append(registration)
            running_apps()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=register, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert errors == []
    found = running_apps()
    assert [entry.name for entry in found] == [f"app {number}" for number in range(16)]
    assert [entry.read_token() for entry in found] == [f"token {number}" for number in range(16)]


def test_a_file_that_is_no_entry_is_passed_over(own_directory):
    directory = Path(prepare_directory())
    (directory / "notes").write_text("mine")
    registration = Registration("broken", 1, 1.0, "token")
    (Path(registration.directory) / "app.json").write_text("{")
    assert running_apps() == []
    assert (directory / "notes").exists()


def test_without_a_runtime_directory_of_the_system_one_is_made_for_temporary_files(own_directory, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(own_directory))
    for value in ("", str(own_directory / "missing")):
        monkeypatch.setenv("XDG_RUNTIME_DIR", value)
        assert runtime_directory() == f"{own_directory}/lightning-grpc-{os.getuid()}"
    assert mode(prepare_directory()) == 0o700


@pytest.mark.parametrize("wrong", ["mode", "owner", "file", "link"])
def test_a_directory_that_others_could_reach_into_is_refused(own_directory, monkeypatch, wrong):
    path = own_directory / "lightning-grpc"
    if wrong == "file":
        path.write_text("")
    elif wrong == "link":
        (own_directory / "elsewhere").mkdir(mode=0o700)
        path.symlink_to(own_directory / "elsewhere")
    else:
        path.mkdir(mode=0o700)
        path.chmod(0o755 if wrong == "mode" else 0o700)
        if wrong == "owner":
            monkeypatch.setattr(os, "getuid", lambda: os.lstat(path).st_uid + 1)
    for use in (prepare_directory, running_apps):
        with pytest.raises(
            ConfigurationError, match=r"runtime directory .*(mode|belongs|no directory|Not a directory)"
        ):
            use()


@pytest.mark.parametrize("wrong", ["a file", "too long"])
def test_an_app_that_cannot_be_served_runs_on_with_one_warning(own_directory, monkeypatch, caplog, wrong):
    if wrong == "a file":
        (own_directory / "lightning-grpc").write_text("")
    else:
        long = own_directory / ("x" * 100)
        long.mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    logger = logging.getLogger("lightning_grpc")
    monkeypatch.setattr(logger, "propagate", True)

    class Patient(Board):
        def run(self):
            self.n += 1
            until(lambda: warnings(), "the warning is there")
            self.stop()

    def warnings():
        told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        return [each for each in told if "the Flow's run has taken" not in each]  # for it waits, maybe for long

    app = L.LightningApp(Patient())
    app.run()
    (warning,) = warnings()
    assert "the app's service could not be started" in warning
    assert ("cannot be used" in warning or "no directory" in warning) if wrong == "a file" else "too long" in warning
    assert app.stage.value == "stopping"


def test_a_port_that_is_taken_leaves_the_socket(own_directory, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("lightning_grpc"), "propagate", True)
    with Served(service_address="127.0.0.1:0") as one:
        taken = one.entry.addresses[1]
        with Served(service_address=taken) as two:
            assert len(two.entry.addresses) == 1
            assert f"cannot listen on {taken}" in caplog.text
            with L.AppClient(two.entry.address) as app:
                assert app.describe().name == two.app.name


def test_ps_lists_the_running_apps(own_directory, tmp_path):
    with app_process(tmp_path, arguments="with_work=True") as (process, name), Served() as other:
        until(lambda: entry_of(name), "the app is registered")
        header, *lines = listed_when_all_answer().splitlines()
        assert header.split() == ["name", "kind", "pid", "stage", "revision", "uptime", "works", "address"]
        (line,) = [line for line in lines if name in line]
        assert line.split()[1:4] == ["app", str(process.pid), "running"]
        found = {each["name"]: each for each in json.loads(listed_when_all_answer("--json"))}
        assert found.keys() == {name, other.app.name}
        assert (found[name]["pid"], found[name]["works"], found[other.app.name]["works"]) == (process.pid, 1, 0)


def test_ps_says_which_app_does_not_answer(own_directory, tmp_path):
    with app_process(tmp_path) as (process, name):
        until(lambda: entry_of(name), "the app is registered")
        process.send_signal(signal.SIGSTOP)
        try:
            (found,) = json.loads(command("ps", "--json").stdout)
        finally:
            process.send_signal(signal.SIGCONT)
        assert (found["name"], found["stage"], found["works"]) == (name, "no answer", None)


def test_ps_without_an_app_says_how_to_start_one(own_directory):
    listed = command("ps")
    assert (listed.returncode, listed.stdout) == (0, "")
    assert "lightning-grpc run app FILE" in listed.stderr
    assert json.loads(command("ps", "--json").stdout) == []


def test_the_command_serves_on_loopback_when_asked(own_directory, tmp_path):
    with app_process(tmp_path, options=("--listen", "127.0.0.1:0")) as (_, name):
        entry = until(lambda: entry_of(name), "the app is registered")
        with L.AppClient(entry.addresses[1]) as app:  # whose token the registry knows
            assert app.describe().name == name


def test_the_command_refuses_to_listen_elsewhere(tmp_path):
    refused = command("run", "app", "app.py", "--listen", "0.0.0.0:80")
    assert refused.returncode == 2
    assert "not on loopback" in refused.stderr


def test_an_entry_of_works_of_a_version_that_knew_less_is_read_all_the_same(own_directory):
    registration = WorksRegistration(["w"], "127.0.0.1:1", 5.0, 7)
    file = Path(registration.directory, "works.json")
    fields = json.loads(file.read_text())
    assert fields.pop("epoch") == 7
    file.write_text(json.dumps(fields))
    (entry,) = running_works()
    assert (entry.names, entry.address, entry.epoch) == (("w",), "127.0.0.1:1", 0)
    registration.remove()
    assert running_works() == []

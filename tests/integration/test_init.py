"""``lightning-grpc init`` and ``doctor``: a new app that runs and is tested, on a machine that is fit for it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest
from command_lines import DEADLINE_S, data_of, finished, line

FILES = ["README.md", "app.py", "test_app.py"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names_in(path):
    return sorted(each.name for each in path.iterdir())


def test_what_was_made_runs_and_its_test_passes(folder):
    done = line("init", "hello")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [f"hello/{name}" for name in FILES]
    assert "cd hello && lightning-grpc run app app.py" in done.stderr
    app = folder / "hello" / "app.py"
    app.write_text(app.read_text().replace("pause_s: float = 0.1", "pause_s: float = 0.001"))
    code, out, err = finished("run", "app", "app.py", cwd=folder / "hello")
    assert (code, out.splitlines()[-1]) == (0, "Counted to 100."), err
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder / "hello",
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout


def test_what_was_made_is_told_as_json(folder):
    found = data_of("init", "hello", "--json")
    assert found == {
        "schema": "lightning-grpc/init/1",
        "name": "hello",
        "folder": str(folder / "hello"),
        "files": FILES,
    }
    assert names_in(folder / "hello") == FILES
    assert (folder / "hello" / "README.md").read_text().startswith("# hello\n")


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_nothing_is_overwritten(folder, kind):
    path = folder / "there"
    if kind == "folder":
        path.mkdir()
        (path / "app.py").write_text("mine")
    elif kind == "file":
        path.write_text("mine")
    else:
        path.symlink_to("nowhere")
    done = line("init", "there")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "there is there already, and is left as it is" in done.stderr
    if kind == "folder":
        assert (path / "app.py").read_text() == "mine"
        assert names_in(path) == ["app.py"]


@pytest.mark.parametrize("name", ["3x", "a/b", "..", "a b", "-x", "é", "x" * 65, "a.b", ""])
def test_what_is_no_name_is_refused(folder, name):
    done = line("init", "--", name)
    assert done.exit_code == 2
    assert "is no name for an app" in done.stderr
    assert names_in(folder) == []


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_place_that_cannot_be_written_is_told_of(folder):
    folder.chmod(0o500)
    done = line("init", "hello")
    folder.chmod(0o700)
    assert done.exit_code == 1
    assert "cannot be made" in done.stderr


def test_the_doctor_looks_at_everything_and_ends_with_what_was_found():
    done = line("doctor", "--json")
    found = json.loads(done.stdout)
    assert found["schema"] == "lightning-grpc/doctor/1"
    names = [each["name"] for each in found["observations"]]
    sound = {"python", "grpcio", "protobuf", "deepdiff", "generated code", "registry", "loopback"}
    assert sound | {"port 7501", "clock", "terminal", "socket paths"} <= set(names)
    verdicts = {each["verdict"] for each in found["observations"]}
    assert verdicts <= {"ok", "warning", "problem"}
    assert done.exit_code == (1 if "problem" in verdicts else 0)
    by_name = {each["name"]: each for each in found["observations"]}
    for name in sound:
        assert by_name[name]["verdict"] == "ok", by_name[name]
    text = line("doctor").stdout
    assert all(name in text for name in names)


def test_the_doctor_finds_what_would_go_wrong(monkeypatch, tmp_path):
    open_to_all = tmp_path / "run"
    (open_to_all / "lightning-grpc").mkdir(parents=True)
    (open_to_all / "lightning-grpc").chmod(0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(open_to_all))
    monkeypatch.setenv("GRPC_ENABLE_FORK_SUPPORT", "1")
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    done = line("doctor", "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    by_name = {each["name"]: each for each in found["observations"]}
    assert found["verdict"] == "problem"
    assert by_name["registry"]["verdict"] == "problem"
    assert "0755" in by_name["registry"]["advice"]
    assert by_name["grpc settings"]["verdict"] == "problem"
    assert by_name["proxies"]["verdict"] == "warning"
    assert "Something would go wrong." in line("doctor").stderr


def test_the_doctor_finds_a_port_that_is_taken(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr("lightning_grpc.http.binding.DEFAULT_PORT", taken.getsockname()[1])
        found = json.loads(line("doctor", "--json").stdout)["observations"]
    (port,) = [each for each in found if each["name"].startswith("port ")]
    assert port["verdict"] == "problem"
    assert "run app --port 0" in port["advice"]

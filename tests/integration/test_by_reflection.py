"""With reflection alone a person can describe, run and watch a Work: the caller has nothing of this package."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from served_works import serving

EXAMPLE = Path(__file__).parents[2] / "examples" / "by_reflection"
CALL = EXAMPLE / "call.py"
COUNTDOWN = f"{EXAMPLE / 'countdown.py'}:Countdown"
DEADLINE_S = 50
WORK = "lightning_grpc.v1.WorkService"
ALONE = "import runpy, sys; sys.modules['lightning_grpc'] = None; sys.argv = sys.argv[1:]; "  # it cannot be imported
ALONE += "runpy.run_path(sys.argv[0], run_name='__main__')"


class Caller:
    """Calls one server by the example's script."""

    def __init__(self, address, *options):
        self.address = address
        self.options = options

    def command(self, *arguments):
        return [sys.executable, "-c", ALONE, str(CALL), self.address, *arguments, *self.options]

    def __call__(self, *arguments):
        """The finished call."""
        return subprocess.run(
            self.command(*arguments), capture_output=True, encoding="utf-8", timeout=DEADLINE_S, check=False
        )

    def answer(self, method, **request):
        """The one answer of a method."""
        done = self(f"{WORK}/{method}", json.dumps(request))
        assert done.returncode == 0, done.stderr
        (line,) = done.stdout.splitlines()
        return json.loads(line)

    @contextlib.contextmanager
    def watching(self):
        """The frames of the Work's stream, as they come."""
        command = self.command(f"{WORK}/StateDelta", "{}", "--timeout-s", str(DEADLINE_S))
        with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
            try:
                yield map(json.loads, process.stdout)
            finally:
                process.kill()


@pytest.fixture(params=[False, True], ids=["open", "with a token"])
def caller(request, tmp_path):
    """Who calls the example's Work, with what it takes."""
    options = []
    if request.param:
        file = tmp_path / "token"
        file.write_text("secret\n")
        file.chmod(0o600)
        options = ["--token-file", str(file)]
    with serving(COUNTDOWN, *options) as served:
        yield Caller(served.address, *options)


@pytest.fixture(scope="module")
def open_caller():
    """Who calls one that anybody may call."""
    with serving(COUNTDOWN) as served:
        yield Caller(served.address)


def stages(frame):
    """The stages that a frame tells of, wherever in it."""
    return [each.split('"')[0] for each in json.dumps(frame).split('"textValue": "')[1:]]


def test_a_person_can_describe_run_and_watch_a_work(caller):
    description = caller.answer("Describe")
    assert description["className"] == "Countdown"
    assert description["attributes"] == [{"name": "left", "type": "int"}]
    assert description["runSignature"] == "(start: 'int' = 10)"
    with caller.watching() as frames:
        assert "snapshot" in next(frames)
        assert caller.answer("Run", callId="1", callHash="run:1", args=[{"intValue": "1"}]) == {}
        assert any("succeeded" in stages(frame) for frame in frames)
    assert caller.answer("Run", callId="1", callHash="run:1")["alreadyKnown"] is True


def test_the_methods_of_a_server_are_listed(open_caller):
    listed = open_caller().stdout.split()
    assert {f"{WORK}/{name}" for name in ("Describe", "Run", "StateDelta", "Stop")} <= set(listed)
    assert "grpc.health.v1.Health/Check" in listed


def test_without_the_token_nothing_is_told(tmp_path):
    file = tmp_path / "token"
    file.write_text("secret\n")
    file.chmod(0o600)
    with serving(COUNTDOWN, "--token-file", str(file)) as served:
        done = Caller(served.address)()
    assert done.returncode == 1
    assert "UNAUTHENTICATED" in done.stderr
    assert "authorization: Bearer TOKEN" in done.stderr


def test_a_request_that_does_not_fit_is_refused_by_field(open_caller):
    done = open_caller(
        f"{WORK}/Run", json.dumps({"callId": "1", "callHash": "h", "attributes": {"colour": {"intValue": "1"}}})
    )
    assert done.returncode == 1
    assert done.stderr == 'INVALID_ARGUMENT: attributes["colour"]: Countdown has no attribute colour\n'


@pytest.mark.parametrize("method", [f"{WORK}/Dance", "no.Service/Dance"])
def test_a_method_that_is_not_there_is_an_error_that_names_it(open_caller, method):
    done = open_caller(method)
    assert done.returncode == 1
    assert f"nothing called {method}" in done.stderr

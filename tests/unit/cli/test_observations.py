"""What the doctor judges of facts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lightning_grpc.cli import observations as judge
from lightning_grpc.cli.observations import OK, PROBLEM, WARNING, Observation

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("observation", "verdict", "says"),
    [
        (judge.judge_python((3, 12, 1), "CPython", has_gil=True), OK, "CPython 3.12.1"),
        (judge.judge_python((3, 10, 9), "CPython", has_gil=True), PROBLEM, "install Python 3.11 or newer"),
        (judge.judge_python((3, 11, 0), "PyPy", has_gil=True), PROBLEM, "run it with CPython"),
        (judge.judge_python((3, 14, 0), "CPython", has_gil=False), PROBLEM, "PYTHON_GIL=1"),
        (judge.judge_platform("Linux", has_proc=True), OK, "Linux"),
        (judge.judge_platform("Darwin", has_proc=False), PROBLEM, "run it on Linux"),
        (judge.judge_platform("Linux", has_proc=False), PROBLEM, "without /proc"),
        (judge.judge_package("grpcio", "1.76.0", "1.76"), OK, "1.76.0"),
        (judge.judge_package("grpcio", "1.9.9", "1.76"), PROBLEM, "pip install 'grpcio>=1.76'"),
        (judge.judge_package("grpcio", "1.77.0rc1", "1.76"), OK, "1.77.0rc1"),
        (judge.judge_package("grpcio", None, "1.76"), PROBLEM, "is not installed"),
        (judge.judge_generated_code("6.31.1", "7.1", ""), OK, "made for protobuf 6.31.1"),
        (judge.judge_generated_code("6.31.1", "5.0", "VersionError: old"), PROBLEM, "VersionError: old"),
        (judge.judge_port(7501, "", ""), OK, "is free"),
        (judge.judge_port(7501, "taken", ""), PROBLEM, "run app --port 0"),
        (judge.judge_port(7501, "taken", "app.py"), WARNING, "that of app.py"),
        (judge.judge_loopback(""), OK, "127.0.0.1"),
        (judge.judge_loopback("no answer"), PROBLEM, "interface lo"),
        (judge.judge_proxies({}), OK, "none is set"),
        (judge.judge_proxies({"HTTP_PROXY": "http://p:1"}), WARNING, "set no_proxy"),
        (judge.judge_proxies({"http_proxy": "http://p:1", "NO_PROXY": "localhost,127.0.0.1"}), OK, "not for 127"),
        (judge.judge_grpc_variables({"GRPC_ENABLE_FORK_SUPPORT": "0"}), OK, "nothing"),
        (judge.judge_grpc_variables({"GRPC_ENABLE_FORK_SUPPORT": "true"}), PROBLEM, "unset it"),
        (judge.judge_socket_paths("/run/user/1/lightning-grpc", "/tmp", 107), OK, "of 107 bytes"),
        (judge.judge_socket_paths("/x" * 50, "/tmp", 107), PROBLEM, "set XDG_RUNTIME_DIR"),
        (judge.judge_socket_paths("/run", "/x" * 50, 107), PROBLEM, "set TMPDIR"),
        (judge.judge_registry("/run", ""), OK, "/run"),
        (judge.judge_registry("/run", "has the mode 0755"), PROBLEM, "0755"),
        (judge.judge_open_files(65536, 65536), OK, "65536"),
        (judge.judge_open_files(-1, -1), OK, "as many"),
        (judge.judge_open_files(256, 4096), WARNING, "ulimit -n 1024"),
        (judge.judge_open_files(64, 4096), PROBLEM, "ulimit -n 1024"),
        (judge.judge_open_files(64, 64), PROBLEM, "ask root"),
        (judge.judge_clock(NOW, has_time_zones=True), OK, "2026-05-01 12:00:00 UTC"),
        (judge.judge_clock(NOW, has_time_zones=False), WARNING, "pip install tzdata"),
        (judge.judge_clock(NOW.replace(year=1970), has_time_zones=True), PROBLEM, "set it"),
        (judge.judge_terminal({"TERM": "xterm"}, "utf-8"), OK, "TERM=xterm"),
        (judge.judge_terminal({"TERM": "dumb"}, "UTF-8"), WARNING, "nothing moves"),
        (judge.judge_terminal({"TERM": "xterm", "NO_COLOR": "1"}, "ascii"), WARNING, "LANG=C.UTF-8"),
        (judge.judge_command("/env/bin/lightning-grpc", "/env/bin/lightning-grpc"), OK, "/env/bin"),
        (judge.judge_command(None, "/env/bin/lightning-grpc"), WARNING, "not on PATH"),
        (judge.judge_command("/usr/bin/lightning-grpc", "/env/bin/lightning-grpc"), WARNING, "look at PATH"),
    ],
    ids=lambda each: each.name if isinstance(each, Observation) else None,
)
def test_a_fact_is_judged_and_what_is_wrong_comes_with_advice(observation, verdict, says):
    assert observation.verdict == verdict
    assert says in f"{observation.found} {observation.advice}"
    assert bool(observation.advice) == (verdict != OK)


def test_the_worst_verdict_counts():
    found = [Observation("a", OK, ""), Observation("b", WARNING, "")]
    assert judge.worst(found) == WARNING
    assert judge.worst([*found, Observation("c", PROBLEM, "")]) == PROBLEM
    assert judge.worst(found[:1]) == OK

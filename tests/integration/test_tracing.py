"""One trace from work.run() in the Flow through the RPC to the Work's execution, in real processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from followers import following
from served_works import SMALL, serving
from span_file import VARIABLE, spans_in

from lightning_grpc.wire.client import WorkChannel
from lightning_grpc.wire.protocol import work_grpc, work_pb

DEADLINE_S = 50
HERE = Path(__file__).parent
RUN = "/lightning_grpc.v1.WorkService/Run"


def environment(file, **more):
    paths = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    own = {"PYTHONPATH": paths, VARIABLE: str(file), "LIGHTNING_GRPC_TRACING": "span_file:set_up"}
    return {**os.environ, **own, **more}


def run_app(env):
    return subprocess.run(
        [sys.executable, "-m", "lightning_grpc", "run", "app", str(HERE / "traced_app.py")],
        env=env,
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )


@pytest.fixture(scope="module")
def spans(tmp_path_factory):
    """All spans of one run of the app."""
    file = tmp_path_factory.mktemp("spans") / "spans"
    done = run_app(environment(file))
    assert done.returncode == 0, done.stderr
    return spans_in(file)


def chain(spans, name, root):
    """The spans from one of a name up to one without a parent, whose name is `root`; the outermost first."""
    by_id = {span["span"]: span for span in spans}
    for span in spans:
        if span["name"] != name:
            continue
        found = [span]
        while found[0]["parent"] is not None:
            found.insert(0, by_id[found[0]["parent"]])
        if found[0]["name"] == root:
            return found
    raise AssertionError(f"no {name} below {root} in {[each['name'] for each in spans]}")


def test_a_call_is_one_trace_from_the_users_span_in_the_flow_to_the_users_span_in_the_work(spans):
    found = chain(spans, "inside", "outside")
    assert [(span["name"], span["kind"]) for span in found] == [
        ("outside", "INTERNAL"),
        ("call root.w", "PRODUCER"),
        (RUN, "CLIENT"),
        (RUN, "SERVER"),
        ("run root.w", "CONSUMER"),
        ("inside", "INTERNAL"),
    ]
    assert len({span["trace"] for span in found}) == 1
    assert [span["pid"] == found[0]["pid"] for span in found] == [True, True, True, False, False, False]
    assert len({span["pid"] for span in found}) == 2


def test_calls_that_have_nothing_to_do_with_each_other_are_different_traces(spans):
    first, second = chain(spans, "inside", "outside"), chain(spans, "inside", "call root.w")
    assert first[0]["trace"] != second[0]["trace"]


def test_the_span_of_an_execution_tells_how_it_ended_and_which_call_it_was(spans):
    succeeded = chain(spans, "run root.w", "outside")[-1]
    failed = chain(spans, "run root.w", "call root.w")[-1]
    assert (succeeded["status"], succeeded["attributes"]["lightning_grpc.stage"]) == ("UNSET", "succeeded")
    assert (failed["status"], failed["attributes"]["lightning_grpc.stage"]) == ("ERROR", "failed")
    assert failed["attributes"]["error.type"] == "ValueError"
    for span in (succeeded, failed):
        above = {each["span"]: each for each in spans}
        call = above[above[above[span["parent"]]["parent"]]["parent"]]
        assert call["attributes"]["lightning_grpc.call_id"] == span["attributes"]["lightning_grpc.call_id"]


def test_streams_have_no_spans(spans):
    assert {span["name"] for span in spans if span["name"].startswith("/")} <= {RUN, RUN.replace("Run", "Stop")}


async def call(served, *, work):
    """Call a Work as a client that is traced by other means, and wait until its run is over."""
    (epoch,) = [each["epoch"] for each in served.works if each["name"] == work]
    untraced = WorkChannel(served.address, work, work=work)
    async with grpc.aio.insecure_channel(served.address) as channel, following(untraced, epoch) as follower:
        request = work_pb.RunRequest(call_id="1", call_hash="run:1")
        metadata = (("traceparent", f"00-{7:032x}-{9:016x}-01"), ("work-name", work))
        await work_grpc.WorkServiceStub(channel).Run(request, metadata=metadata, timeout=DEADLINE_S)
        await follower.until(lambda f: f.stage("run:1") == "succeeded")
    await untraced.close()


def test_a_work_that_is_served_by_itself_goes_on_with_its_callers_trace(tmp_path):
    file = tmp_path / "spans"
    with serving(f"{SMALL}:Counter", env=environment(file)) as served:
        asyncio.run(call(served, work="Counter"))
        served.terminate()
        assert served.wait() == 0
    found = spans_in(file)
    run = next(span for span in found if span["name"] == "run Counter")
    server = next(span for span in found if span["name"] == RUN)
    assert (run["trace"], run["parent"]) == (7, server["span"])
    assert (server["trace"], server["parent"]) == (7, 9)


def test_a_call_of_an_attached_work_is_one_trace_too(tmp_path):
    file = tmp_path / "spans"
    with serving(f"{HERE / 'traced_app.py'}:Traced", env=environment(file)) as served:
        done = run_app(environment(file, TRACED_AT=served.address))
        assert done.returncode == 0, done.stderr
        served.terminate()
        assert served.wait() == 0
    found = chain(spans_in(file), "inside", "outside")
    assert [span["name"] for span in found] == ["outside", "call root.w", RUN, RUN, "run Traced", "inside"]
    assert len({span["trace"] for span in found}) == 1
    assert [span["pid"] == served.pid for span in found] == [False, False, False, True, True, True]


def test_one_of_several_works_goes_on_with_the_trace_of_the_server_before_it(tmp_path):
    file = tmp_path / "spans"
    works = ("--work", f"{SMALL}:Counter=left", "--work", f"{SMALL}:Counter=right")
    with serving(None, *works, env=environment(file)) as served:
        asyncio.run(call(served, work="right"))
        served.terminate()
        assert served.wait() == 0
    found = spans_in(file)
    run = next(span for span in found if span["name"] == "run right")
    by_id = {span["span"]: span for span in found}
    inner = by_id[run["parent"]]
    outer = by_id[inner["parent"]]
    assert (inner["name"], outer["name"], outer["parent"]) == (RUN, RUN, 9)
    assert {run["trace"], inner["trace"], outer["trace"]} == {7}
    assert (inner["pid"], outer["pid"]) == (run["pid"], served.pid)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("sometimes", "LIGHTNING_GRPC_TRACING is 'sometimes'; it is 'otel', MODULE:FUNCTION, or not set"),
        ("span_file:nothing", "LIGHTNING_GRPC_TRACING is 'span_file:nothing', which cannot be imported"),
    ],
)
def test_a_value_that_means_nothing_is_an_error_that_says_what_it_may_be(tmp_path, value, message):
    done = run_app(environment(tmp_path / "spans", LIGHTNING_GRPC_TRACING=value))
    assert done.returncode == 1
    assert message in done.stderr


def test_an_exporter_that_is_not_installed_is_an_error_that_says_how_to_get_it(tmp_path):
    env = environment(tmp_path / "spans", LIGHTNING_GRPC_TRACING="otel", OTEL_TRACES_EXPORTER="zipkin_thrift")
    done = run_app(env)
    assert done.returncode == 1
    assert "no package that is installed has the exporter 'zipkin_thrift'" in done.stderr


def test_the_environment_of_opentelemetry_decides_where_spans_go(tmp_path):
    env = environment(tmp_path / "spans", LIGHTNING_GRPC_TRACING="otel", OTEL_TRACES_EXPORTER="console")
    done = run_app(env)
    assert done.returncode == 0
    assert done.stdout.count('"name": "run root.w"') == 2
    assert done.stdout.count('"name": "call root.w"') == 2


def test_without_being_asked_for_nothing_of_opentelemetry_is_imported(tmp_path):
    code = (
        "import sys; from lightning_grpc import LightningApp, LightningFlow, LightningWork\n"
        "class W(LightningWork):\n"
        "    def __init__(self):\n        super().__init__(); self.imported = None\n"
        "    def run(self):\n        self.imported = sorted(m for m in sys.modules if m.startswith('opentelemetry'))\n"
        "class Root(LightningFlow):\n"
        "    def __init__(self):\n        super().__init__(); self.w = W()\n"
        "    def run(self):\n        self.w.run(); print(self.w.imported); self.stop()\n"
        "LightningApp(Root()).run(); print(sorted(m for m in sys.modules if m.startswith('opentelemetry')))\n"
    )
    (tmp_path / "plain.py").write_text(code)
    env = {name: value for name, value in os.environ.items() if name != "LIGHTNING_GRPC_TRACING"}
    done = subprocess.run(
        [sys.executable, "plain.py"], cwd=tmp_path, env=env, capture_output=True, encoding="utf-8", timeout=DEADLINE_S
    )
    assert done.stdout == "[]\n[]\n", done.stderr

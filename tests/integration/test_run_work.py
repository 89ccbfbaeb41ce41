"""A Work that is served by itself: where, to whom, and what it says (issue: Serve)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import textwrap

import pytest
from followers import following
from served_works import HERE, SMALL, serving, start

from lightning_grpc.errors import ConfigurationError, ProtocolError, TransportError
from lightning_grpc.wire.client import WorkChannel
from lightning_grpc.worker.standing import MAX_FINISHED_CALLS

DEADLINE_S = 40


@contextlib.asynccontextmanager
async def connected(served, work="", token=None):
    channel = WorkChannel(served.address, served.name, token, work=work)
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield channel
    finally:
        await channel.close()


def failed(*arguments, cwd=None):
    """Run the command, which shall fail; returns its exit code and what it said."""
    process = start(*arguments, cwd=cwd, env={"COLUMNS": "1000"})
    out, err = process.communicate(timeout=DEADLINE_S)
    assert out == ""
    return process.returncode, " ".join(err.split())


# What it says of itself, and where.


def test_a_work_is_served_where_its_line_of_json_says():
    async def check(served):
        async with connected(served) as channel:
            description = await channel.describe()
            assert (description.name, description.epoch) == ("Counter", served.epoch)
            assert description.documentation == "Counts up to a number."
            assert description.implementation.startswith("lightning_grpc ")
            assert not description.receives_updates
            assert (description.protocol_version.major, description.protocol_version.minor) == (1, 1)

    with serving(f"{SMALL}:Counter") as served:
        assert served.pid == served.process.pid
        assert served.works == [{"name": "Counter", "class": "Counter", "epoch": served.epoch}]
        asyncio.run(check(served))
        served.terminate()
        assert served.wait() == 0
        assert (served.out, served.err) == ("", "")


def test_the_line_of_json_of_one_work_has_its_name_and_epoch():
    process = start(f"{SMALL}:Counter", "--port", "0", "--json", "--name", "tally")
    try:
        told = json.loads(process.stdout.readline())
        assert told.keys() == {"schema", "address", "works", "pid", "name", "epoch"}
        assert (told["name"], told["epoch"]) == ("tally", told["works"][0]["epoch"])
        assert told["address"].startswith("127.0.0.1:")
        assert not told["address"].endswith(":0")
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE_S)


def test_without_json_the_port_that_was_picked_is_told_in_words():
    process = start(f"{SMALL}:Counter", "--port", "0")
    try:
        name, _, address = process.stdout.readline().strip().partition(": serving at ")
        assert name == "Counter"
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=DEADLINE_S):
            pass
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE_S)


def test_a_work_is_found_in_a_module_of_the_working_directory():
    with serving("small_work:Counter", "--args", '{"counter": 3}', cwd=HERE) as served:
        assert served.name == "Counter"


# A socket of its own.


def test_a_unix_socket_is_private_and_gone_afterwards(tmp_path):
    path = tmp_path / "w.sock"

    async def check(served):
        async with connected(served) as channel:
            assert (await channel.describe()).name == "Counter"

    with serving(f"{SMALL}:Counter", "--bind", f"unix:{path}") as served:
        assert served.address == f"unix:{path}"
        assert path.stat().st_mode & 0o777 == 0o600
        asyncio.run(check(served))
        served.terminate()
        assert served.wait() == 0
        assert not path.exists()


def test_the_socket_of_a_dead_server_is_replaced_and_that_of_a_living_one_is_not(tmp_path):
    bind = f"unix:{tmp_path}/w.sock"

    async def check(served):
        async with connected(served) as channel:
            assert (await channel.describe()).epoch == served.epoch

    with serving(f"{SMALL}:Counter", "--bind", bind) as first:
        first.kill()
        assert (tmp_path / "w.sock").is_socket()
        with serving(f"{SMALL}:Counter", "--bind", bind) as second:
            code, words = failed(f"{SMALL}:Counter", "--bind", bind)
            assert code == 1
            assert f"another server listens on {tmp_path}/w.sock" in words
            asyncio.run(check(second))


def test_a_socket_takes_no_file_that_is_something_else(tmp_path):
    (tmp_path / "notes").write_text("dear")
    for path, words in (("notes", "is no socket"), ("none/w.sock", "does not exist; make it first")):
        code, said = failed(f"{SMALL}:Counter", "--bind", f"unix:{tmp_path / path}")
        assert code == 1
        assert words in said
    code, said = failed(f"{SMALL}:Counter", "--bind", f"unix:{tmp_path / ('x' * 120)}")
    assert code == 1
    assert "may have 107 bytes" in said
    assert (tmp_path / "notes").read_text() == "dear"


def test_a_port_that_is_taken_is_refused_with_words():
    with serving(f"{SMALL}:Counter") as served:
        code, words = failed(f"{SMALL}:Counter", "--bind", served.address)
        assert code == 1
        assert f"cannot listen on {served.address}" in words


# Who may call.


def test_a_token_from_a_file_is_needed_by_every_call(tmp_path):
    file = tmp_path / "token"
    file.write_text("a-secret\n")
    file.chmod(0o600)

    async def check(served):
        async with connected(served) as stranger:
            with pytest.raises(ConfigurationError, match="token"):
                await stranger.describe()
        async with connected(served, token="a-secret") as channel:
            assert (await channel.describe()).name == "Counter"

    with serving(f"{SMALL}:Counter", "--token-file", file) as served:
        asyncio.run(check(served))
        assert "a-secret" not in " ".join(served.process.args)


def test_beyond_loopback_nothing_is_served_in_plain_text():
    code, words = failed(f"{SMALL}:Counter", "--bind", "0.0.0.0:0")
    assert code == 1
    assert "Two ways to go on" in words


def test_a_call_may_name_the_only_work_and_no_other():
    async def check(served):
        async with connected(served, "Counter") as channel:
            assert (await channel.describe()).name == "Counter"
        async with connected(served, "Other") as channel:
            for call in (channel.describe(), anext(channel.state_delta(0, 0))):
                with pytest.raises(ProtocolError, match=r"no Work called 'Other' here.*Counter \(NOT_FOUND\)"):
                    await call

    with serving(f"{SMALL}:Counter") as served:
        asyncio.run(check(served))


# What it names.


def test_the_last_lines_of_a_script_are_not_run(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "queue.py").write_text(  # a name that one of Python's own modules has
        textwrap.dedent(
            """
            import lightning_grpc as L

            class Work(L.LightningWork):
                def run(self):
                    pass

            if __name__ == "__main__":
                raise SystemExit("it was run as a script")
            """
        )
    )
    with serving("sub/queue.py:Work", cwd=tmp_path) as served:
        assert served.name == "Work"


# Several callers.


def test_runs_of_several_callers_are_done_in_their_order_and_each_sees_whose_they_are():
    async def check(served):
        async with (
            connected(served) as ada,
            connected(served) as grace,
            following(ada, served.epoch) as at_ada,
            following(grace, served.epoch) as at_grace,
        ):
            await ada.run("1", "run:1", (2_000_000,), {}, {}, caller="ada")
            for number in range(2, 8):
                channel, caller = ((ada, "ada"), (grace, "grace"))[number % 2]
                await channel.run(f"{number}", f"run:{number}", (1,), {}, {}, caller=caller)
            for follower in (at_ada, at_grace):
                await follower.until(lambda f: f.stage("run:7") == "succeeded")
                calls = follower.document["calls"]
                begun = [calls[f"run:{number}"]["statuses"][1]["timestamp"] for number in range(1, 8)]
                assert begun == sorted(begun)
                callers = [calls[f"run:{number}"]["caller"] for number in range(1, 8)]
                assert callers == ["ada", "ada", "grace", "ada", "grace", "ada", "grace"]
                assert follower.vars["counter"] == 2_000_006

    with serving(f"{SMALL}:Counter") as served:
        asyncio.run(check(served))


def test_a_run_is_told_how_it_ended_even_when_its_entry_tells_of_a_later_one():
    async def check(served):
        async with connected(served) as channel, following(channel, served.epoch) as follower:
            await channel.run("1", "run:same", ("first",), {}, {}, caller="ada")
            await channel.run("1", "run:same", ("second",), {}, {}, caller="grace")  # the same id, of somebody else
            await follower.until(lambda f: "second" in str(f.document["calls"].get("run:same", {}).get("statuses")))
            for caller, reason in (("ada", "first"), ("grace", "second")):
                answer = await channel.run("1", "run:same", (reason,), {}, {}, caller=caller)
                assert answer.already_known
                assert answer.final_status["stage"] == "failed"
                assert f"ValueError: {reason}" in answer.final_status["message"]
            assert follower.vars["before"] == 2

    with serving(f"{SMALL}:Failing") as served:
        asyncio.run(check(served))
        served.terminate()
        assert served.wait() == 0
        for caller, reason in (("ada", "first"), ("grace", "second")):
            assert f"ERROR: Failing: run has failed (call run:same, asked for by {caller}): Traceback" in served.err
            assert f"ValueError: {reason}\n" in served.err


def test_runs_that_wait_do_not_fill_the_memory_and_are_let_in_again_when_there_is_room():
    large = "x" * (50 << 20)

    async def check(served):
        async with connected(served) as channel, following(channel, served.epoch) as follower:
            await channel.run("1", "run:1", (), {}, {})
            await follower.until(lambda f: f.vars["entered"] == 1)
            for number in (2, 3):
                await channel.run(f"{number}", f"run:{number}", (large,), {}, {}, deadline_s=DEADLINE_S)
            with pytest.raises(
                TransportError, match="too many calls of Waiting are waiting, or too large ones"
            ) as info:
                await channel.run("4", "run:4", (large,), {}, {}, deadline_s=DEADLINE_S)
            assert info.value.is_refusal
            await channel.run("5", "run:5", (), {}, {})
            await channel.update({"stop": (True, follower.revision)})
            await follower.until(lambda f: f.stage("run:5") == "succeeded")
            assert not (await channel.run("4", "run:4", (large,), {}, {}, deadline_s=DEADLINE_S)).already_known
            await follower.until(lambda f: f.stage("run:4") == "failed")  # its run takes no arguments
            assert [f"run:{number}" in follower.document["calls"] for number in range(1, 6)] == [True] * 5

    with serving(f"{SMALL}:Waiting") as served:
        asyncio.run(check(served))


def test_entries_that_are_over_do_not_pile_up():
    async def check(served):
        async with connected(served) as channel, following(channel, served.epoch) as follower:
            last = MAX_FINISHED_CALLS + 100
            for number in range(last + 1):
                await channel.run(f"{number}", f"run:{number}", (), {}, {})
            await follower.until(lambda f: f.stage(f"run:{last}") == "succeeded")
            kept = {key for key in follower.document["calls"] if key.startswith("run:")}
            assert kept == {f"run:{number}" for number in range(101, last + 1)}
            assert follower.stage("start") == "started"
            assert follower.vars["counter"] == last + 1

    with serving(f"{SMALL}:Counter") as served:
        asyncio.run(check(served))


# From Python.


SCRIPT = """
import signal, sys, threading
sys.path.insert(0, {folder!r})
from small_work import Counter
from lightning_grpc import serve
from lightning_grpc.errors import ConfigurationError

if __name__ == "__main__":
    try:
        threads = [threading.Thread(target=lambda: serve(Counter()))]
        threading.excepthook = lambda given: print(given.exc_type.__name__, flush=True)
        threads[0].start()
        threads[0].join()
        before = signal.getsignal(signal.SIGTERM)
        for _ in range(2):
            serve(Counter(), bind="127.0.0.1:0", name="tally", ready=lambda served: print(served.address, flush=True))
            assert signal.getsignal(signal.SIGTERM) == before
            print("ended", flush=True)
    except ConfigurationError as error:
        print("refused:", error)
"""


def test_serve_returns_when_the_process_was_asked_to_end(tmp_path):
    file = tmp_path / "served.py"
    file.write_text(SCRIPT.format(folder=str(HERE)))
    process = subprocess.Popen([sys.executable, str(file)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ConfigurationError\n"  # not on the main thread
        for signum in (signal.SIGTERM, signal.SIGINT):
            assert process.stdout.readline().startswith("127.0.0.1:")
            process.send_signal(signum)
            assert process.stdout.readline() == "ended\n"
        assert process.wait(DEADLINE_S) == 0
    finally:
        process.kill()
        process.communicate()

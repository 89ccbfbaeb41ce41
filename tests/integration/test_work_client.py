"""`WorkClient` and `AsyncWorkClient` as users use them: Works served by the command, each in a process of its own."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import pytest
from scripted_work import meant, scripted
from served_works import SMALL, serving

import lightning_grpc as L
from lightning_grpc.errors import (
    ConfigurationError,
    InvalidValueError,
    NoAnswerError,
    ProtocolError,
    TransportError,
    WorkFailedError,
)

DEADLINE_S = 40


@pytest.fixture(scope="module")
def keeper():
    """A Keeper that many tests call; none ends it, and each looks only at what is its own."""
    with serving(f"{SMALL}:Keeper") as served:
        yield served


@pytest.fixture
def directory():
    path = tempfile.mkdtemp(prefix="lg-", dir="/tmp")
    yield path
    shutil.rmtree(path, ignore_errors=True)


def test_a_work_tells_who_it_is(keeper):
    with L.WorkClient(keeper.address) as work:
        told = work.describe()
    assert (told.name, told.class_name, told.epoch) == ("Keeper", "Keeper", keeper.epoch)
    assert set(told.attributes) == {"runs", "kept"}
    assert told.attributes["runs"] == "int"
    assert told.run_signature == "(n=1, fail=False)"
    assert told.protocol_version.startswith("1.")
    assert told.documentation.startswith("Has all that a check needs")
    assert told.implementation.startswith("lightning_grpc ")
    assert told.receives_updates is False
    with pytest.raises(AttributeError):
        told.name = "another"


def test_a_run_is_made_and_its_end_is_waited_for(keeper):
    with L.WorkClient(keeper.address, caller="the test") as work:
        before = work.state["vars"]["runs"]
        execution = work.run(5)
        assert execution.wait(DEADLINE_S).stage == "succeeded"
        assert execution.is_over
        assert execution.status.stage == "succeeded"
        assert work.state["vars"]["runs"] == before + 5
        entry = work.state["calls"][execution.call_hash]
        assert (entry["call_id"], entry["caller"]) == (execution.call_id, "the test")


def test_a_run_that_fails_raises_the_works_own_traceback(keeper):
    with L.WorkClient(keeper.address) as work:
        execution = work.run(fail=True)
        with pytest.raises(WorkFailedError, match="failed with ValueError") as failed:
            execution.wait(DEADLINE_S)
        assert failed.value.remote_type == "ValueError"
        assert failed.value.reason == "user_exception"
        assert 'raise ValueError("as asked")' in failed.value.remote_traceback
        assert execution.status.stage == "failed"
        work.wait(DEADLINE_S)  # the failure is not raised again


def test_one_of_several_works_at_an_address_is_called_by_its_name():
    with serving(None, "--work", f"{SMALL}:Keeper", "--work", f"{SMALL}:Counter") as served:
        with L.WorkClient(f"{served.address}#Keeper") as one, L.WorkClient(served.address, work="Counter") as other:
            assert (one.describe().name, other.describe().name) == ("Keeper", "Counter")
            assert one.run(2).wait(DEADLINE_S).stage == other.run(3).wait(DEADLINE_S).stage == "succeeded"
            assert (one.state["vars"]["runs"], other.state["vars"]["counter"]) == (2, 3)
        for address in (served.address, f"{served.address}#nobody"):
            with pytest.raises(ProtocolError, match=r"Keeper, Counter.*ADDRESS#NAME"):
                L.WorkClient(address).describe()


def test_executions_of_the_same_call_are_each_waited_for_though_the_entry_tells_of_the_last(keeper):
    with L.WorkClient(keeper.address) as one, L.WorkClient(keeper.address) as other:
        before = one.state["vars"]["runs"]
        executions = [client.run(1) for _ in range(10) for client in (one, other)]
        assert len({each.call_id for each in executions}) == 20
        assert len({each.call_hash for each in executions}) == 1
        assert [each.wait(DEADLINE_S).stage for each in executions] == ["succeeded"] * 20
        assert one.state["vars"]["runs"] == before + 20


def test_an_execution_that_was_overtaken_by_a_failed_one_of_another_client_has_succeeded_all_the_same():
    with serving(f"{SMALL}:Counter") as served, L.WorkClient(served.address) as work:
        slow, ends = work.run(300, pause_s=0.001), work.run(1)
        work.run(2)
        assert work.run(1).wait(DEADLINE_S).stage == "succeeded"
        assert ends.wait(DEADLINE_S).stage == "succeeded"
        assert slow.wait(DEADLINE_S).stage == "succeeded"


def test_a_wait_that_takes_too_long_is_told_and_the_execution_goes_on():
    with serving(f"{SMALL}:Waiting") as served, L.WorkClient(served.address) as work:
        execution = work.run()
        with pytest.raises(NoAnswerError, match="goes on"):
            execution.wait(0.2)
        with pytest.raises(TimeoutError, match="not idle within"):
            work.wait(0.2)
        assert execution.status.stage in ("pending", "running")
        work.update(stop=True)
        assert execution.wait(DEADLINE_S).stage == "succeeded"
        work.wait(DEADLINE_S)


def test_a_watch_yields_every_revision_and_what_changed(keeper):
    with L.WorkClient(keeper.address) as work:
        changes = work.watch()
        first = next(changes)
        assert (first.epoch, first.changes) == (keeper.epoch, {})
        execution = work.run(7)
        seen = [first]
        while (
            seen[-1].state["calls"].get(execution.call_hash, {"statuses": [{"stage": ""}]})["statuses"][-1]["stage"]
            != "succeeded"
        ):
            seen.append(next(changes))
        assert [each.revision for each in seen] == list(range(first.revision, first.revision + len(seen)))
        runs = first.state["vars"]["runs"] + 7
        assert any(
            each.changes.get("values_changed", {}).get("root['vars']['runs']") == {"new_value": runs} for each in seen
        )
        assert seen[-1].state == work.state
        assert first.state["vars"]["runs"] == runs - 7  # what was yielded stays as it was


def test_a_client_knows_how_long_ago_it_heard_the_work_on_a_stream(keeper):
    with L.WorkClient(keeper.address) as work:
        work.describe()
        assert work.silent_s is None
        began_s = time.monotonic()
        changes = work.watch()
        next(changes)
        first_s = work.silent_s
        assert 0 <= first_s <= time.monotonic() - began_s
        changes.close()
        assert work.silent_s > first_s


def test_a_watch_that_has_shown_the_end_of_an_execution_can_be_left_for_it_is_over(keeper):
    for _ in range(20):
        with L.WorkClient(keeper.address) as work:
            execution = work.run(1)
            for _ in work.watch():
                if execution.is_over:
                    break
            assert execution.status.stage == "succeeded"


def test_an_update_is_assigned_and_one_that_makes_no_sense_is_refused():
    with (
        serving(f"{SMALL}:Echo") as served,
        L.WorkClient(served.address) as work,
        L.WorkClient(served.address) as other,
    ):
        assert other.state["vars"]["args"] == []  # from here on the other follows
        answer = work.update(args=[1, 2], kwargs={"a": (1,)})
        assert answer.conflicts == {}
        work.run("x").wait(DEADLINE_S)
        assert work.state["vars"]["args"] == ["x"]
        with pytest.raises(InvalidValueError):
            work.update(args={1, 2})
        with pytest.raises(ProtocolError, match="nothing_like_this"):
            work.update(nothing_like_this=1)


def test_a_work_that_takes_no_updates_says_so(keeper):
    with L.WorkClient(keeper.address) as work, pytest.raises(ProtocolError, match="receive_updates"):
        work.update(kept=1)


def test_what_a_work_prints_is_read(tmp_path):
    (tmp_path / "talker.py").write_text(
        "import lightning_grpc as L\n"
        "class Talker(L.LightningWork):\n"
        "    def run(self):\n"
        "        print('hello', flush=True)\n"
    )
    with serving(f"{tmp_path}/talker.py:Talker") as served, L.WorkClient(served.address) as work:
        lines = work.logs(follow=True)
        work.run().wait(DEADLINE_S)
        line = next(lines)
        assert (line.kind, line.text) == ("stdout", "hello")
        lines.close()
        assert [each.text for each in work.logs(tail=10)] == ["hello"]
        with pytest.raises(ConfigurationError, match="tail"):
            next(work.logs(tail=-1))


def test_stop_interrupts_the_run_and_ends_the_watch_and_the_process():
    with serving(f"{SMALL}:Waiting") as served, L.WorkClient(served.address) as work:
        execution = work.run()
        changes = work.watch(patience_s=1)  # so long is another process waited for when this one has ended
        while next(changes).state["vars"]["entered"] == 0:
            pass
        work.stop(reason="the test is over")
        last = list(changes)[-1]
        assert last.state["calls"][execution.call_hash]["statuses"][-1]["stage"] == "stopped"
        assert execution.status.stage == "stopped"
        with pytest.raises(WorkFailedError, match=r"interrupted: .*the test is over"):
            execution.wait(DEADLINE_S)
        assert served.wait() == 0
        with pytest.raises(TransportError):
            work.describe()


def test_the_token_is_read_from_its_file_and_a_wrong_one_is_refused(tmp_path):
    token_file = tmp_path / "token"
    token_file.write_text("a-token-that-is-long-enough-0123456789\n")
    token_file.chmod(0o600)
    with serving(f"{SMALL}:Counter", "--token-file", token_file) as served:
        with L.WorkClient(served.address, token_file=token_file) as work:
            assert work.run(2).wait(DEADLINE_S).stage == "succeeded"
            assert next(work.watch()).state["vars"]["counter"] == 2
        for wrong in (None, "wrong"):
            with pytest.raises(ConfigurationError, match="token"), L.WorkClient(served.address, token=wrong):
                pass
            client = L.WorkClient(served.address, token=wrong)
            with pytest.raises(ConfigurationError, match="token"):
                next(client.watch())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"address": "nonsense"}, "no address"),
        ({"address": "127.0.0.1:1#a", "work": "b"}, "names the Work 'a'"),
        ({"address": "127.0.0.1:1", "token": "a", "token_file": "/nothing"}, "not both"),
        ({"address": "127.0.0.1:1", "token_file": "/nothing"}, "cannot be read"),
        ({"address": "127.0.0.1:1", "timeout_s": 0}, "above 0"),
        ({"address": "127.0.0.1:1", "tls_cert": "/nothing"}, "go together"),
    ],
)
def test_options_that_make_no_sense_are_told(options, words):
    with pytest.raises(ConfigurationError, match=words):
        L.WorkClient(**options)


def test_a_token_is_not_sent_in_plain_text_to_another_machine():
    client = L.WorkClient("192.0.2.1:50051", token="secret-token")
    with pytest.raises(ConfigurationError, match="TLS") as refused:
        client.describe()
    assert "secret-token" not in str(refused.value)


def test_a_work_that_is_not_there_is_told_in_time(directory):
    client = L.WorkClient(f"unix:{directory}/nothing.sock", timeout_s=0.5)
    for use in (client.describe, client.run, lambda: client.state, lambda: next(client.watch()), client.wait):
        with pytest.raises(TransportError, match=r"nothing\.sock"):
            use()


def test_an_argument_that_cannot_be_sent_is_told_and_nothing_is_asked(keeper):
    with L.WorkClient(keeper.address) as work:
        with pytest.raises(InvalidValueError, match="argument 0"):
            work.run({1, 2})
        with pytest.raises(InvalidValueError, match="argument n"):
            work.run(n=object())


def test_a_closed_client_says_so_and_may_be_closed_again(keeper):
    work = L.WorkClient(keeper.address)
    execution = work.run(1)
    execution.wait(DEADLINE_S)
    work.close()
    work.close()
    for use in (work.describe, work.run, lambda: work.state, work.watch, work.logs, work.wait, work.stop):
        with pytest.raises(ConfigurationError, match="closed"):
            use()
    assert execution.is_over


FORKED = """
import os, sys
import lightning_grpc as L
from lightning_grpc.errors import ConfigurationError
work = L.WorkClient(sys.argv[1])
work.run(1).wait(30)
pid = os.fork()
if pid == 0:
    try:
        work.describe()
    except ConfigurationError as error:
        print(error, flush=True)
        os._exit(7)
    os._exit(1)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert work.run(1).wait(30).stage == "succeeded"
sys.exit(code)
"""


def test_a_client_says_in_a_forked_process_that_it_is_of_another_one(keeper):
    done = subprocess.run(
        [sys.executable, "-c", FORKED, keeper.address], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stderr) == (7, "")
    assert "does not survive a fork" in done.stdout


INTERRUPTED = """
import signal, sys, threading
import lightning_grpc as L
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
work = L.WorkClient(sys.argv[1])
execution = work.run()
changes = work.watch()
while next(changes).state["vars"]["entered"] == 0:
    pass
if sys.argv[2] == "deaf":  # the system hands the signal to another thread, and does not wake this one
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Timer(0.5, lambda: print("ready", flush=True)).start()  # when it is asleep
else:
    print("ready", flush=True)
if sys.argv[2] == "watch":
    for change in changes:
        pass
elif sys.argv[2] in ("wait", "deaf"):
    execution.wait()
elif sys.argv[2] == "idle":
    work.wait()
"""


@pytest.fixture(scope="module")
def waiting():
    with serving(f"{SMALL}:Waiting") as served:
        yield served


@pytest.mark.parametrize("what", ["watch", "wait", "deaf", "idle", "leave"])
def test_ctrl_c_ends_what_waits_at_once_and_a_program_may_leave_it_open(waiting, what):
    command = [sys.executable, "-c", INTERRUPTED, waiting.address, what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout.readline() == "ready\n"
        if what != "leave":
            program.send_signal(signal.SIGINT)
        try:
            errors = program.communicate(timeout=30)[1]
        finally:
            program.kill()
    if what == "leave":
        assert (program.returncode, errors) == (0, "")
    else:
        assert program.returncode == (130 if what == "deaf" else -signal.SIGINT)  # which a deaf thread does not end by
        assert errors.rstrip().endswith("KeyboardInterrupt")


def test_many_threads_use_one_client_and_all_clients_one_thread(keeper):
    with L.WorkClient(keeper.address) as work, L.WorkClient(keeper.address) as other:
        before = work.state["vars"]["runs"]
        stages = []
        threads = [
            threading.Thread(target=lambda client=client: stages.append(client.run(1).wait(DEADLINE_S).stage))
            for client in (work, other) * 5
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
        assert stages == ["succeeded"] * 10
        assert work.state["vars"]["runs"] == before + 10
        assert [each.name for each in threading.enumerate()].count("lightning-grpc-client") == 1


def test_the_asynchronous_client_does_the_same(keeper):
    async def use():
        async with asyncio.timeout(DEADLINE_S), L.AsyncWorkClient(keeper.address) as work:
            before = (await work.state())["vars"]["runs"]
            executions = [await work.run(1) for _ in range(3)]
            assert [(await each.wait()).stage for each in executions] == ["succeeded"] * 3
            assert (await executions[0].status()).stage == "succeeded"
            await work.wait()
            assert (await work.state())["vars"]["runs"] == before + 3
            async for change in work.watch():
                assert change.state["vars"]["runs"] == before + 3
                break

    asyncio.run(use())


@pytest.fixture(autouse=True)
def nobody_is_meant_yet():
    meant.clear()


def against(directory, wrong, use):
    async def run():
        async with (
            asyncio.timeout(DEADLINE_S),
            scripted(directory, wrong) as address,
            L.AsyncWorkClient(address, timeout_s=DEADLINE_S) as work,
        ):
            return await use(work)

    return asyncio.run(run())


def test_a_work_that_is_not_written_with_this_package_is_used_like_any_other(directory):
    async def use(work):
        first, second = await work.run(1), await work.run(1)
        assert (await second.wait()).stage == (await first.wait()).stage == "succeeded"
        with pytest.raises(WorkFailedError, match="as asked"):
            await (await work.run(fail=True)).wait()
        assert (await work.state())["vars"]["count"] == 3

    against(directory, "", use)


@pytest.mark.parametrize(("address", "work"), [("#trainer", ""), ("", "trainer"), ("#trainer", "trainer"), ("", "")])
def test_the_name_of_a_work_among_several_stands_in_the_address_or_beside_it(directory, address, work):
    async def use():
        async with asyncio.timeout(DEADLINE_S), scripted(directory) as where:
            async with L.AsyncWorkClient(where + address, work=work) as client:
                await (await client.run()).wait()
                assert client.name.startswith("trainer at unix:" if address or work else "the Work at unix:")
            return client.address == where

    assert asyncio.run(use())
    assert meant == ({"trainer"} if address or work else {None})


def test_a_state_whose_digests_are_wrong_is_not_believed(directory):
    async def use(work):
        with pytest.raises(ProtocolError, match="digest"):
            async for _ in work.watch():
                pass

    against(directory, "tells wrong digests", use)


def test_a_work_that_speaks_another_major_version_is_refused(directory):
    with pytest.raises(ProtocolError, match=r"speaks protocol 2\.1, this side 1\."):
        against(directory, "speaks protocol 2", lambda work: work.describe())


def test_an_end_that_the_work_does_not_tell_any_more_is_not_waited_for_for_ever(directory):
    async def use(work):
        first = await work.run(1)
        await (await work.run(1)).wait()
        first._final, first._last = None, {"stage": "running", "timestamp": 0.0}  # as if its end had gone by unseen
        with pytest.raises(ProtocolError, match="does not tell any more"):
            await first.wait()

    against(directory, "tells no final status", use)


def test_a_request_that_is_known_already_is_answered_with_its_end(directory):
    async def use(work):
        first = await work.run(1)
        await first.wait()
        again = await work.ask_again(first._request, first.epoch, 5)
        assert again.already_known
        assert again.final_status["stage"] == "succeeded"
        assert await work.ask_again(first._request, first.epoch + 1, 5) is None

    against(directory, "", use)


def test_importing_the_clients_starts_nothing():
    code = "import os, threading, lightning_grpc as L; L.WorkClient('127.0.0.1:1'); print(threading.active_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout.strip() == "1"

"""What a process prints is kept line by line, in bounds, and read at any pace."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys

from lightning_grpc.worker import output
from lightning_grpc.worker.output import MAX_LINE, MAX_LINES, OutputLog

DEADLINE_S = 30


def texts(log, tail=MAX_LINES):
    async def read():
        found, left_out = [], 0
        async with contextlib.aclosing(log.read(tail, follow=False)) as batches:
            async for lines, dropped in batches:
                found += [line.text for line in lines]
                left_out += dropped
        return found, left_out

    return asyncio.run(read())


def test_a_line_is_kept_when_its_end_has_come_and_streams_do_not_mix():
    log = OutputLog("root.w")
    log.feed("stdout", "one\ntw")
    log.feed("stderr", "oh\n")
    log.feed("stdout", "o\n\n")
    assert texts(log) == (["one", "oh", "two", ""], 0)
    assert texts(log, tail=2) == (["two", ""], 0)


def test_what_has_no_end_is_kept_when_the_process_ends():
    log = OutputLog("root.w")
    log.feed("stdout", "last words")
    log.close()
    assert texts(log) == (["last words"], 0)


def test_a_long_line_is_cut_and_nothing_of_it_is_lost():
    log = OutputLog("root.w")
    log.feed("stdout", "x" * (2 * MAX_LINE + 5) + "\n")
    found, _ = texts(log)
    assert "".join(found) == "x" * (2 * MAX_LINE + 5)
    assert max(map(len, found)) == MAX_LINE


def test_only_the_newest_lines_are_kept():
    log = OutputLog("root.w")
    log.feed("stdout", "".join(f"{i}\n" for i in range(MAX_LINES + 100)))
    found, _ = texts(log, tail=10 * MAX_LINES)
    assert found == [str(i) for i in range(100, MAX_LINES + 100)]


def test_a_surrogate_does_not_break_the_log():
    log = OutputLog("root.w")
    log.feed("stdout", "a\udc80b\n")
    assert texts(log) == (["a?b"], 0)


def test_a_reader_that_follows_gets_what_comes_until_the_log_is_closed():
    async def check():
        log = OutputLog("root.w")
        log.feed("stdout", "before\nshown\n")
        found = []
        async with asyncio.timeout(DEADLINE_S), contextlib.aclosing(log.read(1, follow=True)) as batches:
            async for lines, _ in batches:
                found += [line.text for line in lines]
                if len(found) == 1:
                    await asyncio.to_thread(log.feed, "stdout", "next\n")
                elif len(found) == 2:
                    log.close()
        return found

    assert asyncio.run(check()) == ["shown", "next"]


def test_a_reader_that_is_too_slow_is_told_how_much_it_has_missed():
    async def check():
        log = OutputLog("root.w")
        log.feed("stdout", "".join(f"{i}\n" for i in range(output._BATCH + 1)))
        batches = log.read(MAX_LINES, follow=True)
        async with asyncio.timeout(DEADLINE_S), contextlib.aclosing(batches):
            first, dropped = await anext(batches)
            assert (len(first), dropped) == (output._BATCH, 0)
            log.feed("stdout", "".join(f"{i}\n" for i in range(MAX_LINES + 7)))
            second, dropped = await anext(batches)
            assert (second[0].text, dropped) == ("7", 8)

    asyncio.run(check())


def test_what_is_printed_while_capturing_goes_where_it_went_before_and_is_kept(capsys):
    log = OutputLog("root.w")
    before = sys.stdout
    with log.capturing():
        print("seen")
        print("error", file=sys.stderr)
        assert sys.stdout.isatty() is before.isatty()
    print("not kept")
    assert sys.stdout is before
    assert texts(log) == (["seen", "error"], 0)
    assert capsys.readouterr() == ("seen\nnot kept\n", "error\n")


def test_printing_while_the_same_thread_prints_waits_for_nothing():
    log = OutputLog("root.w")

    class Talkative(str):
        """Prints while it is being taken in, as a signal handler or a finalizer may."""

        __slots__ = ()

        def __radd__(self, before):
            log.feed("stdout", "in between\n")
            return before + str(self)

    log.feed("stdout", Talkative("outer\n"))
    assert sorted(texts(log)[0]) == ["in between", "outer"]


def test_a_signal_handler_may_print_while_the_program_does():
    log = OutputLog("root.w")
    heard = []

    def handle(signum, frame):
        print("signal")
        heard.append(signum)

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        with log.capturing(), contextlib.redirect_stdout(sys.stdout):
            for number in range(20_000):
                log.feed("stdout", f"{number}\n")
                if len(heard) > 20:
                    break
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert heard


FORKING = """
import os
from lightning_grpc.worker.output import OutputLog
log = OutputLog("root.w")
with log.capturing():
    log._lock.acquire()  # as by a thread that the child does not have
    child = os.fork()
    if child == 0:
        print("from the child", flush=True)
        os._exit(7 if not log._fed else 8)
    log._lock.release()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert log._log.revision == 0
"""


def test_a_forked_process_prints_without_waiting_for_threads_that_are_gone():
    ran = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "from the child\n", "")

"""Executes the Work's runs, one at a time, on the main thread of its process."""

from __future__ import annotations

import linecache
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from lightning_grpc.components.calls import LATEST, START, Entry, advanced, requested
from lightning_grpc.components.status import WorkFailureReasons, WorkStageStatus, WorkStopReasons, make_status
from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import InvalidReturnError
from lightning_grpc.state.cut import CALLS
from lightning_grpc.state.values import Value
from lightning_grpc.worker.publisher import Publisher

MAX_PENDING = 10_000
"""Executions that may wait for their turn."""
MAX_REMEMBERED = 100_000
"""Requests that are recognized when they are repeated."""


class WorkInterrupted(BaseException):
    """Leaves the user's code because the process was asked to end."""


@dataclass(frozen=True)
class RunOrder:
    """One execution that was asked for."""

    call_id: str
    call_hash: str
    args: tuple[Value, ...]
    kwargs: dict[str, Value]
    attributes: dict[str, Value] = field(default_factory=dict)
    requested_at_s: float = 0.0


class Runner:
    """Takes orders from any thread and carries them out on the thread that calls `work_off`.

    Ending: the first SIGTERM (which `request_stop` sends too) leaves the user's code by an exception, so that
    its ``finally`` blocks run; ``on_exit`` follows. Code that swallows the exception is interrupted once more
    by the next signal, which calls ``on_exit`` on the spot and ends the process.

    Threads: `submit` and `request_stop` on any thread; the rest on the main thread.
    """

    def __init__(self, work: LightningWork, publisher: Publisher) -> None:
        self._work = work
        self._publisher = publisher
        self._orders: queue.SimpleQueue[RunOrder | None] = queue.SimpleQueue()  # bounded by submit
        self._known: dict[str, None] = {}
        self._in_user_code = False
        self._stop_reason = ""
        self._stopping = False
        self._main_thread = threading.main_thread()
        self._on_exit_called = False
        self._start_failure: dict[str, Any] | None = None
        self.finish_now: Callable[[], None] = lambda: None

    def submit(self, order: RunOrder) -> bool:
        """Accept an order; returns whether it was known already.

        Raises:
            queue.Full: Too many are waiting.
        """
        if order.call_id in self._known:
            return True
        if self._orders.qsize() >= MAX_PENDING:
            raise queue.Full
        if len(self._known) >= MAX_REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[order.call_id] = None
        self._orders.put(order)
        return False

    @property
    def is_stopping(self) -> bool:
        """Whether the process was asked to end."""
        return self._stopping

    def request_stop(self, reason: str) -> None:
        """Make the main thread end its work soon."""
        self._stop_reason = self._stop_reason or reason
        signal.pthread_kill(self._main_thread.ident or 0, signal.SIGTERM)

    def handle_signal(self, signum: int, frame: FrameType | None) -> None:
        """Handle SIGTERM, on the main thread."""
        again, self._stopping = self._stopping, True
        self._orders.put(None)
        if not self._in_user_code:
            return  # what this package does here is short, and looks at _stopping next
        if not again:
            raise WorkInterrupted
        if not self._on_exit_called:
            self._call_on_exit()
            self.finish_now()

    def forget(self) -> None:
        """Make a process that the user's code has just forked off this one an ordinary process."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _hold_sigterm(False)
        self._work.__dict__.update(_watcher=None, _idle=False)

    def start(self) -> None:
        """Call the ``on_start`` hook and say in the state that the Work has started."""
        entry = requested("start", f"{self._publisher.epoch}", time.time())
        self._record(START, entry)
        status = self._attempt(self._work.on_start, WorkStageStatus.STARTED)
        if status["stage"] == WorkStageStatus.FAILED:
            self._start_failure = status
        self._record(START, advanced(entry, status), end=True)

    def work_off(self) -> None:
        """Execute orders until the process is asked to end, then call ``on_exit``."""
        while not self._stopping:
            order = self._orders.get()
            if order is not None and not self._stopping:
                self._execute(order)
        self._call_on_exit()

    def _execute(self, order: RunOrder) -> None:
        work = self._work
        before = work.__dict__[CALLS].get(order.call_hash)
        entry = requested("run", order.call_id, order.requested_at_s or time.time(), before)
        if self._start_failure is not None:
            self._record(order.call_hash, advanced(entry, {**self._start_failure, "timestamp": time.time()}), end=True)
            return
        entry = advanced(entry, make_status(WorkStageStatus.RUNNING, time.time()))

        def run() -> None:
            result = type(work).run(work, *order.args, **order.kwargs)
            if result is not None:
                raise InvalidReturnError(
                    f"{work._title()}: run() returned {result!r}; it shall return nothing. Put results into attributes."
                )

        try:
            for name, value in order.attributes.items():
                setattr(work, name, value)
        except Exception as error:
            status = make_status(WorkStageStatus.FAILED, time.time(), WorkFailureReasons.REFUSED, str(error))
            self._record(order.call_hash, advanced(entry, status), end=True)
            return
        self._record(order.call_hash, entry)
        self._publisher.set_running(True)
        status = self._attempt(run, WorkStageStatus.SUCCEEDED)
        self._publisher.set_running(False)
        self._record(order.call_hash, advanced(entry, status), end=True)

    def _record(self, key: str, entry: Entry, *, end: bool = False) -> None:
        """Put an entry into the state; the revision that shows its end also shows everything written before."""
        calls = {**self._work.__dict__[CALLS], key: entry, LATEST: key}
        if end:
            self._publisher.flush(exact=True, after=lambda: self._work._set_calls(calls))
        else:
            self._work._set_calls(calls)

    def _attempt(self, code: Callable[[], None], success: str) -> dict[str, Any]:
        """Run user code and return the status it ends with."""
        try:
            try:
                self._in_user_code = True
                if self._stopping:
                    raise WorkInterrupted
                code()
            finally:
                self._in_user_code = False
            problem = self._publisher.find_problem()
            if problem is not None:
                raise problem
        except WorkInterrupted:
            reason = WorkStopReasons.SIGTERM_SIGNAL_HANDLER
            return make_status(WorkStageStatus.STOPPED, time.time(), reason, self._stop_reason)
        except BaseException as error:
            return self._failure(error)
        return make_status(success, time.time())

    def _failure(self, error: BaseException) -> dict[str, Any]:
        reason = WorkFailureReasons.USER_EXCEPTION
        if isinstance(error, InvalidReturnError):
            reason = WorkFailureReasons.INVALID_RETURN_VALUE
        status = make_status(WorkStageStatus.FAILED, time.time(), reason, render_traceback(error))
        status["exception"] = type(error).__qualname__
        status["raised"] = False
        try:
            self._work.on_exception(error)
        except BaseException as raised:
            status["raised"] = True
            if raised is not error:
                status["message"] = render_traceback(raised)
                status["exception"] = type(raised).__qualname__
        return status

    def _call_on_exit(self) -> None:
        if self._on_exit_called:
            return
        self._on_exit_called = True
        try:
            self._work.on_exit()
        except BaseException:
            traceback.print_exc()


def render_traceback(error: BaseException) -> str:
    """Return an exception's traceback from the user's code on, as Python prints it."""
    here = os.path.dirname(os.path.abspath(__file__))
    step = error.__traceback__
    while step is not None and os.path.dirname(os.path.abspath(step.tb_frame.f_code.co_filename)) == here:
        step = step.tb_next
    linecache.checkcache()
    if step is None:  # raised by this package about the user's code, not by it
        text = "".join(traceback.format_exception_only(error))
    else:
        text = "".join(traceback.format_exception(type(error), error, step))
    return text.encode(errors="backslashreplace").decode()  # state holds no lone surrogates


def _hold_sigterm(hold: bool) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK if hold else signal.SIG_UNBLOCK, {signal.SIGTERM})


def install_signal_handler(runner: Runner) -> None:
    """Make SIGTERM end the process in order; on the main thread, before any user code runs."""
    signal.signal(signal.SIGTERM, runner.handle_signal)
    # A SIGTERM that reaches a forked process before it is an ordinary one must wait, or Python drops it.
    os.register_at_fork(
        before=lambda: _hold_sigterm(True),
        after_in_parent=lambda: _hold_sigterm(False),
        after_in_child=runner.forget,
    )
    sys.setswitchinterval(5e-5)  # the loop's thread gets its turn soon while the user's thread spins

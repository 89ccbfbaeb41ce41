"""Executes the Work's runs, one at a time, on the main thread of its process."""

from __future__ import annotations

import contextlib
import linecache
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any

from lightning_grpc.components.calls import LATEST, START, Calls, Entry, advanced, latest_entry, requested, stage_of
from lightning_grpc.components.status import (
    FINAL_STAGES,
    WorkFailureReasons,
    WorkStageStatus,
    WorkStopReasons,
    make_status,
)
from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import InvalidReturnError
from lightning_grpc.state.cut import CALLS
from lightning_grpc.wire import tracing
from lightning_grpc.worker.metrics import RunTally
from lightning_grpc.worker.order_queue import OrderQueue, RunOrder
from lightning_grpc.worker.publisher import Publisher
from lightning_grpc.worker.remembered import RememberedRuns
from lightning_grpc.worker.signal_wakeup import forget_wakeup
from lightning_grpc.worker.standing import StandaloneRules, report_failure


class WorkInterrupted(BaseException):
    """Leaves the user's code because the process was asked to end."""


class Runner:
    """Takes orders from any thread and carries them out on the thread that calls `work_off`.

    Ending: the first SIGTERM (which `request_stop` sends too) leaves the user's code by an exception, so that
    its ``finally`` blocks run; ``on_exit`` follows. Code that swallows the exception is interrupted once more
    by the next signal, which calls ``on_exit`` on the spot and ends the process. Draining comes before that, if
    at all: nothing new is begun, and what is under way goes on.

    Args:
        work: The Work.
        publisher: Owns its revisions.
        standalone: What is different for a Work without an app; None for one of an app.

    Attributes:
        remembered: The runs that were accepted.
        tally: Those that are over, counted.
        is_running: Whether one is under way.
        finish_now: Ends the process on the spot, from inside of the user's code.
        heard_signal: If given, called on the main thread for a signal that is not one of `request_stop`'s, instead of
            leaving the user's code.
        before_sleep: Called on the main thread before it waits for an order.

    Threads: `submit` on one thread, `drain` and `request_stop` on any; the rest on the main thread.
    """

    def __init__(self, work: LightningWork, publisher: Publisher, standalone: StandaloneRules | None = None) -> None:
        self._work = work
        self._publisher = publisher
        self._standalone = standalone
        self._orders = OrderQueue()
        self._finished: dict[str, None] = {}  # keys of the entries that are over, oldest first
        self._in_user_code = False
        self._stop_reason = ""
        self._stops_requested = self._stops_handled = 0
        self._draining = False
        self._stopping = False
        self._main_thread = threading.main_thread()
        self._on_exit_called = False
        self._start_failure: dict[str, Any] | None = None
        self.remembered = RememberedRuns()
        self.tally = RunTally()
        self.is_running = False
        self.finish_now: Callable[[], None] = lambda: None
        self.heard_signal: Callable[[], None] | None = None
        self.before_sleep: Callable[[], None] = lambda: None

    def submit(self, order: RunOrder) -> bool:
        """Accept an order; returns whether it was known already.

        Raises:
            queue.Full: Too many are waiting, or they are too large.
        """
        if order.identity in self.remembered:
            return True
        if not self._orders.has_room(order):
            raise queue.Full
        self.remembered.accept(order.identity)
        self._orders.put(order)
        return False

    @property
    def waiting(self) -> int:
        """How many orders wait for their turn."""
        return self._orders.waiting

    @property
    def is_stopping(self) -> bool:
        """Whether the process was asked to end, so that nothing new is begun."""
        return self._stopping or self._draining

    def drain(self) -> None:
        """Make the main thread end when the run under way is over; those that wait are not begun."""
        self._draining = True
        self.wake()

    def wake(self) -> None:
        """Make the main thread look around, if it waits for an order."""
        self._orders.wake()

    def request_stop(self, reason: str) -> None:
        """Make the main thread end its work soon."""
        self._stop_reason = self._stop_reason or reason
        self._stops_requested += 1
        signal.pthread_kill(self._main_thread.ident or 0, signal.SIGTERM)
        self.wake()

    def handle_signal(self, signum: int, frame: FrameType | None) -> None:
        """Handle a signal that asks the process to end, on the main thread."""
        is_ours, self._stops_handled = self._stops_handled < self._stops_requested, self._stops_requested
        if self.heard_signal is not None and not is_ours:
            self.heard_signal()
            return
        again, self._stopping = self._stopping, True
        self.wake()
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
        if self.heard_signal is not None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        forget_wakeup()
        self._work.__dict__["_watcher"] = None
        self._work._disarm()

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
        order: RunOrder | None = None
        while not self.is_stopping and self._stops_handled == self._stops_requested:
            self.before_sleep()
            order = self._orders.get()
            if order is not None and not self.is_stopping:
                self._execute(order)
                order = None
        if self._standalone is not None:
            self._turn_away(order)
        self._call_on_exit()

    def _execute(self, order: RunOrder) -> None:
        work = self._work
        entry = self._requested(order)
        if self._start_failure is not None:
            self._end(order, entry, {**self._start_failure, "timestamp": time.time()})
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
            self._end(
                order,
                entry,
                make_status(WorkStageStatus.FAILED, time.time(), WorkFailureReasons.REFUSED, str(error)),
            )
            return
        self._record(order.call_hash, entry)
        self._publisher.set_running(True)
        self.is_running = True
        with tracing.executing(work.name, order.call_id, order.call_hash, order.trace) as execution:
            status = self._attempt(run, WorkStageStatus.SUCCEEDED)
            execution.ended(status)
        self.is_running = False
        self._publisher.set_running(False)
        self._end(order, entry, status)

    def _turn_away(self, first: RunOrder | None) -> None:
        """Say of the orders that wait that they are not executed."""
        message = f"not executed: {self._work.name} was asked to end before its turn came"
        for order in [*([first] if first else []), *self._orders.take_all()]:
            status = make_status(WorkStageStatus.STOPPED, time.time(), WorkStopReasons.SIGTERM_SIGNAL_HANDLER, message)
            self._end(order, self._requested(order), status)

    def _requested(self, order: RunOrder) -> Entry:
        before = self._work.__dict__[CALLS].get(order.call_hash)
        at_s = order.requested_at_s or time.time()
        return requested("run", order.call_id, at_s, before, caller=order.caller)

    def _end(self, order: RunOrder, entry: Entry, status: dict[str, Any]) -> None:
        self.tally.note(entry, status)
        self._record(order.call_hash, advanced(entry, status), end=True, order=order)

    def _record(self, key: str, entry: Entry, *, end: bool = False, order: RunOrder | None = None) -> None:
        """Put an entry into the state; the revision that shows its end also shows everything written before."""
        before = self._work.__dict__[CALLS]
        known = before[LATEST] if key == START and stage_of(latest_entry(before)) in FINAL_STAGES else None
        calls = {**before, key: entry, LATEST: known or key}  # a start hides no outcome of an earlier process
        if not end:
            self._finished.pop(key, None)
            self._work._set_calls(calls)
            return
        if order is not None and self._standalone is not None:
            self._leave_out(calls, key, self._standalone.max_finished_calls)

        def show() -> None:
            self._work._set_calls(calls)
            if order is not None:
                self.remembered.ended(order.identity, entry["statuses"][-1])

        self._publisher.flush(exact=True, after=show)
        if self._standalone is not None:
            report_failure(self._work.name, key, entry)

    def _leave_out(self, calls: Calls, key: str, keep: int) -> None:
        """Leave out the oldest entries that are over, now that one more is."""
        self._finished.pop(key, None)
        self._finished[key] = None
        while len(self._finished) > keep:
            oldest = next(iter(self._finished))
            del self._finished[oldest], calls[oldest]

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


_hosted: list[Runner] = []
"""Whose signals this process handles; one at most."""


@contextlib.contextmanager
def handling_signals(runner: Runner, signums: Iterable[signal.Signals]) -> Iterator[None]:
    """Make signals end the process in order; on the main thread, before any user code runs."""
    handlers = {signum: signal.signal(signum, runner.handle_signal) for signum in signums}
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)  # the loop's thread gets its turn soon while the user's thread spins
    _hosted.append(runner)
    try:
        yield
    finally:
        _hosted.remove(runner)
        sys.setswitchinterval(interval_s)
        for signum, handler in handlers.items():
            signal.signal(signum, handler)


def _before_fork() -> None:
    if _hosted:
        _hold_sigterm(True)


def _after_fork() -> None:
    if _hosted:
        _hold_sigterm(False)


def _after_fork_in_child() -> None:
    if _hosted:
        _hosted[0].forget()
        _hold_sigterm(False)


# A SIGTERM that reaches a forked process before it is an ordinary one must wait, or Python drops it.
os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)

"""The run loop: takes events in, runs the root Flow, hands commands out; sleeps when there is nothing to do."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.components.status import AppStage
from lightning_grpc.coordinator.app_log import AppLog
from lightning_grpc.coordinator.events import Asked, EndRequested
from lightning_grpc.coordinator.inbox import Inbox
from lightning_grpc.coordinator.local_link import END_DEADLINE_S
from lightning_grpc.coordinator.metrics import FlowRuns, Metrics
from lightning_grpc.coordinator.record import Caller, WorkRecord
from lightning_grpc.coordinator.requests import Requests, told
from lightning_grpc.coordinator.supervisor import Guest, Supervisor
from lightning_grpc.coordinator.tick import Tick
from lightning_grpc.coordinator.watchdog import Watchdog
from lightning_grpc.errors import AppEndedError, FlowFailedError
from lightning_grpc.runtimes.base import Runtime
from lightning_grpc.signals import ExitAppException, FlowSuspended, LightningFlowException
from lightning_grpc.state.delta import Change
from lightning_grpc.state.values import Document
from lightning_grpc.wire.stream import StateStream

_log = logging.getLogger("lightning_grpc")

_FLOW_DEADLINE_S = 1.0  # for a Flow to let go of its run after the second signal
_LONGEST_SLEEP_S = 60.0  # while a wake-up by the wall clock is waited for
_SWITCH_INTERVAL_S = 5e-4  # the supervisor gets its turn soon while a Flow spins


class Coordinator:
    """Runs one app from its first tick to its end.

    Args:
        root: The root Flow.
        runtime: Where its Works are started.
        idle_interval_s: The root is run at least this often, so that Flows that look at the clock or at files
            make progress.
        on_stage: Told about every stage the app reaches.
        on_changes: Given the deltas of the app's document, before the run of the root that sees them, and after it.
        caller: Who calls, as Works that others call too are told.

    Attributes:
        log: The revisions of the app's document.
        requests: Where others ask for something.

    Threads: All on the thread that calls `run`; signals are handled if that is the main thread.
    """

    def __init__(
        self,
        root: LightningFlow,
        runtime: Runtime,
        *,
        idle_interval_s: float,
        on_stage: Callable[[AppStage], None],
        on_changes: Callable[[Sequence[list[Change]]], None],
        caller: Caller | None = None,
    ) -> None:
        self._root = root
        self._idle_interval_s = idle_interval_s
        self._on_stage = on_stage
        self._on_changes = on_changes
        self._inbox = Inbox()
        self._supervisor = Supervisor(runtime, self._inbox)
        self.requests = Requests(self._inbox)
        self.log = AppLog(self._take_document, self._supervisor.post)
        self._tick = Tick(root, runtime.pack, caller)
        self._tick.urge = self._send_commands
        self._watchdog = Watchdog()
        self._flow_runs = FlowRuns()
        self._next_run_s = 0.0
        self._in_flow = self._deaf = False
        self._signals = 0
        self._end_signal: int | None = None
        self._outcome: BaseException | None = None
        self._guests: list[Guest] = []

    def host(self, guest: Guest) -> None:
        """Have a guest live on the supervisor's loop from when the app has begun to its end; before `run`."""
        self._guests.append(guest)

    def run(self) -> None:
        """Run the app to its end.

        Raises:
            WorkFailedError: A Work failed that was to raise.
            RuntimeStartError: A Work's process could not be started.
            FlowFailedError: A Flow called ``fail()``.
            KeyboardInterrupt: Ctrl-C ended the app.
            SystemExit: SIGTERM ended it; the code is 143.
            Exception: What the root's ``run`` raised, as it was.
        """
        switch_interval_s = sys.getswitchinterval()
        sys.setswitchinterval(min(switch_interval_s, _SWITCH_INTERVAL_S))
        with self._handling_signals():
            try:
                self._supervisor.start(self._watchdog.look)
                self._begin()
                for guest in self._guests:
                    self._supervisor.receive(guest)
                while not self._iterate():
                    pass
                self._end()
            finally:
                self._supervisor.end_works()
                self._receive(0.0)
                self._flush()
                self.log.close()
                self.requests.close()
                self._supervisor.close()
                self._root.__dict__["_backend"] = None
                sys.setswitchinterval(switch_interval_s)
        if self._outcome is not None:
            raise self._outcome

    def _begin(self) -> None:
        self._tick.now = time.time()
        self._tick.cut()
        self._tick.take_changes()  # the document as it is when the app begins is no change
        self.log.begin()
        self._on_stage(AppStage.RUNNING)
        self._tick.start_with_flow()
        self._supervisor.carry_out(self._tick.take_commands())

    def _iterate(self) -> bool:
        """Take in what has happened, and run the root if there is reason to; returns whether the app is over."""
        wait_s = 0.0 if self._tick.changed else self._sleep_s()
        try:
            self._receive(wait_s)
        except Exception as error:
            self._finish(AppStage.FAILED, error)
        if self._is_over():
            return True
        self._flush()  # what Works have done is told, and kept, however long the run takes that follows
        if self._is_over():
            return True
        if self._tick.changed or time.monotonic() >= self._next_run_s:
            self._run_root()
        return self._is_over()

    def _sleep_s(self) -> float:
        """How long nothing is due; not so long that a wall clock that was set meanwhile goes unnoticed."""
        sleep_s = self._next_run_s - time.monotonic()
        if self._tick.earliest_s < math.inf:
            sleep_s = min(sleep_s, self._tick.earliest_s - time.time(), _LONGEST_SLEEP_S)
        return max(0.0, sleep_s)

    def _receive(self, wait_s: float) -> None:
        events = self._inbox.take(wait_s)
        self._tick.now = time.time()
        self._tick.look_at_the_clock()
        for event in events:
            if isinstance(event, Asked):
                self._answer(event)
            else:
                self._tick.receive(event)

    def _flush(self) -> None:
        """Hand out what has come together: commands to the supervisor, changes to the log."""
        self._send_commands()
        deltas = self._tick.take_changes()
        if deltas and not self._deaf:
            self._flow_runs.deltas += len(deltas)
            try:
                self.log.publish(deltas)
                self._on_changes(deltas)
            except Exception as error:
                self._deaf = True
                self._finish(AppStage.FAILED, error)
                if self._outcome is None:  # the app was ending well already
                    self._stage_reached, self._outcome = AppStage.FAILED, error
                    self._on_stage(AppStage.FAILED)

    def _send_commands(self) -> None:
        self._supervisor.carry_out(self._tick.take_commands())

    def _run_root(self) -> None:
        """Run the root once; however it is left, what it wrote is taken in."""
        causes = self._tick.begin_run()
        began_s = self._tick.now
        self._watchdog.began()
        _, left_by = self._attempt(self._root.run)
        suspended = isinstance(left_by, FlowSuspended)
        if left_by is not None and not suspended:
            self._finish(AppStage.FAILED, left_by)
        try:
            self._tick.end_run(completed=left_by is None)
        except Exception as error:
            self._finish(AppStage.FAILED, error)
        took_s = self._watchdog.ended()
        self._flush()
        flow_run = self._flow_runs.add(began_s, took_s, causes, suspended=suspended)
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("run %d took %.6f s: %s", flow_run.number, took_s, "; ".join(map(str, causes)))
        self._next_run_s = time.monotonic() + self._idle_interval_s

    def _answer(self, asked: Asked) -> None:
        """Do what was asked for; what goes wrong is told who asked, and does not harm the app."""
        if not asked.answer.set_running_or_notify_cancel():
            return  # nobody waits for it any more
        if self._stage_reached is not None:
            asked.answer.set_exception(AppEndedError(f"the app is ending; {asked.what} was not done"))
            return
        self._watchdog.began()
        result, left_by = self._attempt(asked.act)
        try:
            self._tick.end_request(asked.what)
        except Exception as error:
            self._finish(AppStage.FAILED, error)
        self._watchdog.ended()
        if left_by is None or isinstance(left_by, ExitAppException):
            asked.answer.set_result(result)
        else:
            asked.answer.set_exception(told(asked.what, left_by))

    def _attempt(self, code: Callable[[], Any]) -> tuple[Any, BaseException | None]:
        """Execute the user's code; returns its result and what it was left by. If that ends the app, it is noted."""
        left_by: BaseException
        try:
            try:
                self._in_flow = True
                return code(), None
            finally:
                self._in_flow = False
        except ExitAppException as stop:
            left_by = stop
            self._finish(AppStage.STOPPING, None)
        except LightningFlowException as failure:
            left_by = failure
            self._finish(AppStage.FAILED, FlowFailedError(f"the Flow called fail(): {str(failure) or 'no message'}"))
        except KeyboardInterrupt as interrupt:
            left_by = interrupt
            self._end_signal = self._end_signal or signal.SIGINT
            self._finish(AppStage.STOPPING, interrupt)
        except SystemExit as exit_:
            left_by = exit_
            well = self._end_signal is not None or exit_.code in (None, 0)
            self._finish(AppStage.STOPPING if well else AppStage.FAILED, exit_)
        except BaseException as error:
            left_by = error
        self._in_flow = False
        return None, left_by

    def follow(self) -> StateStream:
        """Return the stream of the app's document; on the thread that runs the Flow."""
        with self._undisturbed():
            self._flush()
            return self.log.open()

    def snapshot(self) -> tuple[int, Document]:
        """Return the newest revision and the app's document as of it, fresh; on the thread that runs the Flow."""
        with self._undisturbed():
            self._flush()
            return self.log.revision, self._take_document()

    def fail(self, error: Exception) -> None:
        """End the app as failed; on the thread that runs the Flow."""
        self._finish(AppStage.FAILED, error)

    def commit(self, what: str) -> int:
        """Take in what a request has written so far; returns the revision that shows it."""
        with self._undisturbed():
            self._tick.end_request(what)
            self._flush()
            return self.log.revision

    @contextlib.contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """While entered from a request, signals wait: what is done here must be done whole."""
        was_in_flow, self._in_flow = self._in_flow, False
        try:
            yield
        finally:
            self._in_flow = was_in_flow

    @property
    def stage(self) -> AppStage:
        """The stage the app has reached."""
        return self._tick.stage

    def serving(self) -> list[WorkRecord]:
        """Return what is known of the Works that serve; on any thread."""
        return self._tick.serving()

    @property
    def token(self) -> str | None:
        """What calls to the Works must carry."""
        return self._supervisor.runtime.token

    def records(self) -> list[WorkRecord]:
        """Return what is known of every Work; on the thread that runs the Flow."""
        return self._tick.records()

    def _take_document(self) -> Document:
        return {**self._tick.document(), "app_state": {"stage": self._tick.stage.value}}

    def metrics(self) -> Metrics:
        """Return what the app has done so far; on any thread."""
        latest = self._flow_runs.latest()
        return Metrics(
            latest[-1].number if latest else 0,  # as of the same moment
            latest,
            self._tick.metrics(self._supervisor.silent_s()),
            self._watchdog.under_way_s(),
            self._tick.scheduling(),
        )

    def _is_over(self) -> bool:
        if self._stage_reached is not None:
            return True
        if self._tick.failure is not None:
            self._finish(AppStage.FAILED, self._tick.failure)
            return True
        if self._tick.end_signal is not None:
            self._end_signal = self._tick.end_signal
            self._finish(AppStage.STOPPING, None)
            return True
        return False

    _stage_reached: AppStage | None = None

    def _finish(self, stage: AppStage, outcome: BaseException | None) -> None:
        if self._stage_reached is None:
            self._stage_reached = stage
            self._outcome = outcome

    def _end(self) -> None:
        """End the Works in order, then by force; statuses that are final stay as they are."""
        assert self._stage_reached is not None
        self._on_stage(self._stage_reached)
        self._tick.reached(self._stage_reached)
        self._tick.begin_end("the app is ending")
        deadline_s = time.monotonic() + END_DEADLINE_S
        while self._tick.has_processes and self._signals < 2 and time.monotonic() < deadline_s:
            self._flush()
            self._receive(0.05)
        if self._signals >= 2:
            _log.warning("ending at once")
        if self._tick.has_processes:
            self._supervisor.kill_all()
        if self._outcome is not None and not isinstance(self._outcome, KeyboardInterrupt | SystemExit):
            return  # a signal that came later does not hide a failure
        if self._end_signal == signal.SIGINT:
            self._outcome = KeyboardInterrupt()
        elif self._end_signal is not None:
            self._outcome = SystemExit(128 + self._end_signal)

    @contextlib.contextmanager
    def _handling_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {signum: signal.signal(signum, self._handle_signal) for signum in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    def _handle_signal(self, signum: int, frame: FrameType | None) -> None:
        """Handle Ctrl-C and SIGTERM: the first one ends the app in order, the second at once.

        While the root runs, each is raised in it. A Flow that swallows the second one too is not waited for.
        """
        self._signals += 1
        if self._signals == 1:
            _log.info("Your app is being stopped. This won't take long.")
            self._end_signal = signum
            self._inbox.put(EndRequested(signum))
        elif self._signals == 2:
            giving_up = threading.Timer(_FLOW_DEADLINE_S, self._leave_a_deaf_flow, [128 + signum])
            giving_up.name = "lightning-grpc-last-resort"
            giving_up.daemon = True
            giving_up.start()
        if self._in_flow:
            raise KeyboardInterrupt if signum == signal.SIGINT else SystemExit(128 + signum)

    def _leave_a_deaf_flow(self, code: int) -> None:
        """End the process; the fork server sees to its Works."""
        if self._in_flow:
            _log.error("the Flow does not let go of its run: ending the process")
            os._exit(code)

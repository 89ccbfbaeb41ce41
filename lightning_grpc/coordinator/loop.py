"""The run loop: takes events in, runs the root Flow, hands commands out; sleeps when there is nothing to do."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import FrameType

from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.components.status import AppStage
from lightning_grpc.coordinator.events import EndRequested
from lightning_grpc.coordinator.inbox import Inbox
from lightning_grpc.coordinator.metrics import MAX_RUNS, FlowRun, Metrics
from lightning_grpc.coordinator.supervisor import STOP_GRACE_S, Supervisor
from lightning_grpc.coordinator.tick import Tick
from lightning_grpc.coordinator.watchdog import Watchdog
from lightning_grpc.errors import ExitAppException, FlowFailedError, FlowSuspended, LightningFlowException
from lightning_grpc.runtimes.base import Runtime
from lightning_grpc.state.delta import Change

_log = logging.getLogger("lightning_grpc")

_FLOW_DEADLINE_S = 1.0  # for a Flow to let go of its run after the second signal
_END_DEADLINE_S = STOP_GRACE_S + 2.0
_SWITCH_INTERVAL_S = 5e-4  # the supervisor gets its turn soon while a Flow spins


class Coordinator:
    """Runs one app from its first tick to its end.

    Args:
        root: The root Flow.
        runtime: Where its Works are started.
        idle_interval_s: The root is run at least this often, so that Flows that look at the clock or at files
            make progress.
        on_stage: Told about every stage the app reaches.
        on_changes: Given every delta of the app's document, after the tick in which it came.

    Threads: All on the thread that calls `run`; signals are handled if that is the main thread.
    """

    def __init__(
        self,
        root: LightningFlow,
        runtime: Runtime,
        *,
        idle_interval_s: float,
        on_stage: Callable[[AppStage], None],
        on_changes: Callable[[list[Change]], None],
    ) -> None:
        self._root = root
        self._idle_interval_s = idle_interval_s
        self._on_stage = on_stage
        self._on_changes = on_changes
        self._inbox = Inbox()
        self._supervisor = Supervisor(runtime, self._inbox)
        self._tick = Tick(root, runtime.pack)
        self._tick.urge = self._send_commands
        self._watchdog = Watchdog()
        self._runs = 0
        self._deltas = 0
        self._latest_runs: deque[FlowRun] = deque(maxlen=MAX_RUNS)
        self._next_run_s = 0.0
        self._in_flow = False
        self._signals = 0
        self._deaf = False
        self._end_signal: int | None = None
        self._outcome: BaseException | None = None

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
                while not self._iterate():
                    pass
                self._end()
            finally:
                self._supervisor.close()
                self._receive(0.0)
                self._flush()
                self._root.__dict__["_backend"] = None
                sys.setswitchinterval(switch_interval_s)
        if self._outcome is not None:
            raise self._outcome

    def _begin(self) -> None:
        self._tick.now = time.time()
        self._tick.cut()
        self._tick.take_changes()  # the document as it is when the app begins is no change
        self._on_stage(AppStage.RUNNING)
        self._tick.start_with_flow()
        self._supervisor.carry_out(self._tick.take_commands())

    def _iterate(self) -> bool:
        """Take in what has happened, and run the root if there is reason to; returns whether the app is over."""
        wait_s = 0.0 if self._tick.changed else max(0.0, self._next_run_s - time.monotonic())
        try:
            self._receive(wait_s)
        except Exception as error:
            self._finish(AppStage.FAILED, error)
        if self._is_over():
            return True
        if self._tick.changed or time.monotonic() >= self._next_run_s:
            self._run_root()
        return self._is_over()

    def _receive(self, wait_s: float) -> None:
        events = self._inbox.take(wait_s)
        self._tick.now = time.time()
        for event in events:
            self._tick.receive(event)

    def _flush(self) -> None:
        """Hand out what has come together: commands to the supervisor, changes to the log."""
        self._send_commands()
        deltas = self._tick.take_changes()
        if deltas and not self._deaf:
            try:
                for changes in deltas:
                    self._deltas += 1
                    self._on_changes(changes)
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
        suspended = False
        causes = self._tick.begin_run()
        began_s, deltas = self._tick.now, self._deltas
        self._watchdog.began()
        try:
            self._in_flow = True
            try:
                self._root.run()
            finally:
                self._in_flow = False
        except FlowSuspended:
            suspended = True
        except ExitAppException:
            self._finish(AppStage.STOPPING, None)
        except LightningFlowException as failure:
            self._finish(AppStage.FAILED, FlowFailedError(f"the Flow called fail(): {str(failure) or 'no message'}"))
        except KeyboardInterrupt as interrupt:
            self._end_signal = self._end_signal or signal.SIGINT
            self._finish(AppStage.STOPPING, interrupt)
        except SystemExit as exit_:
            well = self._end_signal is not None or exit_.code in (None, 0)
            self._finish(AppStage.STOPPING if well else AppStage.FAILED, exit_)
        except BaseException as error:
            self._finish(AppStage.FAILED, error)
        self._in_flow = False
        try:
            self._tick.end_run(suspended=suspended)
        except Exception as error:
            self._finish(AppStage.FAILED, error)
        took_s = self._watchdog.ended()
        self._flush()
        self._runs += 1
        flow_run = FlowRun(self._runs, began_s, took_s, causes, self._deltas - deltas, suspended)
        self._latest_runs.append(flow_run)
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("run %d took %.6f s: %s", self._runs, took_s, "; ".join(map(str, causes)))
        self._next_run_s = time.monotonic() + self._idle_interval_s

    def metrics(self) -> Metrics:
        """Return what the app has done so far; on any thread."""
        return Metrics(self._runs, tuple(self._latest_runs), self._tick.metrics())

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
        self._tick.begin_end("the app is ending")
        deadline_s = time.monotonic() + _END_DEADLINE_S
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

"""Apps whose Works are attached to services, run in a thread of the test so that it can look on and interfere."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time

import lightning_grpc as L
from lightning_grpc.service.registry import running_apps

DEADLINE_S = 40
_numbers = itertools.count()


class Root(L.LightningFlow):
    """Calls its Work `w` with some arguments, over and over; ends when it is told to.

    Args:
        work: The Work.
        arguments: Of each call it makes in a run.
    """

    def __init__(self, work, *arguments, until=None):
        super().__init__()
        self.w = work
        self.passes = 0
        self._arguments = arguments
        self._until = until or (lambda root: False)
        self._is_over = False

    def run(self):
        for arguments in self._arguments:
            self.w.run(*arguments)
        self.passes += 1
        if self._is_over or self._until(self):
            self.stop()


class RunningApp:
    """An app that runs on a thread of its own.

    Attributes:
        app: The app.
        root: Its root.
        outcome: What its run was left by; None if it returned.
    """

    def __init__(self, root, name="", **options):
        self.root = root
        self.app = L.LightningApp(root, idle_interval_s=0.05, **options)
        self.app.name = name or f"attached-{next(_numbers)}"
        self.outcome = None
        self._thread = threading.Thread(target=self._run, name="app", daemon=True)

    def _run(self):
        try:
            self.app.run()
        except BaseException as error:
            self.outcome = error

    def until(self, condition, what=""):
        """Wait until something holds."""
        deadline_s = time.monotonic() + DEADLINE_S
        while not condition():
            assert self._thread.is_alive(), f"the app has ended: {self.outcome!r}"
            assert time.monotonic() < deadline_s, f"not reached: {what or condition}; {self.app.state}"
            time.sleep(0.01)

    def client(self):
        """A client of it, when it is registered."""
        self.until(lambda: any(entry.name == self.app.name for entry in running_apps()), "it is registered")
        return L.AppClient(name=self.app.name)

    def join(self):
        """Wait for its end; returns what it was left by."""
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), self.app.state
        return self.outcome

    def end(self):
        """Have it end by itself."""
        self.root._is_over = True
        return self.join()

    @property
    def status(self):
        """The status of the Work `w`."""
        return self.root.w.status


@contextlib.contextmanager
def running(root, **options):
    """Run an app while the context lasts."""
    app = RunningApp(root, **options)
    app._thread.start()
    try:
        yield app
    finally:
        app.root._is_over = True
        app._thread.join(DEADLINE_S)

"""Apps that are served, for the tests of the service, its client and its registry."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
import uuid

import lightning_grpc as L
from lightning_grpc.errors import FlowFailedError, LightningGrpcError
from lightning_grpc.service.registry import running_apps
from lightning_grpc.structures import Dict
from lightning_grpc.wire.app_channel import AppChannel

DEADLINE_S = 30


class Step(L.LightningWork):
    """Counts in steps that the Flow asks for."""

    def __init__(self):
        super().__init__(parallel=True, cache_calls=False)
        self.n = 0
        self.items = []

    def run(self, count):
        for _ in range(count):
            self.n += 1
            self.items.append(self.n)


class Leaf(L.LightningFlow):
    """Has attributes of every kind."""

    def __init__(self):
        super().__init__()
        self.n = 0
        self.table = {"a": [1, 2, 3], 7: {"deep": None}}
        self.pair = (1, 2.0)


class Board(L.LightningFlow):
    """Does nothing by itself but to note what it has seen; its run can be held up."""

    def __init__(self, *, with_work=False):
        super().__init__()
        self.n = 0
        self.seen = 0
        self.text = ""
        self.items = []
        self.leave = False
        self.leaf = Leaf()
        self.shelf = Dict(one=Leaf())
        if with_work:
            self.step = Step()
        self._hidden = 1
        self._held_at: int | None = None
        self._may_go_on = threading.Event()
        self._may_go_on.set()
        self._entered = threading.Event()

    def configure_commands(self):
        return [{"add": self.add}, {"fail": self.fail_it}, {"name": self.leaf_name}, {"roar": self.roar}]

    def add(self, number: int, times: int = 1) -> int:
        """Add a number."""
        self.n += number * times
        return self.n

    def fail_it(self):
        raise RuntimeError("as asked")

    def roar(self):
        raise RuntimeError("é" * 100_000)

    def leaf_name(self) -> list:
        return [self.leaf.name, (1, 2.5, None)]

    def hold(self, n=None):
        """Have the next runs wait until `go_on`; with a number, only those that see it in `n`.

        So the update of `n` is made, though a Work may have the root run before.
        """
        self._held_at = n
        self._entered.clear()
        self._may_go_on.clear()

    def go_on(self):
        self._may_go_on.set()

    def run(self):
        if not self._may_go_on.is_set() and self._held_at in (None, self.n):
            self._entered.set()
            self._may_go_on.wait(DEADLINE_S)
        self.seen = self.n
        if self.leave:
            self.stop()


class Served:
    """An app of this process, on a thread, with what its state was at the revisions that a listener has seen."""

    def __init__(self, root=None, **options):
        self.root = root or Board()
        self.app = L.LightningApp(self.root, **{"idle_interval_s": 30.0, **options})
        self.app.name = f"test-{uuid.uuid4().hex[:8]}"
        self.states = {}
        self.app.add_delta_listener(lambda delta: self.states.update({self.app.revision: self.app.state}))
        self.thread = threading.Thread(target=self._run, name="served app")

    def __enter__(self):
        self.thread.start()
        self.entry = until(lambda: entry_of(self.app.name), "the app is registered")
        return self

    def __exit__(self, *_):
        self.root.go_on()
        with contextlib.suppress(LightningGrpcError), self.client() as client:
            client.stop("the test is over")
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive()

    def settled(self):
        """Wait until the root has seen all that was updated, and return the revision that shows it, with its state."""

        def find():
            revision = self.app.revision
            state = self.states.get(revision)
            return state and state["vars"]["seen"] == self.root.n and (revision, state)

        return until(find, "the root has seen it all")

    def do(self, act):
        """Have something done on the thread that runs the Flow, to which its components belong."""
        return self.app._coordinator.requests.ask("a test", act).result(DEADLINE_S)

    def _run(self):
        with contextlib.suppress(FlowFailedError):
            self.app.run()

    def client(self, **options):
        return L.AppClient(name=self.app.name, **options)

    def async_client(self, **options):
        return L.AsyncAppClient(name=self.app.name, **options)

    @contextlib.asynccontextmanager
    async def channel(self, address=None, token=None):
        channel = AppChannel(address or self.entry.address, self.app.name, token or self.entry.read_token())
        try:
            yield channel
        finally:
            await channel.close()


PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
import lightning_grpc as L
from lightning_grpc.errors import FlowFailedError, LightningGrpcError
from served_apps import Board
app = L.LightningApp(Board({arguments}))
app.name = {name!r}
"""


@contextlib.contextmanager
def app_process(tmp_path, *, name=None, arguments="", options=(), **environment):
    """An app in a process of its own, started by the command; yields the process and the app's name."""
    name = name or f"test-{uuid.uuid4().hex[:8]}"
    file = tmp_path / f"{name}.py"
    file.write_text(PROGRAM.format(folder=os.path.dirname(__file__), arguments=arguments, name=name))
    process = subprocess.Popen(
        [sys.executable, "-m", "lightning_grpc", "run", "app", str(file), "--name", name, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process, name
    finally:
        process.terminate()
        try:
            process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()


def entry_of(name):
    """The entry of an app that serves, or None."""
    return next((entry for entry in running_apps() if entry.name == name), None)


def until(condition, what):
    """Wait until a condition holds and return what it gives."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline_s, f"not reached: {what}"
        time.sleep(0.005)
    return value


def in_time(coroutine):
    """Run a coroutine with a deadline."""

    async def run():
        async with asyncio.timeout(DEADLINE_S):
            return await coroutine

    return asyncio.run(run())

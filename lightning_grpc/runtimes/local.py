"""Local Works: one process each on this machine, forked by the fork server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import RuntimeStartError
from lightning_grpc.runtimes import transfer
from lightning_grpc.runtimes.base import Exit, WorkHandle
from lightning_grpc.runtimes.pipe import CommandReader, encode_command
from lightning_grpc.wire.auth import new_token
from lightning_grpc.worker.publisher import STATE_LIMIT_BYTES
from lightning_grpc.worker.standing import StandaloneRules

_log = logging.getLogger("lightning_grpc")

START_DEADLINE_S = 60.0
"""A process that does not serve after this long is ended and counts as failed to start."""
_CLOSE_DEADLINE_S = 4.0
_WATCH_S = 1.0


@dataclass
class _Child:
    name: str
    handle: asyncio.Future[WorkHandle]
    exited: asyncio.Future[Exit]
    pid: int | None = None


class LocalRuntime:
    """Starts Works as processes of this machine, over unix sockets in a private directory.

    The fork server starts with the first call of `prepare` or `start`. Works get the environment, working
    directory, ``sys.path`` and ``sys.argv`` of the coordinator as they are when the Work is packed; their output
    goes where the coordinator's goes.

    Args:
        state_limit_bytes: How large a Work's state may be, about.
        standalone: What is different for Works without an app; None for those of an app.

    Threads: `pack` on any thread; the rest on the coordinator's loop, which `prepare` must be called on first.
    """

    def __init__(
        self, *, state_limit_bytes: int = STATE_LIMIT_BYTES, standalone: StandaloneRules | None = None
    ) -> None:
        self._state_limit_bytes = state_limit_bytes
        self._standalone = standalone
        self.token: str | None = new_token()
        self._directory = ""
        self._server: subprocess.Popen[bytes] | None = None
        self._commands_fd = -1
        self._events_fd = -1
        self._children: dict[int, _Child] = {}
        self._next_id = 0
        self._buffer = b""
        self._outgoing = bytearray()
        self._written = asyncio.Event()
        self._written.set()
        self._failures: dict[int, str] = {}

    def pack(self, work: LightningWork) -> bytes:
        """Take down the Work, and the surroundings its process shall have."""
        surroundings = {
            "state_limit_bytes": self._state_limit_bytes,
            "standalone": self._standalone.as_dict() if self._standalone else None,
            "cwd": os.getcwd(),
            "path": [os.path.abspath(entry) for entry in map(str, sys.path)],
            "argv": sys.argv,
            "environ": dict(os.environ),
        }
        return encode_command(surroundings, transfer.pack(work))

    def prepare(self) -> None:
        """Start the fork server, so that the first Work need not wait for it."""
        if self._server is not None:
            return
        self._directory = tempfile.mkdtemp(prefix="lightning-grpc-")  # mode 0700
        commands_r, self._commands_fd = os.pipe()
        self._events_fd, events_w = os.pipe()
        for fd in (self._commands_fd, self._events_fd):
            os.set_blocking(fd, False)
        package_root = str(Path(__file__).resolve().parents[2])
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join([package_root, os.environ.get("PYTHONPATH", "")])}
        arguments = [str(commands_r), str(events_w), self._directory]
        try:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "lightning_grpc.runtimes.fork_server", *arguments],
                stdin=subprocess.DEVNULL,
                pass_fds=(commands_r, events_w),
                env=environ,
                start_new_session=True,
            )
        except OSError as error:
            raise RuntimeStartError(f"the fork server cannot be started: {error}") from error
        finally:
            os.close(commands_r)
            os.close(events_w)
        asyncio.get_running_loop().add_reader(self._events_fd, self._read_events)
        self._watch_server()

    async def start(self, name: str, package: bytes) -> WorkHandle:
        """Start a process for a packed Work and wait until it serves."""
        self.prepare()
        loop = asyncio.get_running_loop()
        self._next_id += 1
        child_id = self._next_id
        child = self._children[child_id] = _Child(name, loop.create_future(), loop.create_future())
        surroundings, packed_work = next(CommandReader().feed(package))
        address = f"unix:{self._directory}/{child_id}"
        command = {"op": "start", "id": child_id, "name": name, "address": address, "token": self.token}
        self._send({**command, **surroundings}, packed_work)
        try:
            return await asyncio.wait_for(asyncio.shield(child.handle), START_DEADLINE_S)
        except TimeoutError:
            self._signal(child_id, signal.SIGKILL)
            raise RuntimeStartError(f"{name} did not serve within {START_DEADLINE_S:.0f} s of its start") from None
        except asyncio.CancelledError:
            self._signal(child_id, signal.SIGKILL)
            raise

    async def signal(self, handle: WorkHandle, signum: int) -> None:
        """Send a signal to a Work's process group."""
        for child_id, child in list(self._children.items()):
            if child.exited is handle.exited:
                self._signal(child_id, signum)

    async def close(self) -> None:
        """End all Works and the fork server."""
        if self._server is None:
            return
        for child_id in list(self._children):
            self._signal(child_id, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._written.wait(), _CLOSE_DEADLINE_S)
        loop = asyncio.get_running_loop()
        loop.remove_writer(self._commands_fd)
        commands_fd, self._commands_fd = self._commands_fd, -1
        os.close(commands_fd)  # tells the fork server to end
        server, self._server = self._server, None
        if not await _ended_within(server, _CLOSE_DEADLINE_S):
            server.kill()
            await _ended_within(server, 1.0)
        self._read_events()
        self._server_is_gone()
        loop.remove_reader(self._events_fd)
        os.close(self._events_fd)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _watch_server(self) -> None:
        """Notice the death of the fork server, which its Works may not tell us."""
        if self._server is None:
            return
        if self._server.poll() is not None:
            _log.error("the fork server is gone (it %s)", Exit(self._server.returncode))
            self._server_is_gone()
            return
        asyncio.get_running_loop().call_later(_WATCH_S, self._watch_server)

    def _signal(self, child_id: int, signum: int) -> None:
        self._send({"op": "signal", "id": child_id, "signum": int(signum)})

    def _send(self, command: dict[str, Any], payload: bytes = b"") -> None:
        if self._commands_fd < 0:
            return  # closed: the fork server ends what is left
        self._written.clear()
        self._outgoing += encode_command(command, payload)
        self._write()

    def _write(self) -> None:
        """Write what the pipe takes; the rest when it takes more."""
        loop = asyncio.get_running_loop()
        try:
            while self._outgoing:
                written = os.write(self._commands_fd, self._outgoing[: 1 << 20])
                del self._outgoing[:written]
        except BlockingIOError:
            loop.add_writer(self._commands_fd, self._write)
            return
        except OSError:
            self._outgoing.clear()
            self._server_is_gone()
        loop.remove_writer(self._commands_fd)
        self._written.set()

    def _read_events(self) -> None:
        try:
            data = os.read(self._events_fd, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(self._events_fd)
            self._server_is_gone()
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._handle(json.loads(line))

    def _handle(self, event: dict[str, Any]) -> None:
        child = self._children.get(event["id"])
        if child is None:
            return
        if event["event"] == "started":
            child.pid = event["pid"]
        elif event["event"] == "ready":
            if not child.handle.done():
                child.handle.set_result(WorkHandle(event["address"], event["epoch"], child.pid, child.exited))
        elif event["event"] == "failed":
            self._failures[event["id"]] = event["message"]
        elif event["event"] == "exited":
            del self._children[event["id"]]
            self._ended(child, Exit(event["code"]), self._failures.pop(event["id"], ""))

    def _ended(self, child: _Child, how: Exit, message: str) -> None:
        if not child.handle.done():
            detail = f":\n{message.rstrip()}" if message else f" ({how})"
            child.handle.set_exception(RuntimeStartError(f"{child.name} did not start{detail}"))
            child.handle.exception()  # whoever waited may have given up
        if not child.exited.done():
            child.exited.set_result(how)

    def _server_is_gone(self) -> None:
        """The fork server was killed: its Works notice by themselves, but for those that cannot."""
        children, self._children = self._children, {}
        for child in children.values():
            if child.pid is not None:
                with contextlib.suppress(OSError):
                    os.killpg(child.pid, signal.SIGKILL)
            self._ended(child, Exit(-signal.SIGKILL), "the fork server is gone")


async def _ended_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for a process that is not the loop's own; returns whether it has ended."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + seconds
    pause_s = 0.002
    while process.poll() is None:
        if loop.time() > deadline_s:
            return False
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, 0.05)
    return True

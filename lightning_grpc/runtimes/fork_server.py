"""The fork server: a small process that has imported gRPC, never used it, and forks Works.

The coordinator starts it with two pipes and never forks itself. Commands come in on one, events go out
on the other, from here and from the Works alike; `lightning_grpc.runtimes.pipe` says how they look.

    start   {"op", "id", "name", "address", "token", "cwd", "path", "argv", "environ"} + the packed Work
    signal  {"op", "id", "signum"}
    started {"event", "id", "pid"}             ready  {"event", "id", "address", "epoch"}
    failed  {"event", "id", "message"}         exited {"event", "id", "code"}

When the coordinator is gone (its pipe is closed, or the parent has changed), every Work is asked to end,
then made to, and the private directory is removed: nothing is left, however the coordinator ended.

Usage: ``python -m lightning_grpc.runtimes.fork_server COMMANDS_FD EVENTS_FD DIRECTORY``
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import select
import shutil
import signal
import sys
import time
import traceback
from importlib import import_module
from typing import Any

from lightning_grpc.runtimes.pipe import CommandReader, write_event
from lightning_grpc.runtimes.transfer import unpack
from lightning_grpc.worker.process import DEFAULT_GRACE_S, WorkProcess, leave
from lightning_grpc.worker.standing import StandaloneRules

_POLL_S = 1.0
_SHARED = "lightning_grpc.wiring"
"""What users' modules import. Imported before the first fork, it takes memory once, and no Work's time."""


class ForkServer:
    """Forks Works on command and reaps them."""

    def __init__(self, commands_fd: int, events_fd: int, directory: str) -> None:
        self._commands_fd = commands_fd
        self._events_fd = events_fd
        self._directory = directory
        self._parent_pid = os.getppid()
        self._children: dict[int, int] = {}  # pid: id
        self._reader = CommandReader()
        for fd in (commands_fd, events_fd):
            os.set_inheritable(fd, False)
        self._wakeup_r, self._wakeup_w = os.pipe()
        for fd in (self._wakeup_r, self._wakeup_w):
            os.set_blocking(fd, False)

    def run(self) -> None:
        """Serve until the coordinator is gone, then end what is left."""
        signal.set_wakeup_fd(self._wakeup_w)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: None)  # it ends with the coordinator, not before
        import_module(_SHARED)
        gc.collect()
        gc.freeze()  # what is shared with the children shall stay shared
        try:
            while self._serve_once():
                pass
        finally:
            self._end_all()
            shutil.rmtree(self._directory, ignore_errors=True)

    def _serve_once(self) -> bool:
        ready, _, _ = select.select([self._commands_fd, self._wakeup_r], [], [], _POLL_S)
        if self._wakeup_r in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wakeup_r, 4096)
        self._reap()
        if self._commands_fd in ready:
            data = os.read(self._commands_fd, 1 << 20)
            if not data:
                return False
            for command, payload in self._reader.feed(data):
                if command["op"] == "start":
                    self._fork(command, payload)
                elif command["op"] == "signal":
                    self._signal(command["id"], command["signum"])
        return os.getppid() == self._parent_pid

    def _fork(self, command: dict[str, Any], payload: bytes) -> None:
        pid = os.fork()
        if pid == 0:
            self._become_work(command, payload)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        self._children[pid] = command["id"]
        write_event(self._events_fd, event="started", id=command["id"], pid=pid)

    def _become_work(self, command: dict[str, Any], payload: bytes) -> None:
        """Live the life of a Work's process; never returns."""
        try:
            os.setpgid(0, 0)  # a group of its own: Ctrl-C in the terminal is the coordinator's to handle
            signal.set_wakeup_fd(-1)
            for signum in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(signum, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for fd in (self._commands_fd, self._wakeup_r, self._wakeup_w):
                os.close(fd)
            gc.unfreeze()
            self._host(command, payload)
        except BaseException:
            if self._events_fd >= 0:
                write_event(self._events_fd, event="failed", id=command["id"], message=traceback.format_exc())
            else:
                traceback.print_exc()
            leave(1)
        leave(0)

    def _host(self, command: dict[str, Any], payload: bytes) -> None:
        os.environ.clear()
        os.environ.update(command["environ"])
        os.chdir(command["cwd"])
        sys.path[:] = command["path"]
        sys.argv[:] = command["argv"]
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True)
        work = unpack(payload)
        del payload
        process = WorkProcess(
            work,
            address=command["address"],
            token=command["token"],
            parent_pid=os.getppid(),
            state_limit_bytes=command["state_limit_bytes"],
            standalone=StandaloneRules(**command["standalone"]) if command["standalone"] else None,
        )

        def ready(address: str, epoch: int) -> None:
            write_event(self._events_fd, event="ready", id=command["id"], address=address, epoch=epoch)
            os.close(self._events_fd)  # it has nothing more to say, and shall not keep the pipe open
            self._events_fd = -1

        process.run(ready)

    def _signal(self, child_id: int, signum: int) -> None:
        for pid, known_id in self._children.items():
            if known_id == child_id:
                _signal_group(pid, signum)

    def _reap(self) -> None:
        for pid in list(self._children):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                _signal_group(pid, signal.SIGKILL)  # what the Work has started and left behind
                code = os.waitstatus_to_exitcode(status)
                write_event(self._events_fd, event="exited", id=self._children.pop(pid), code=code)

    def _end_all(self) -> None:
        for signum, grace_s in ((signal.SIGTERM, DEFAULT_GRACE_S * 0.5), (signal.SIGKILL, 1.0)):
            for pid in self._children:
                _signal_group(pid, signum)
            deadline_s = time.monotonic() + grace_s
            while self._children and time.monotonic() < deadline_s:
                select.select([self._wakeup_r], [], [], 0.05)
                self._reap()


def _signal_group(pid: int, signum: int) -> None:
    """Signal a Work's process group; the process itself too, lest it has not made its group yet."""
    try:
        os.killpg(pid, signum)
    except ProcessLookupError:
        if signum != signal.SIGKILL:
            with contextlib.suppress(OSError):
                os.kill(pid, signum)
    except PermissionError:  # something in the group has become somebody else's
        with contextlib.suppress(OSError):
            os.kill(pid, signum)


def main() -> None:
    """Run the fork server on the pipes that the command line names."""
    commands_fd, events_fd, directory = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    ForkServer(commands_fd, events_fd, directory).run()


if __name__ == "__main__":
    main()

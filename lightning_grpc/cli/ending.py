"""How a command ends when it is told to by a signal."""

from __future__ import annotations

import signal
import threading
from types import FrameType

import rich_click as click

from lightning_grpc.cli.output import TERMINATED


def end_in_order_on_sigterm(ctx: click.Context) -> None:
    """Have SIGTERM end the command by an exception, so that the terminal gets its cursor back."""
    if threading.current_thread() is not threading.main_thread():
        return
    before = signal.signal(signal.SIGTERM, _end)
    ctx.call_on_close(lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before))


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what handlers are given
    raise SystemExit(TERMINATED)

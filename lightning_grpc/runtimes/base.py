"""What every runtime offers."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from typing import Protocol

from lightning_grpc.components.work import LightningWork


@dataclass(frozen=True)
class Exit:
    """How a process ended.

    Attributes:
        code: Its exit code, or minus the signal that ended it.
    """

    code: int

    def __str__(self) -> str:
        if self.code >= 0:
            return f"exited with code {self.code}"
        try:
            name = signal.Signals(-self.code).name
        except ValueError:
            name = f"signal {-self.code}"
        return f"was ended by {name}"


@dataclass
class WorkHandle:
    """A Work that serves.

    Attributes:
        address: Where it answers.
        epoch: Its incarnation.
        pid: Its process, if it is one of ours.
        exited: Done when the process is gone.
    """

    address: str
    epoch: int
    pid: int | None
    exited: asyncio.Future[Exit]


class Runtime(Protocol):
    """Places and starts Works.

    Threads: `pack` on the thread that owns the components; the rest on the coordinator's loop.
    """

    def pack(self, work: LightningWork) -> bytes:
        """Take down what it needs to start a Work, as the Work is now.

        Raises:
            NotTransferableError: The Work cannot be handed over.
        """

    async def start(self, name: str, package: bytes) -> WorkHandle:
        """Start a process for a packed Work and wait until it serves.

        Raises:
            RuntimeStartError: It did not come up.
        """

    async def signal(self, handle: WorkHandle, signum: int) -> None:
        """Send a signal to a Work's process and to what it has started."""

    async def close(self) -> None:
        """End every process that is left and free what the runtime holds."""

    @property
    def token(self) -> str | None:
        """What calls to the Works must carry."""

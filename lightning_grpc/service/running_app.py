"""What may be asked of a running app, whoever asks: a gRPC client, an HTTP client, the command line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Sequence
from typing import TypeVar

from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.components.status import WorkStageStatus
from lightning_grpc.coordinator.loop import Coordinator
from lightning_grpc.coordinator.metrics import Metrics
from lightning_grpc.coordinator.record import WorkRecord
from lightning_grpc.errors import AppEndedError, BusyError, UnknownWorkError, UpdateConflictError
from lightning_grpc.service.commands import CommandDescription, Commands
from lightning_grpc.service.descriptions import AppDescription, AppMetrics, WorkDescription
from lightning_grpc.service.logs import ROOT, AppLogs, Batch, Source
from lightning_grpc.service.updates import carry_out, plan
from lightning_grpc.service.usage import UsageMeter
from lightning_grpc.signals import ExitAppException
from lightning_grpc.state.delta import Change
from lightning_grpc.state.values import Document, Value
from lightning_grpc.wire.codec import chunked, frame_snapshot
from lightning_grpc.wire.stream import StateStream
from lightning_grpc.worker.output import OutputLog

T = TypeVar("T")


class RunningApp:
    """The face of a running app.

    Args:
        name: The name the app goes by.
        root: Its root Flow.
        coordinator: What runs it.
        output: What its Flow's process prints.

    Threads: The methods belong to a loop, any loop; what they do with components is done by the thread that runs the
        Flow, between two runs of the root.
    """

    def __init__(
        self, name: str, root: LightningFlow, coordinator: Coordinator, output: OutputLog | None = None
    ) -> None:
        self.output = output or OutputLog(ROOT)
        self.name = name
        self._root = root
        self._coordinator = coordinator
        self._started_at_s = time.time()
        self._stream: StateStream | None = None
        self._commands = Commands(root)
        self._usage = UsageMeter()

    @property
    def epoch(self) -> int:
        """This run of the app."""
        return self._coordinator.log.epoch

    def describe(self) -> AppDescription:
        """Tell who the app is."""
        return AppDescription(
            name=self.name,
            epoch=self.epoch,
            revision=self._coordinator.log.revision,
            stage=self._coordinator.stage.value,
            pid=os.getpid(),
            started_at_s=self._started_at_s,
            runs=self._coordinator.metrics().runs,
        )

    async def ask(self, what: str, act: Callable[[], T]) -> T:
        """Have a function called between two runs of the root, and return its result or raise what it raises.

        Args:
            what: It in words, such as ``command greet``.
            act: The function.

        Raises:
            AppEndedError: The app ends before.
            BusyError: Too many requests are waiting.
            RequestSuspendedError: The function called a Work that blocks.
        """
        answer = self._coordinator.requests.ask(what, act)
        result: T = await asyncio.wrap_future(answer)
        return result

    async def follow(self) -> StateStream:
        """Return the stream of the app's document, whose revisions are those of the app.

        Once it is there, the Flow is not asked: whatever it does, its app can be looked at.
        """
        if self._stream is None:
            self._stream = await self.ask("the state", self._coordinator.follow)
        return self._stream

    async def state(self) -> tuple[int, Document]:
        """Return the newest revision and the app's document as of it; fresh."""
        return await self.ask("the state", self._coordinator.snapshot)

    async def snapshot(self) -> Iterator[bytes]:
        """Return the serialized messages of one frame: the whole state as of the newest revision."""
        if self._stream is not None:
            return self._stream.snapshot()
        revision, document = await self.ask("the state", self._coordinator.snapshot)
        return chunked(frame_snapshot(self.epoch, revision, document))

    async def update(self, changes: Sequence[Change], base_revision: int = 0) -> int:
        """Change attributes of components: all of the changes, or none.

        Args:
            changes: Changes of the app's document; see `lightning_grpc.service.updates.plan`.
            base_revision: If not 0, the revision at which the caller saw what it changes; if one of the attributes has
                changed since, or that cannot be known any more, the update is refused.

        Returns:
            The revision that shows them.

        Raises:
            UpdateRefusedError: A change does not fit.
            UpdateConflictError: What it changes has changed since its base.
        """

        def act() -> int:
            assignments = plan(self._root, changes)
            if base_revision:
                self._coordinator.follow()
                if base_revision > self._coordinator.log.revision:
                    raise UpdateConflictError(
                        assignments[0].path if assignments else (), f"there is no revision {base_revision} yet"
                    )
                for each in assignments:
                    changed = self._coordinator.log.changed(each.path)
                    if changed > base_revision:
                        raise UpdateConflictError(
                            each.path, f"it has changed since revision {base_revision}, in revision {changed} or before"
                        )
            carry_out(assignments)
            return self._coordinator.commit("update")

        return await self.ask("update", act)

    def logs(self, components: Collection[str], tail: int, *, follow: bool) -> AsyncGenerator[Batch, None]:
        """Yield what the app and its Works print, whatever the Flow does; see `AppLogs.read`."""

        def works() -> list[Source]:
            return [
                Source(record.name, record.address, record.epoch, record.work.attachment)
                for record in self._coordinator.serving()
            ]

        return AppLogs(self.output, works, self._coordinator.token).read(components, tail, follow=follow)

    async def works(self) -> list[WorkDescription]:
        """Return how every Work fares, in the order of the tree."""
        return await self.ask("the Works", lambda: [_describe(record) for record in self._coordinator.records()])

    async def commands(self) -> list[CommandDescription]:
        """Return the commands that the Flows offer, by name.

        Raises:
            CommandDefinitionError: A Flow's ``configure_commands`` cannot be used as it is.
        """
        return await self.ask("the commands", self._commands.describe)

    async def run_command(self, name: str, arguments: dict[str, Value]) -> Value:
        """Execute a command and return its result; raises what `Commands.run` raises."""
        return await self.ask(f"command {name}", lambda: self._commands.run(name, arguments))

    def metrics(self) -> Metrics:
        """Return what the app has done so far."""
        return self._coordinator.metrics()

    def look(self, runs: int) -> AppMetrics:
        """Return what the app has done, with its newest runs, and what its processes use; whatever the Flow does."""
        metrics = self._coordinator.metrics()
        pids = {record.name: record.pid for record in self._coordinator.serving() if record.pid}
        usages = self._usage.read([os.getpid(), *pids.values()])
        return AppMetrics(
            at_s=time.time(),
            revision=self._coordinator.log.revision,
            runs=metrics.runs,
            under_way_s=metrics.under_way_s,
            latest_runs=metrics.latest_runs[max(0, len(metrics.latest_runs) - runs) :],
            works=dict(metrics.works),
            usages={name: usages[pid] for name, pid in pids.items() if pid in usages},
            schedules=metrics.schedules,
            usage=usages.get(os.getpid()),
        )

    async def stop_work(self, name: str) -> None:
        """End one Work for good, as its Flow's ``stop()`` of it would.

        Raises:
            UnknownWorkError: There is no such Work.
        """

        def act() -> None:
            works = dict(self._root.named_works())
            if name not in works:
                raise UnknownWorkError(name, list(works))
            works[name].stop()

        await self.ask(f"stop of {name}", act)

    def fail(self, error: Exception) -> None:
        """End the app as failed, with an error; on any thread."""
        with contextlib.suppress(AppEndedError, BusyError):
            self._coordinator.requests.ask("the end", lambda: self._coordinator.fail(error))

    async def stop(self, reason: str) -> None:
        """End the app, as its Flow's ``stop()`` would."""

        def act() -> None:
            raise ExitAppException(reason)

        await self.ask("stop", act)


def _describe(record: WorkRecord) -> WorkDescription:
    work = record.work
    status, metrics = work.status, record.meter.read()
    return WorkDescription(
        name=record.name,
        class_name=type(work).__qualname__,
        stage=status.stage,
        reason=status.reason or "",
        since_s=status.timestamp if status.stage != WorkStageStatus.NOT_STARTED else 0.0,
        successes=work.num_successes,
        pid=record.pid or 0,
        address=record.address,
        epoch=record.epoch,
        revision=metrics.revision,
        lag_s=metrics.lag_s,
        resyncs=metrics.resyncs,
    )

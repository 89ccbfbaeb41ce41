"""The Works of an app: their processes, their calls, and what their state says of them, without I/O.

The single-writer rule: a Work's calls are written by its process while it lives. The coordinator only
shows, in the view, what the process cannot say: that a call waits (it has not heard of it), that the
process died, that it is not heard. The Work's own word, when it comes, replaces that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from lightning_grpc.components.calls import (
    LATEST,
    START,
    advanced,
    call_hash,
    is_unreachable,
    reachable,
    requested,
    stage_of,
    unreachable,
)
from lightning_grpc.components.status import (
    UNFINISHED_STAGES,
    WorkFailureReasons,
    WorkStageStatus,
    WorkStopReasons,
    make_status,
)
from lightning_grpc.components.work import LightningWork
from lightning_grpc.coordinator import events
from lightning_grpc.coordinator.call_book import CallBook
from lightning_grpc.coordinator.handover import Handover
from lightning_grpc.coordinator.mirror import Mirror
from lightning_grpc.coordinator.outcomes import ended_by_flow, stopped_by_flow
from lightning_grpc.coordinator.record import (
    Caller,
    Journal,
    PassLedger,
    Phase,
    Rota,
    Service,
    Standing,
    WorkRecord,
)
from lightning_grpc.coordinator.services import Services
from lightning_grpc.coordinator.updates import Updates
from lightning_grpc.errors import (
    ConfigurationError,
    InvalidValueError,
    ProtocolError,
    RuntimeStartError,
    WorkFailedError,
)
from lightning_grpc.signals import FlowSuspended
from lightning_grpc.state.subscription import Delta, Frame, Snapshot
from lightning_grpc.state.values import Path, copy

_log = logging.getLogger("lightning_grpc")
Packer = Callable[[LightningWork], bytes]


class Works:
    """Keeps the records of all Works and says what is to be done with their processes.

    Args:
        journal: Where changes of the app's document are told.
        pack: Takes down what a runtime needs to start a Work.
        caller: Who calls, as Works that others call too are told.
    """

    def __init__(self, journal: Journal, pack: Packer, caller: Caller | None = None) -> None:
        self._journal = journal
        self._pack = pack
        self._records: dict[int, WorkRecord] = {}
        self._by_name: dict[str, WorkRecord] = {}
        self._leaving: dict[int, WorkRecord] = {}  # removed from the app, by the incarnation that is ending
        self._rota = Rota()
        self._last_incarnation = 0
        self._has_begun = False
        self._standing = Standing()
        self._updates = Updates(journal)
        self._calls = CallBook(self._standing, journal, self._updates, caller or Caller())
        self._services = Services(self._standing, self._calls, self._updates)

    @property
    def now(self) -> float:
        """Seconds since 1970, as the loop last told."""
        return self._standing.now

    @now.setter
    def now(self, now: float) -> None:
        self._standing.now = now

    @property
    def commands(self) -> list[events.Command]:
        """What the supervisor is to do."""
        return self._standing.commands

    @commands.setter
    def commands(self, commands: list[events.Command]) -> None:
        self._standing.commands = commands

    @property
    def failure(self) -> Exception | None:
        """What ends the app, if a Work's failure does."""
        return self._standing.failure

    @property
    def ledger(self) -> PassLedger:
        """Which uncached blocking calls may return."""
        return self._calls.ledger

    def take_in(self, work: LightningWork, prefix: Path) -> None:
        """Take a Work into the app; `prefix` is where its document stands in the app's."""
        handover = Handover()
        service = Service(work._attachment) if work._attachment is not None else None
        mirror = Mirror(work, handover.held, work._baseline)
        record = WorkRecord(work, work.name, prefix, mirror, handover=handover, service=service)
        self._calls.take_in(record)
        self._records[id(work)] = record
        self._by_name[record.name] = record
        if service is not None and self._has_begun and work._start_with_flow and not record.stopped:
            self._start_process(record)

    def let_go(self, work: LightningWork) -> None:
        """Stop and forget a Work that leaves the app."""
        record = self._records.pop(id(work))
        self._end_process(record, "it was removed from the app")
        if record.phase is not Phase.ABSENT:
            self._leaving[record.incarnation] = record
        self._by_name.pop(record.name, None)

    def cut(self, identities: Iterable[int]) -> list[Exception]:
        """Take in what the Flow has written on some Works, and on a few more that are due to be looked at.

        Returns:
            What the Flow has put into them that state cannot hold.
        """
        problems: list[Exception] = []
        for identity in [*identities, *self._rota.next(self._records)]:
            record = self._records.get(identity)
            if record is not None:
                record.work._arm()
                try:
                    self._journal.add(record.mirror.cut(), record.prefix)
                except InvalidValueError as problem:
                    problems.append(problem)
                self.commands += self._updates.hand_over(record)
        return problems

    def call(self, work: LightningWork, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Carry out a Flow's call of ``work.run``."""
        record = self.record(work)
        key = call_hash(args, kwargs)
        if record.stopped:
            if not record.warned:
                _log.warning("%s was stopped, which is final: calls of its run are not executed", record.name)
            record.warned = True
            return
        if self._calls.is_done(record, key):
            return
        if key not in record.outstanding:
            args, kwargs = copy(args), copy(kwargs)
            self._journal.add(record.mirror.cut(), record.prefix)
            self._start_process(record)
            self._calls.order(record, key, args, kwargs)
            if record.service is not None:
                self._services.called(record.service)
        if not work.parallel:
            raise FlowSuspended(record.name)

    def start(self, work: LightningWork) -> None:
        """Start a Work's process without a run."""
        record = self.record(work)
        if record.stopped:
            raise RuntimeError(f"{record.name} was stopped: a work can be started only once.")
        self._start_process(record)

    def stop(self, works: Iterable[LightningWork]) -> None:
        """End Works for good."""
        for work in works:
            record = self.record(work)
            if record.stopped:
                continue
            record.stopped = True
            status = stopped_by_flow(self.now)
            self._calls.finish(record, status)
            latest = work._calls[LATEST] or START
            entry = work._calls.get(latest) or requested("start", "", self.now)
            self._calls.show(record, {latest: ended_by_flow(entry, self.now), LATEST: latest})
            self._end_process(record, "the Flow has stopped it")

    def start_with_flow(self) -> None:
        """Start the Works that are to start with the app."""
        self._has_begun = True
        for record in list(self._records.values()):
            if record.work._start_with_flow and not record.stopped:
                self._start_process(record)

    def receive(self, event: events.WorkEvent) -> None:  # noqa: C901 - one case per event
        """Take in one event."""
        record = self._by_name.get(event.work)
        if record is None or record.incarnation != event.incarnation:
            if isinstance(event, events.WorkExited | events.WorkStartFailed | events.AttachFailed):
                self._leaving.pop(event.incarnation, None)
            return
        match event:
            case events.FramesReceived():
                for frame in event.frames:
                    self._receive_frame(record, frame)
                record.meter.note(event, self.now)
                self._updates.release(record)
                if record.service is not None:
                    self._services.settle(record, record.service)
            case events.WorkStarted():
                record.epoch, record.pid, record.address = event.epoch, event.pid, event.address
                if record.phase is Phase.STARTING:
                    record.phase = Phase.SERVING
            case events.WorkStartFailed():
                self._process_is_gone(record, WorkFailureReasons.START_FAILED, event.message)
            case events.AttachFailed():
                self._process_is_gone(record, WorkFailureReasons.ATTACH_FAILED, event.message)
            case events.WorkAttached() | events.RunSent() | events.RunPutOff() | events.RunAnswered():
                if record.service is not None:
                    self._services.receive(record, record.service, event)
            case events.WorkExited():
                self._process_is_gone(record, WorkFailureReasons.PROCESS_DIED, f"its process {event.how}")
            case events.StateLost():
                self._process_is_gone(record, WorkFailureReasons.PROTOCOL_ERROR, event.message)
                self.commands.append(events.StopWork(record.name, record.incarnation, event.message))
            case events.RunRefused():
                self._calls.refused(record, event)
            case events.UpdateAnswered():
                self._updates.answered(record, event)
                self.commands += self._updates.hand_over(record)
            case events.WorkUnreachable():
                self._unreachable(record, event)
            case events.WorkReachable():
                self._services.came_back(record)
                self._reachable(record)

    def look_at_the_clock(self) -> None:
        """Give up what has been waited for long enough."""
        for record, service in self._services.take_overdue():
            attachment = service.attachment
            message = (
                f"{record.name} could not be attached to {attachment.address} within {attachment.patience_s:g} s: "
                f"{service.trouble}. A service that is not there yet is waited for longer with lost_after_s=..., and "
                "without end with on_lost='wait'."
            )
            self._process_is_gone(record, WorkFailureReasons.ATTACH_FAILED, message)
            self.commands.append(events.StopWork(record.name, record.incarnation, message))

    @property
    def earliest_s(self) -> float:
        """When `look_at_the_clock` has something to do next, in seconds since 1970; infinite if it has not."""
        return self._services.earliest_s

    def begin_end(self, reason: str) -> None:
        """End every process; from now on, an end is no failure."""
        self._standing.is_ending = True
        for record in self._records.values():
            self._end_process(record, reason)

    @property
    def has_processes(self) -> bool:
        """Whether any Work's process is there, or on its way."""
        return bool(self._leaving) or any(record.phase is not Phase.ABSENT for record in self._records.values())

    @property
    def records(self) -> list[WorkRecord]:
        """What is known of every Work; on any thread."""
        return list(self._by_name.values())

    # Processes.

    def _start_process(self, record: WorkRecord) -> None:
        if record.phase is not Phase.ABSENT or self._standing.is_ending:
            return
        package = b""
        if record.service is None:
            package = self._pack(record.work)
            record.mirror.take_written()  # they travel in the package
        record.handover.reset()
        record.phase = Phase.STARTING
        self._last_incarnation += 1
        record.incarnation = self._last_incarnation
        record.unreachable = record.lost_track = False
        if record.service is None:
            self.commands.append(events.StartWork(record.name, record.incarnation, package))
        else:
            self._services.attach(record, record.service)

    def _end_process(self, record: WorkRecord, reason: str) -> None:
        if record.phase in (Phase.STARTING, Phase.SERVING):
            record.phase = Phase.ENDING
            self.commands.append(events.StopWork(record.name, record.incarnation, reason))

    def _process_is_gone(self, record: WorkRecord, reason: str, message: str) -> None:
        was_asked_to = record.phase is Phase.ENDING
        record.phase, record.pid, record.address = Phase.ABSENT, None, ""
        self._services.came_back(record)
        self._reachable(record)
        self._updates.show_again(record, record.handover.reset())
        if was_asked_to or self._standing.is_ending:
            how = WorkStopReasons.SIGTERM_SIGNAL_HANDLER if record.service is None else WorkStopReasons.DETACHED
            status = make_status(WorkStageStatus.STOPPED, self.now, how)
            self._calls.finish(record, status)
            return
        status = make_status(WorkStageStatus.FAILED, self.now, reason, message)
        key = next(iter(record.outstanding), record.work._calls[LATEST] or START)
        if not record.outstanding and stage_of(record.work._calls.get(key)) not in UNFINISHED_STAGES:
            _log.debug("%s: %s; no call was under way", record.name, message)
            if reason != WorkFailureReasons.ATTACH_FAILED:
                return
        elif not record.outstanding:
            entry = record.work._calls.get(key) or requested("start", "", self.now)
            self._calls.show(record, {key: advanced(entry, status), LATEST: key})
        self._calls.finish(record, status)
        if record.work._raise_exception:
            if reason == WorkFailureReasons.START_FAILED:
                self._standing.fail(RuntimeStartError(message))
            elif reason == WorkFailureReasons.ATTACH_FAILED:
                self._standing.fail(ConfigurationError(message))
            else:
                self._standing.fail(WorkFailedError(record.name, key, reason, "", message))

    def _unreachable(self, record: WorkRecord, event: events.WorkUnreachable) -> None:
        if record.phase in (Phase.ABSENT, Phase.ENDING):
            return  # what has been told of it since says more
        if record.service is not None:
            self._services.went_away(record, record.service, event)
        key = record.work._calls[LATEST]
        if key is None or record.unreachable or record.stopped:
            return
        record.unreachable = True
        self._calls.show(record, {key: unreachable(record.work._calls[key], self.now, event.account)})

    def _reachable(self, record: WorkRecord) -> None:
        if not record.unreachable:
            return
        record.unreachable = False
        calls = record.work._calls
        shown = [key for key in calls if key != LATEST and is_unreachable(calls[key])]
        self._calls.show(record, {key: reachable(calls[key]) for key in shown})

    # State.

    def _receive_frame(self, record: WorkRecord, frame: Frame) -> None:
        if record.lost_track and not isinstance(frame, Snapshot):
            return  # was on its way when the snapshot was asked for
        try:
            if isinstance(frame, Delta):
                self._updates.seen(record, frame)
                take = record.mirror.apply_summed if frame.first else record.mirror.apply
                changes, calls = take(frame.changes)
            elif isinstance(frame, Snapshot):
                record.lost_track = False
                changes, calls = record.mirror.replace(frame.document)
                self._updates.seen(record, frame)
            else:
                if frame.digest is not None and not record.mirror.verify(frame.digest):
                    raise ProtocolError(f"the digest at revision {frame.revision} differs")
                return
        except ProtocolError as error:
            record.lost_track = True
            _log.warning("%s: its mirror is made anew: %s", record.name, error)
            self.commands.append(events.ResyncWork(record.name, record.incarnation, str(error)))
            return
        if changes:
            self._journal.add(changes, record.prefix)
            self._journal.because("state", record.name, changes)
        if calls:
            self._calls.changed(record, calls)
        if record.service is not None:
            if isinstance(frame, Snapshot):
                self._services.seen(record, record.service)
            self._services.ask_after(record, record.service, calls)

    def record(self, work: LightningWork) -> WorkRecord:
        """Return what is known of a Work.

        Raises:
            RuntimeError: It was removed from the app.
        """
        record = self._records.get(id(work))
        if record is None:
            raise RuntimeError(f"{work!r} was removed from the app; attach it again to use it")
        return record

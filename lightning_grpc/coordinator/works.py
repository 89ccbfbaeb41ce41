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
    Entry,
    Status,
    advanced,
    call_hash,
    is_finished,
    is_unreachable,
    reachable,
    requested,
    stage_of,
    unreachable,
)
from lightning_grpc.components.status import (
    FINAL_STAGES,
    UNFINISHED_STAGES,
    WorkFailureReasons,
    WorkStageStatus,
    WorkStopReasons,
    make_status,
)
from lightning_grpc.components.work import LightningWork
from lightning_grpc.coordinator.events import (
    Command,
    FramesReceived,
    ResyncWork,
    RunRefused,
    RunWork,
    StartWork,
    StateLost,
    StopWork,
    WorkEvent,
    WorkExited,
    WorkReachable,
    WorkStarted,
    WorkStartFailed,
    WorkUnreachable,
)
from lightning_grpc.coordinator.metrics import WorkMetrics, measured
from lightning_grpc.coordinator.mirror import Mirror
from lightning_grpc.coordinator.record import Journal, PassLedger, Phase, Rota, WorkRecord
from lightning_grpc.errors import FlowSuspended, ProtocolError, RuntimeStartError, WorkFailedError
from lightning_grpc.state.subscription import Delta, Frame, Snapshot
from lightning_grpc.state.values import Path, copy

_log = logging.getLogger("lightning_grpc")
Packer = Callable[[LightningWork], bytes]


class Works:
    """Keeps the records of all Works and says what is to be done with their processes.

    Args:
        journal: Where changes of the app's document are told.
        pack: Takes down what a runtime needs to start a Work.

    Attributes:
        now: Seconds since 1970, as the loop last told.
        commands: What the supervisor is to do.
        ledger: Which uncached blocking calls may return.
        failure: What ends the app, if a Work's failure does.
    """

    def __init__(self, journal: Journal, pack: Packer) -> None:
        self._journal = journal
        self._pack = pack
        self._records: dict[int, WorkRecord] = {}
        self._by_name: dict[str, WorkRecord] = {}
        self._leaving: dict[int, WorkRecord] = {}  # removed from the app, by the incarnation that is ending
        self._rota = Rota()
        self._last_call_id = 0
        self._last_incarnation = 0
        self._ending = False
        self.ledger = PassLedger()
        self.now = 0.0
        self.commands: list[Command] = []
        self.failure: Exception | None = None

    def take_in(self, work: LightningWork, prefix: Path) -> None:
        """Take a Work into the app; `prefix` is where its document stands in the app's."""
        record = WorkRecord(work, work.name, prefix, Mirror(work))
        self._records[id(work)] = record
        self._by_name[record.name] = record

    def let_go(self, work: LightningWork) -> None:
        """Stop and forget a Work that leaves the app."""
        record = self._records.pop(id(work))
        self._end_process(record, "it was removed from the app")
        if record.phase is not Phase.ABSENT:
            self._leaving[record.incarnation] = record
        self._by_name.pop(record.name, None)

    def cut(self, identities: Iterable[int]) -> None:
        """Take in what the Flow has written on some Works, and on a few more that are due to be looked at."""
        for identity in [*identities, *self._rota.next(self._records)]:
            record = self._records.get(identity)
            if record is not None:
                record.work.__dict__["_idle"] = True
                self._journal.add(record.mirror.cut(), record.prefix)

    def call(self, work: LightningWork, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Carry out a Flow's call of ``work.run``."""
        record = self._record(work)
        key = call_hash(args, kwargs)
        if record.stopped:
            if not record.warned:
                _log.warning("%s was stopped, which is final: calls of its run are not executed", record.name)
            record.warned = True
            return
        if self._is_done(record, key):
            return
        if key not in record.outstanding:
            self._order(record, key, copy(args), copy(kwargs))
        if not work.parallel:
            raise FlowSuspended(record.name)

    def start(self, work: LightningWork) -> None:
        """Start a Work's process without a run."""
        record = self._record(work)
        if record.stopped:
            raise RuntimeError(f"{record.name} was stopped: a work can be started only once.")
        self._start_process(record)

    def stop(self, works: Iterable[LightningWork]) -> None:
        """End Works for good."""
        for work in works:
            record = self._record(work)
            if record.stopped:
                continue
            record.stopped = True
            status = make_status(WorkStageStatus.STOPPED, self.now, WorkStopReasons.PENDING)
            self._finish_outstanding(record, status)
            latest = work._calls[LATEST] or START
            entry = work._calls.get(latest) or requested("start", "", self.now)
            if stage_of(entry) != WorkStageStatus.STOPPED:
                self._show(record, {latest: advanced(entry, status), LATEST: latest})
            self._end_process(record, "the Flow has stopped it")

    def start_with_flow(self) -> None:
        """Start the Works that are to start with the app."""
        for record in list(self._records.values()):
            if record.work._start_with_flow:
                self._start_process(record)

    def receive(self, event: WorkEvent) -> None:  # noqa: C901 - one case per event
        """Take in one event."""
        record = self._by_name.get(event.work)
        if record is None or record.incarnation != event.incarnation:
            if isinstance(event, WorkExited | WorkStartFailed):
                self._leaving.pop(event.incarnation, None)
            return
        match event:
            case FramesReceived():
                for frame in event.frames:
                    self._receive_frame(record, frame)
                record.metrics = measured(record.metrics, event, self.now)
            case WorkStarted():
                record.epoch = event.epoch
                if record.phase is Phase.STARTING:
                    record.phase = Phase.SERVING
            case WorkStartFailed():
                self._process_is_gone(record, WorkFailureReasons.START_FAILED, event.message)
            case WorkExited():
                self._process_is_gone(record, WorkFailureReasons.PROCESS_DIED, f"its process {event.how}")
            case StateLost():
                self._process_is_gone(record, WorkFailureReasons.PROTOCOL_ERROR, event.message)
                self.commands.append(StopWork(record.name, record.incarnation, event.message))
            case RunRefused():
                self._refused(record, event)
            case WorkUnreachable():
                self._unreachable(record, event.message)
            case WorkReachable():
                self._reachable(record)

    def begin_end(self, reason: str) -> None:
        """End every process; from now on, an end is no failure."""
        self._ending = True
        for record in self._records.values():
            self._end_process(record, reason)

    @property
    def has_processes(self) -> bool:
        """Whether any Work's process is there, or on its way."""
        return bool(self._leaving) or any(record.phase is not Phase.ABSENT for record in self._records.values())

    def metrics(self) -> dict[str, WorkMetrics]:
        """Return what is known of every Work's stream."""
        return {name: record.metrics for name, record in self._by_name.items()}

    # Calls.

    def _is_done(self, record: WorkRecord, key: str) -> bool:
        """Tell whether a call may return without an execution."""
        if record.work.cache_calls:
            return key not in record.outstanding and stage_of(record.work._calls.get(key)) in FINAL_STAGES
        return not record.work.parallel and self.ledger.may_return(record.name, key)

    def _order(self, record: WorkRecord, key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._last_call_id += 1
        call_id = f"{self._last_call_id}"
        record.outstanding[key] = call_id
        record.unseen.add(key)
        self._journal.add(record.mirror.cut(), record.prefix)
        self._start_process(record)
        entry = requested("run", call_id, self.now, record.work._calls.get(key))
        self._show(record, {key: entry, LATEST: key})
        if record.phase is Phase.ABSENT:  # the app is ending
            return
        written = record.mirror.take_written()
        self.commands.append(RunWork(record.name, record.incarnation, call_id, key, args, kwargs, written, self.now))

    def _finish_outstanding(self, record: WorkRecord, status: Status) -> None:
        """Show that the calls under way are over, in a way the Work itself did not tell."""
        outstanding, record.outstanding = record.outstanding, {}
        record.unseen.clear()
        entries: dict[str, Entry] = {}
        for key in outstanding:
            entry = record.work._calls[key]
            if stage_of(entry) not in FINAL_STAGES:
                entries[key] = advanced(entry, status)
            self.ledger.finished(record.name, key)
        self._show(record, entries)

    # Processes.

    def _start_process(self, record: WorkRecord) -> None:
        if record.phase is not Phase.ABSENT or self._ending:
            return
        package = self._pack(record.work)
        record.mirror.take_written()  # they travel in the package
        record.phase = Phase.STARTING
        self._last_incarnation += 1
        record.incarnation = self._last_incarnation
        record.unreachable = record.lost_track = False
        self.commands.append(StartWork(record.name, record.incarnation, package))

    def _end_process(self, record: WorkRecord, reason: str) -> None:
        if record.phase in (Phase.STARTING, Phase.SERVING):
            record.phase = Phase.ENDING
            self.commands.append(StopWork(record.name, record.incarnation, reason))

    def _process_is_gone(self, record: WorkRecord, reason: str, message: str) -> None:
        was_asked_to = record.phase is Phase.ENDING
        record.phase = Phase.ABSENT
        self._reachable(record)
        if was_asked_to or self._ending:
            status = make_status(WorkStageStatus.STOPPED, self.now, WorkStopReasons.SIGTERM_SIGNAL_HANDLER)
            self._finish_outstanding(record, status)
            return
        status = make_status(WorkStageStatus.FAILED, self.now, reason, message)
        key = next(iter(record.outstanding), record.work._calls[LATEST] or START)
        if not record.outstanding and stage_of(record.work._calls.get(key)) not in UNFINISHED_STAGES:
            _log.debug("%s: %s; no call was under way", record.name, message)
            return
        if not record.outstanding:
            entry = record.work._calls.get(key) or requested("start", "", self.now)
            self._show(record, {key: advanced(entry, status), LATEST: key})
        self._finish_outstanding(record, status)
        if record.work._raise_exception:
            if reason == WorkFailureReasons.START_FAILED:
                self._fail(RuntimeStartError(message))
            else:
                self._fail(WorkFailedError(record.name, key, reason, "", message))

    def _refused(self, record: WorkRecord, event: RunRefused) -> None:
        if record.outstanding.get(event.call_hash) != event.call_id:
            return
        del record.outstanding[event.call_hash]
        record.unseen.discard(event.call_hash)
        self.ledger.finished(record.name, event.call_hash)
        reason = WorkFailureReasons.REFUSED
        entry = record.work._calls[event.call_hash]
        status = make_status(WorkStageStatus.FAILED, self.now, reason, event.message)
        self._show(record, {event.call_hash: advanced(entry, status)})
        if record.work._raise_exception:
            self._fail(WorkFailedError(record.name, event.call_hash, reason, "", event.message))

    def _unreachable(self, record: WorkRecord, message: str) -> None:
        key = record.work._calls[LATEST]
        if key is None or record.unreachable or record.stopped or record.phase is Phase.ENDING:
            return
        record.unreachable = True
        self._show(record, {key: unreachable(record.work._calls[key], self.now, message)})

    def _reachable(self, record: WorkRecord) -> None:
        if not record.unreachable:
            return
        record.unreachable = False
        calls = record.work._calls
        shown = [key for key in calls if key != LATEST and is_unreachable(calls[key])]
        self._show(record, {key: reachable(calls[key]) for key in shown})

    def _fail(self, failure: Exception) -> None:
        if self.failure is None and not self._ending:
            self.failure = failure

    # State.

    def _receive_frame(self, record: WorkRecord, frame: Frame) -> None:
        if record.lost_track and not isinstance(frame, Snapshot):
            return  # was on its way when the snapshot was asked for
        try:
            if isinstance(frame, Delta):
                changes, calls = record.mirror.apply(frame.changes)
            elif isinstance(frame, Snapshot):
                record.lost_track = False
                changes, calls = record.mirror.replace(frame.document)
            else:
                if frame.digest is not None and not record.mirror.verify(frame.digest):
                    raise ProtocolError(f"the digest at revision {frame.revision} differs")
                return
        except ProtocolError as error:
            record.lost_track = True
            _log.warning("%s: its mirror is made anew: %s", record.name, error)
            self.commands.append(ResyncWork(record.name, record.incarnation, str(error)))
            return
        if changes:
            self._journal.add(changes, record.prefix)
            self._journal.because("state", record.name, changes)
        if calls:
            self._calls_changed(record, calls)

    def _calls_changed(self, record: WorkRecord, keys: list[str]) -> None:
        """Show what the Work says of its calls, and draw the conclusions."""
        keys = list(dict.fromkeys(keys))
        for key in keys:
            entry = record.mirror.entry(key)
            if key in record.unseen and entry is not None and entry["call_id"] == record.outstanding.get(key):
                record.unseen.discard(key)
        self._show(record, self._entries_to_show(record, keys))
        for key in keys:
            if key == LATEST:
                continue
            entry = record.mirror.entry(key)
            call_id = record.outstanding.get(key)
            if call_id is not None and is_finished(entry, call_id):
                del record.outstanding[key]
                self.ledger.finished(record.name, key)
                self._journal.because("call", record.name)
            elif key != START or entry is None or entry["call_id"] != str(record.epoch):
                continue
            self._judge(record, key, entry)

    def _entries_to_show(self, record: WorkRecord, keys: list[str]) -> dict[str, Any]:
        """Return what the view shall show of what the Work says of its calls.

        The latest call stays the one that the Flow has made while the Work has not heard of it; and a Work that
        the Flow has stopped stays stopped.
        """
        heard = [key for key in keys if key != LATEST and key not in record.unseen]
        entries: dict[str, Any] = {key: copy(entry) for key in heard if (entry := record.mirror.entry(key)) is not None}
        latest = record.work._calls[LATEST]
        if not record.unseen and not record.stopped:
            entries[LATEST] = record.mirror.replica["calls"][LATEST]  # it may have been held back
        elif record.stopped and latest in entries and stage_of(entries[latest]) != WorkStageStatus.STOPPED:
            status = make_status(WorkStageStatus.STOPPED, self.now, WorkStopReasons.PENDING)
            entries[latest] = advanced(entries[latest], status)
        return entries

    def _judge(self, record: WorkRecord, key: str, entry: Entry | None) -> None:
        """Fail the app if a call that is over has failed in a way that shall."""
        if entry is None:
            return
        status = entry["statuses"][-1]
        if stage_of(entry) == WorkStageStatus.STOPPED:
            if self._ending or record.phase is Phase.ENDING:
                return
            status = {**status, "message": f"its run was interrupted: {status.get('message', 'its process ends')}"}
        elif stage_of(entry) != WorkStageStatus.FAILED:
            return
        if status.get("raised", record.work._raise_exception) and not record.stopped:
            message = status.get("message", "")
            self._fail(WorkFailedError(record.name, key, status["reason"], status.get("exception", ""), message))

    def _show(self, record: WorkRecord, entries: dict[str, Any]) -> None:
        changes = record.mirror.set_calls(entries)
        if changes:
            self._journal.add(changes, record.prefix)
            self._journal.because("call", record.name, changes)

    def _record(self, work: LightningWork) -> WorkRecord:
        record = self._records.get(id(work))
        if record is None:
            raise RuntimeError(f"{work!r} was removed from the app; attach it again to use it")
        return record

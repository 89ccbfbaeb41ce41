"""What follows from what has happened: the coordinator without I/O.

`Tick` holds the app's records and is told everything: events from the supervisor, calls by the Flow,
the beginning and end of each run of the root. It answers with commands for the supervisor, with changes
for the app's log, and with whether the root is to be run again. It reads no clock; `now` comes in.

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
    requested,
    stage_of,
)
from lightning_grpc.components.component import Component, Node
from lightning_grpc.components.flow import LightningFlow
from lightning_grpc.components.status import (
    FINAL_STAGES,
    UNREACHABLE,
    WorkFailureReasons,
    WorkStageStatus,
    WorkStopReasons,
    make_status,
)
from lightning_grpc.components.structures import components_below, kind_of
from lightning_grpc.components.work import LightningWork
from lightning_grpc.coordinator.events import (
    Command,
    EndRequested,
    Event,
    FramesReceived,
    ResyncWork,
    RunRefused,
    RunWork,
    StartWork,
    StateLost,
    StopWork,
    WorkExited,
    WorkReachable,
    WorkStarted,
    WorkStartFailed,
    WorkUnreachable,
)
from lightning_grpc.coordinator.mirror import Mirror
from lightning_grpc.coordinator.record import PassLedger, Phase, WorkRecord
from lightning_grpc.errors import FlowSuspended, ProtocolError, RuntimeStartError, WorkFailedError
from lightning_grpc.state.cut import Cutter
from lightning_grpc.state.delta import Change, Delete, Set, prefixed
from lightning_grpc.state.subscription import Delta, Frame, Snapshot
from lightning_grpc.state.values import Path, copy

_log = logging.getLogger("lightning_grpc")
Packer = Callable[[LightningWork], bytes]


class Tick:
    """The coordinator's mind.

    Args:
        root: The root Flow; its tree is taken in, and this becomes its backend.
        pack: Takes down what a runtime needs to start a Work.

    Attributes:
        now: Seconds since 1970, as the loop last told.
        urge: Called when a Flow has asked for something that should not wait for the end of its run.
        commands: What the supervisor is to do; the loop takes them away.
        changes: Changes of the app's document since the loop last took them.
        changed: Whether something has happened that the root Flow should see.
        failure: What ends the app, if a Work's failure does.
        end_signal: The signal that the app is to end by, if there was one.

    Threads: All on the thread that runs the app.
    """

    def __init__(self, root: LightningFlow, pack: Packer) -> None:
        self._root = root
        self._pack = pack
        self._records: dict[int, WorkRecord] = {}
        self._by_name: dict[str, WorkRecord] = {}
        self._leaving: dict[int, WorkRecord] = {}  # removed from the app, by the incarnation that is ending
        self._flows: dict[int, tuple[LightningFlow, Path, Cutter]] = {}
        self._dirty: dict[int, Component] = {}
        self._ledger = PassLedger()
        self._last_call_id = 0
        self._last_incarnation = 0
        self._ending = False
        self.now = 0.0
        self.urge: Callable[[], None] = lambda: None
        self.commands: list[Command] = []
        self.changes: list[Change] = []
        self.changed = True
        self.failure: Exception | None = None
        self.end_signal: int | None = None
        self.attached(root)

    # What components ask for (the Backend protocol).

    def attached(self, node: Node) -> None:
        """Take in a node with all below it."""
        for component in components_below(node):
            self._take_in(component)
        if node is not self._root:
            self.changes.append(Set(document_path(node), node.state))
            self.changed = True

    def detached(self, node: Node) -> None:
        """Stop and forget a node, with all below it, that is about to leave the tree."""
        for component in list(components_below(node)):
            self._let_go(component)
        self.changes.append(Delete(document_path(node), node.state))
        self.changed = True
        self.urge()

    def _take_in(self, component: Component) -> None:
        prefix = document_path(component)
        if isinstance(component, LightningWork):
            record = WorkRecord(component, component.name, prefix, Mirror(component))
            self._records[id(component)] = record
            self._by_name[record.name] = record
        elif isinstance(component, LightningFlow):
            cutter = Cutter(component.__dict__, component._declared)
            cutter.cut()
            self._flows[id(component)] = (component, prefix, cutter)
        backend = self if component is self._root else None
        component.__dict__.update(_watcher=self._note, _idle=True, _backend=backend)

    def _let_go(self, component: Component) -> None:
        record = self._records.pop(id(component), None)
        if record is not None:
            self._end_process(record, "it was removed from the app")
            if record.phase is not Phase.ABSENT:
                self._leaving[record.incarnation] = record
            if self._by_name.get(record.name) is record:
                del self._by_name[record.name]
        self._flows.pop(id(component), None)
        self._dirty.pop(id(component), None)
        component.__dict__.update(_watcher=None, _idle=False, _backend=self)

    def retired(self, component: Component, attribute: str) -> None:
        """Drop an attribute whose name a child component has taken."""
        _, prefix, cutter = self._flows[id(component)]
        self._add(cutter.forget(attribute), prefix)

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
            self.urge()
        if not work.parallel:
            raise FlowSuspended(record.name)

    def start(self, work: LightningWork) -> None:
        """Start a Work's process without a run."""
        record = self._record(work)
        if record.stopped:
            raise RuntimeError(f"{record.name} was stopped: a work can be started only once.")
        self._start_process(record)
        self.urge()

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
        self.urge()

    # What the loop tells.

    def start_with_flow(self) -> None:
        """Start the Works that are to start with the app."""
        for record in list(self._records.values()):
            if record.work._start_with_flow:
                self._start_process(record)

    def receive(self, event: Event) -> None:  # noqa: C901 - one case per event
        """Take in one event."""
        if isinstance(event, EndRequested):
            self.end_signal = event.signal
            return
        record = self._by_name.get(event.work)
        if record is None or record.incarnation != event.incarnation:
            if isinstance(event, WorkExited | WorkStartFailed):
                self._leaving.pop(event.incarnation, None)
            return
        match event:
            case FramesReceived():
                for frame in event.frames:
                    self._receive_frame(record, frame)
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
                self._end_process_of(record, event.message)
            case RunRefused():
                self._refused(record, event)
            case WorkUnreachable():
                self._unreachable(record, event.message)
            case WorkReachable():
                self._reachable(record)

    def begin_run(self) -> None:
        """Note that the root is about to be run."""
        self.changed = False
        self._ledger.restarted()

    def end_run(self, *, suspended: bool) -> None:
        """Note that the root's run is over and take in what the Flows have written.

        Args:
            suspended: Whether a blocking call ended it. What it wrote is kept, but is no reason to run it again:
                it goes on when the call is done.

        Raises:
            InvalidValueError: A Flow put something into a container that state cannot hold.
        """
        wrote = self.cut()
        if not suspended and (self._ledger.completed() or wrote):
            self.changed = True

    def cut(self) -> bool:
        """Take in what Flows have written on themselves and on mirrors; tell whether it was anything."""
        before = len(self.changes)
        dirty, self._dirty = self._dirty, {}
        for identity, (flow, prefix, cutter) in self._flows.items():
            if identity in dirty or cutter.has_containers:
                flow.__dict__["_idle"] = True
                self._add(cutter.cut(), prefix)
                for problem in cutter.problems.values():
                    raise problem.within((), flow._title())
        for identity in dirty:
            record = self._records.get(identity)
            if record is not None:
                record.work.__dict__["_idle"] = True
                self._add(record.mirror.cut(), record.prefix)
        return len(self.changes) > before

    def begin_end(self, reason: str) -> None:
        """End every process; from now on, an end is no failure."""
        self._ending = True
        for record in self._records.values():
            self._end_process(record, reason)

    @property
    def has_processes(self) -> bool:
        """Whether any Work's process is there, or on its way."""
        return bool(self._leaving) or any(record.phase is not Phase.ABSENT for record in self._records.values())

    def take_commands(self) -> list[Command]:
        """Return, once, what the supervisor is to do."""
        commands, self.commands = self.commands, []
        return commands

    def take_changes(self) -> list[Change]:
        """Return, once, what has changed in the app's document."""
        changes, self.changes = self.changes, []
        return changes

    # Calls.

    def _is_done(self, record: WorkRecord, key: str) -> bool:
        """Tell whether a call may return without an execution."""
        if record.work.cache_calls:
            return key not in record.outstanding and stage_of(record.work._calls.get(key)) in FINAL_STAGES
        return not record.work.parallel and self._ledger.may_return(record.name, key)

    def _order(self, record: WorkRecord, key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._last_call_id += 1
        call_id = f"{self._last_call_id}"
        record.outstanding[key] = call_id
        record.unseen.add(key)
        self._add(record.mirror.cut(), record.prefix)
        self._start_process(record)
        entry = requested("run", call_id, self.now, record.work._calls.get(key))
        self._show(record, {key: entry, LATEST: key})
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
            self._ledger.finished(record.name, key)
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
            self._end_process_of(record, reason)

    def _end_process_of(self, record: WorkRecord, reason: str) -> None:
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
        lost = bool(record.outstanding) or stage_of(record.work._calls.get(key)) in (
            WorkStageStatus.NOT_STARTED,
            WorkStageStatus.STARTED,
            WorkStageStatus.PENDING,
            WorkStageStatus.RUNNING,
        )
        if not lost:
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
        self._ledger.finished(record.name, event.call_hash)
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
        entry = record.work._calls[key]
        status = make_status(stage_of(entry), self.now, UNREACHABLE, message)
        self._show(record, {key: {**entry, "statuses": [*entry["statuses"], status]}})

    def _reachable(self, record: WorkRecord) -> None:
        if not record.unreachable:
            return
        record.unreachable = False
        entries = {
            key: {**entry, "statuses": statuses}
            for key, entry in record.work._calls.items()
            if key != LATEST and len(statuses := _without_unreachable(entry)) < len(entry["statuses"])
        }
        self._show(record, entries)

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
            record.resyncs += 1
            _log.warning("%s: its mirror is made anew: %s", record.name, error)
            self.commands.append(ResyncWork(record.name, record.incarnation, str(error)))
            return
        if changes:
            self._add(changes, record.prefix)
            self.changed = True
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
                self._ledger.finished(record.name, key)
                self.changed = True
            elif key != START or entry is None or entry["call_id"] != str(record.epoch):
                continue
            self._judge(record, key, entry)

    def _entries_to_show(self, record: WorkRecord, keys: list[str]) -> dict[str, Any]:
        """Return what the view shall show of what the Work says of its calls.

        The latest call stays the one that the Flow has made while the Work has not heard of it; and a Work that
        the Flow has stopped stays stopped.
        """
        entries: dict[str, Any] = {}
        for key in keys:
            if key != LATEST and key not in record.unseen and (entry := record.mirror.entry(key)) is not None:
                entries[key] = copy(entry)
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
            self._add(changes, record.prefix)
            self.changed = True

    def _add(self, changes: list[Change], prefix: Path) -> None:
        if changes:
            self.changes += prefixed(changes, prefix)

    def _note(self, component: Component) -> None:
        component.__dict__["_idle"] = False
        self._dirty[id(component)] = component

    def _record(self, work: LightningWork) -> WorkRecord:
        record = self._records.get(id(work))
        if record is None:
            raise RuntimeError(f"{work!r} was removed from the app; attach it again to use it")
        return record


def document_path(node: Node) -> Path:
    """Return where a node's document stands in the app's, such as ``("works", "w")``."""
    path: Path = ()
    while node._parent is not None:
        path = (kind_of(node), node._key, *path)
        node = node._parent
    return path


def _without_unreachable(entry: Entry) -> list[Status]:
    return [status for status in entry["statuses"] if status.get("reason") != UNREACHABLE]

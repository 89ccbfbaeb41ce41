"""What Flows write on Works that want to know of it: sent, and what comes of it shown."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from lightning_grpc.components.work_options import UpdateConflict
from lightning_grpc.coordinator.events import UpdateAnswered, UpdateWork
from lightning_grpc.coordinator.record import Journal, Phase, WorkRecord
from lightning_grpc.state.subscription import Delta, Frame, Snapshot

_log = logging.getLogger("lightning_grpc")


MAX_IN_FLIGHT = 256
"""Attributes of one Work that may be on their way; what is written beyond waits, and only the newest of it is sent."""


class Updates:
    """Hands over what Flows write, and draws the conclusions.

    Args:
        journal: Where changes of what the Flow sees go.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def hand_over(self, record: WorkRecord) -> list[UpdateWork]:
        """Return the command that sends what the Flow has written, if there is a process that wants to know."""
        if not record.work._receive_updates or record.phase not in (Phase.STARTING, Phase.SERVING):
            return []
        if record.handover.in_flight >= MAX_IN_FLIGHT:
            return []  # the Work does not answer; what is newest then is sent when it does
        if record.service is not None and not record.service.is_known:
            return []  # the Flow has not seen what it would overwrite
        written = record.mirror.take_written()
        if not written:
            return []
        bases = record.handover.send(written)
        updates = {name: (value, bases[name]) for name, value in written.items()}
        return [UpdateWork(record.name, record.incarnation, updates, record.epoch)]

    def seen(self, record: WorkRecord, frame: Frame) -> None:
        """Note which attributes the Flow is about to see, as of which revision."""
        names: Iterable[object] = ()
        if isinstance(frame, Snapshot):
            names = frame.document["vars"]
        elif isinstance(frame, Delta) and record.work._receive_updates:
            names = [each.path[1] for each in frame.changes if each.path[:1] == ("vars",) and len(each.path) > 1]
        record.handover.seen(map(str, names), frame.revision)

    def answered(self, record: WorkRecord, event: UpdateAnswered) -> None:
        """Take in a Work's answer: a conflict is told, and what was taken is shown when the Work's state has it."""
        if event.epoch not in (0, record.epoch):
            return  # another process of its service was asked, which is gone
        record.handover.answered(event.wanted, event.revision, event.conflicts)
        known = record.work._update_conflicts
        for name in event.wanted.keys() - event.conflicts.keys():
            known.pop(name, None)
        for name, revision in event.conflicts.items():
            reason = event.message or f"the Work has changed it itself, in revision {revision or 'to come'}"
            known[name] = UpdateConflict(name, event.wanted[name], revision, reason)
            _log.warning("%s.%s: what the Flow has written is not taken: %s", record.name, name, reason)
        if event.conflicts:
            self._journal.because("conflict", record.name)
        self.release(record)

    def release(self, record: WorkRecord) -> None:
        """Show what the Work has of the attributes that it has answered for, as far as its state has come there."""
        if record.handover.held:
            self.show_again(record, record.handover.release(record.meter.revision))

    def show_again(self, record: WorkRecord, names: Iterable[str]) -> None:
        """Show what the Work has of some attributes."""
        for name in names:
            changes = record.mirror.show(name)
            self._journal.add(changes, record.prefix)
            if changes:
                self._journal.because("state", record.name, changes)

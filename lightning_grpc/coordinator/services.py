"""The services that Works are attached to: who is there, who has gone away, and what becomes of the calls."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import replace

from lightning_grpc.components.calls import Status
from lightning_grpc.components.remote_work import RemoteWork
from lightning_grpc.components.status import WorkFailureReasons, WorkStageStatus, make_status
from lightning_grpc.coordinator import events
from lightning_grpc.coordinator.call_book import CallBook
from lightning_grpc.coordinator.lost_runs import is_asked_for_again
from lightning_grpc.coordinator.record import Phase, Service, Standing, WorkRecord
from lightning_grpc.coordinator.updates import Updates
from lightning_grpc.errors import WorkFailedError

_log = logging.getLogger("lightning_grpc")


class Services:
    """Decides about Works that are attached to services.

    Args:
        standing: How the app stands.
        calls: The calls that were made of them.
        updates: What Flows write on them.
    """

    def __init__(self, standing: Standing, calls: CallBook, updates: Updates) -> None:
        self._standing = standing
        self._calls = calls
        self._updates = updates
        self._away: dict[str, WorkRecord] = {}

    @property
    def earliest_s(self) -> float:
        """When the next one counts as lost, in seconds since 1970; infinite if none does."""
        waiting = (record.service for record in self._away.values() if _is_waited_for(record))
        return min((service.give_up_at_s for service in waiting if service is not None), default=math.inf)

    def attach(self, record: WorkRecord, service: Service) -> None:
        """Begin to follow a service."""
        work = record.work
        record.epoch, service.is_known = 0, False
        class_name = "" if isinstance(work, RemoteWork) else type(work).__name__
        declared = frozenset(name for name in work._declared if not name.startswith("_"))
        attributes = frozenset() if isinstance(work, RemoteWork) else declared
        self._standing.commands.append(
            events.AttachWork(record.name, record.incarnation, service.attachment, class_name, attributes)
        )

    def receive(self, record: WorkRecord, service: Service, event: events.WorkEvent) -> None:
        """Take in what only services say."""
        match event:
            case events.WorkAttached():
                self._attached(record, service, event)
            case events.RunSent():
                service.sent.add(event.call_id)
            case events.RunPutOff():
                service.sent.discard(event.call_id)
            case events.RunAnswered():
                self._answered(record, service, event)

    def _attached(self, record: WorkRecord, service: Service, event: events.WorkAttached) -> None:
        """Note which process is there; what that means for calls shows when its state is known."""
        if record.epoch:
            _log.warning("%s: another process of its service answers at %s", record.name, event.address)
        record.epoch, record.address = event.epoch, event.address
        service.is_known = record.lost_track = False
        service.at_stake |= service.sent
        service.sent.clear()
        service.settled.clear()
        service.asked_after.clear()
        self._updates.show_again(record, record.handover.reset())
        if record.phase is Phase.STARTING:
            record.phase = Phase.SERVING
        self.came_back(record)

    def seen(self, record: WorkRecord, service: Service) -> None:
        """Note that the state of a service has been seen, as a whole: what another process took along is lost now."""
        if service.is_known:
            return
        service.is_known = True
        at_stake, service.at_stake = service.at_stake, set()
        lost = [key for key, call_id in record.outstanding.items() if call_id in at_stake]
        for key in lost:
            call_id, entry = record.outstanding[key], record.mirror.entry(key)
            if entry is not None and entry["call_id"] == call_id:  # this process knows of it
                service.sent.add(call_id)
            elif is_asked_for_again(service.attachment.on_lost, has_begun=call_id in service.begun):
                self._calls.order_again(record, key)
            else:
                self._lose(record, key, f"{service.attachment.address} was started anew while it was under way")
        self._standing.commands += self._updates.hand_over(record)

    def went_away(self, record: WorkRecord, service: Service, event: events.WorkUnreachable) -> None:
        """Note that a service is not heard any more, or not yet."""
        service.trouble = event.why or event.message
        service.give_up_at_s = self._standing.now - event.silent_s + service.attachment.patience_s
        self._away[record.name] = record
        until = "" if service.give_up_at_s == math.inf else f" until {service.attachment.patience_s:g} s are over"
        _log.warning("%s: its service is away (%s); it is waited for%s", record.name, event.account, until)

    def came_back(self, record: WorkRecord) -> None:
        """Note that a service is heard, or that nobody waits for it any more."""
        if record.service is not None:
            record.service.give_up_at_s, record.service.trouble = math.inf, ""
        self._away.pop(record.name, None)

    def called(self, service: Service) -> None:
        """Give a call that was made while its service is away the same patience that others have."""
        if service.trouble and service.give_up_at_s < self._standing.now:
            service.give_up_at_s = self._standing.now + service.attachment.patience_s

    def take_overdue(self) -> list[tuple[WorkRecord, Service]]:
        """Return the services that have been away for too long; of those that were there once, the calls are lost."""
        never_there = []
        for record in list(self._away.values()):
            service = record.service
            if service is None or not _is_waited_for(record) or service.give_up_at_s > self._standing.now:
                continue
            if record.phase is Phase.STARTING:
                never_there.append((record, service))
                continue
            for key in list(record.outstanding):
                self._lose(record, key, f"{service.attachment.address} is away: {service.trouble}")
        return never_there

    def ask_after(self, record: WorkRecord, service: Service, keys: Iterable[str]) -> None:
        """Ask how executions ended of which the state shows no entry, because another one of the same call does."""
        for key in keys:
            call_id, order = record.outstanding.get(key), service.orders.get(key)
            if call_id is None or order is None or call_id not in service.sent or not service.is_known:
                continue
            entry = record.mirror.entry(key)
            other = "" if entry is None else f"{entry['call_id']}"
            if other == call_id or service.asked_after.get(key) == other or key in service.settled:
                continue
            service.asked_after[key] = other
            again = replace(order, epoch=record.epoch)
            self._standing.commands.append(again)

    def _answered(self, record: WorkRecord, service: Service, event: events.RunAnswered) -> None:
        if record.outstanding.get(event.call_hash) != event.call_id:
            return
        if event.final_status is None:
            self._calls.changed(record, [event.call_hash])  # the entry may have been there before it was asked for
            return
        service.settled[event.call_hash] = (event.call_id, event.final_status, event.revision)
        self.settle(record, service)

    def settle(self, record: WorkRecord, service: Service) -> None:
        """Take in how executions ended of which the state shows no entry, when it shows all that they have written."""
        for key, (call_id, status, revision) in list(service.settled.items()):
            if record.outstanding.get(key) != call_id:
                del service.settled[key]
            elif record.meter.revision >= revision:
                self._calls.conclude(record, key, status)

    def _lose(self, record: WorkRecord, key: str, message: str) -> None:
        reason = WorkFailureReasons.LOST
        self._standing.commands.append(events.DropRun(record.name, record.incarnation, record.outstanding[key]))
        status: Status = make_status(WorkStageStatus.FAILED, self._standing.now, reason, message)
        self._calls.finish(record, status, [key])
        if record.work._raise_exception:
            self._standing.fail(WorkFailedError(record.name, key, reason, "", message))


def _is_waited_for(record: WorkRecord) -> bool:
    return bool(record.outstanding) or record.phase is Phase.STARTING

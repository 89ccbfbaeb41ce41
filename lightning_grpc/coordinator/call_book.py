"""The calls that a Flow has made of its Works: which are under way, which are done, what is shown of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from lightning_grpc.components.calls import (
    GOES_ON,
    LATEST,
    START,
    Entry,
    Status,
    advanced,
    is_finished,
    newest_call_id,
    reachable,
    requested,
    stage_of,
)
from lightning_grpc.components.status import FINAL_STAGES, WorkFailureReasons, WorkStageStatus, make_status
from lightning_grpc.coordinator.events import RunRefused, RunWork
from lightning_grpc.coordinator.lost_runs import has_begun, is_asked_for_again, was_cut_off
from lightning_grpc.coordinator.outcomes import entries_to_show, failure_of, own_entries_to_show
from lightning_grpc.coordinator.record import Caller, Journal, PassLedger, Phase, Standing, WorkRecord
from lightning_grpc.coordinator.updates import Updates
from lightning_grpc.errors import WorkFailedError
from lightning_grpc.state.values import Value


class CallBook:
    """Keeps the calls of all Works.

    Args:
        standing: How the app stands.
        journal: Where changes of the app's document are told.
        updates: Hands over what the Flow has written before a call.
        caller: Who calls, as Works that others call too are told.

    Attributes:
        ledger: Which uncached blocking calls may return.
    """

    def __init__(self, standing: Standing, journal: Journal, updates: Updates, caller: Caller) -> None:
        self._standing = standing
        self._journal = journal
        self._updates = updates
        self._caller = caller
        self._last_number = 0
        self.ledger = PassLedger()

    def take_in(self, record: WorkRecord) -> None:
        """Go on counting after the calls that a Work has had."""
        self._last_number = max(self._last_number, newest_call_id(record.work._calls))

    def is_done(self, record: WorkRecord, key: str) -> bool:
        """Tell whether a call may return without an execution."""
        if record.work.cache_calls:
            return key not in record.outstanding and stage_of(record.work._calls.get(key)) in FINAL_STAGES
        return not record.work.parallel and self.ledger.may_return(record.name, key)

    def order(self, record: WorkRecord, key: str, args: tuple[Value, ...], kwargs: dict[str, Value]) -> None:
        """Ask for an execution, of a Work that was started; unless the app is ending, which `Phase.ABSENT` tells."""
        before = record.work._calls.get(key)
        goes_on = before is not None and record.service is not None and before.get(GOES_ON)
        call_id = before["call_id"] if before and goes_on else self._new_call_id(record)  # its service may know it
        if record.service is not None:
            record.service.successes[key] = before["successes"] if before else 0
        self._show_requested(record, key, call_id)
        if record.phase is Phase.ABSENT:
            return
        self._standing.commands += self._updates.hand_over(record)
        order = RunWork(
            record.name,
            record.incarnation,
            call_id,
            key,
            args,
            kwargs,
            attributes=record.mirror.take_written(),
            requested_at_s=self._standing.now,
            caller=self._caller.name if record.service is not None else "",
        )
        self._send(record, order)

    def order_again(self, record: WorkRecord, key: str) -> None:
        """Ask for another execution of a call whose execution was lost."""
        assert record.service is not None
        lost = record.service.orders[key]
        record.service.forget(key, lost.call_id)
        call_id = self._new_call_id(record)
        self._show_requested(record, key, call_id)
        order = replace(lost, call_id=call_id)
        self._send(record, order)

    def _new_call_id(self, record: WorkRecord) -> str:
        self._last_number += 1
        own = f"{self._caller.identity}-" if record.service is not None else ""
        return f"{own}{self._last_number}"

    def _show_requested(self, record: WorkRecord, key: str, call_id: str) -> None:
        record.outstanding[key] = call_id
        record.unseen.add(key)
        entry = requested("run", call_id, self._standing.now, record.work._calls.get(key))
        self.show(record, {key: entry, LATEST: key})

    def _send(self, record: WorkRecord, order: RunWork) -> None:
        if record.service is not None:
            record.service.orders[order.call_hash] = order
        self._standing.commands.append(order)

    def finish(self, record: WorkRecord, status: Status, keys: Iterable[str] | None = None) -> None:
        """Show that calls under way are over, in a way the Work itself did not tell; all of them by default."""
        ended = list(record.outstanding if keys is None else keys)
        entries: dict[str, Entry] = {}
        for key in ended:
            self._close(record, key)
            entry = record.work._calls[key]
            if stage_of(entry) not in FINAL_STAGES:
                entries[key] = advanced(entry, status)
        self.show(record, entries)

    def refused(self, record: WorkRecord, event: RunRefused) -> None:
        """Take in that a Work does not execute a call."""
        if record.outstanding.get(event.call_hash) != event.call_id:
            return
        reason = WorkFailureReasons.REFUSED
        self.finish(
            record, make_status(WorkStageStatus.FAILED, self._standing.now, reason, event.message), [event.call_hash]
        )
        if record.work._raise_exception:
            self._standing.fail(WorkFailedError(record.name, event.call_hash, reason, "", event.message))

    def changed(self, record: WorkRecord, keys: list[str]) -> None:
        """Show what the Work says of its calls, and draw the conclusions."""
        keys = list(dict.fromkeys(keys))
        for key in keys:
            entry = record.mirror.entry(key)
            if key != LATEST and entry is not None and entry["call_id"] == record.outstanding.get(key):
                record.unseen.discard(key)
                if record.service is not None and has_begun(entry):
                    record.service.begun.add(entry["call_id"])
        if record.service is None:
            self.show(record, entries_to_show(record, keys, self._standing.now))
        else:
            self.show(record, own_entries_to_show(record, record.service, keys, self._standing.now))
        for key in keys:
            if key == LATEST:
                continue
            entry = record.mirror.entry(key)
            call_id = record.outstanding.get(key)
            if call_id is not None and is_finished(entry, call_id):
                if entry is not None and self._is_asked_for_again(record, entry):
                    self.order_again(record, key)
                    continue
                self._close(record, key)
                self._journal.because("call", record.name)
            elif key != START or entry is None or entry["call_id"] != str(record.epoch):
                continue
            self._judge(record, key, entry)

    def conclude(self, record: WorkRecord, key: str, status: Status) -> None:
        """Take in how an execution has ended of which the state shows no entry any more."""
        entry = advanced(reachable(record.work._calls[key]), status)
        self._close(record, key)
        self.show(record, {key: entry})
        self._journal.because("call", record.name)
        self._judge(record, key, entry)

    def show(self, record: WorkRecord, entries: dict[str, Any]) -> None:
        """Show some entries to the Flow."""
        changes = record.mirror.set_calls(entries)
        if changes:
            self._journal.add(changes, record.prefix)
            self._journal.because("call", record.name, changes)

    def _close(self, record: WorkRecord, key: str) -> None:
        call_id = record.outstanding.pop(key)
        record.unseen.discard(key)
        if record.service is not None:
            record.service.forget(key, call_id)
        self.ledger.finished(record.name, key)

    def _is_asked_for_again(self, record: WorkRecord, entry: Entry) -> bool:
        """Tell whether the end of its service has ended an execution, and another process of it shall do it again."""
        if record.service is None or record.phase is not Phase.SERVING or not was_cut_off(entry):
            return False
        return is_asked_for_again(record.service.attachment.on_lost, has_begun=has_begun(entry))

    def _judge(self, record: WorkRecord, key: str, entry: Entry | None) -> None:
        """Fail the app if a call that is over has failed in a way that shall."""
        failure = failure_of(record, key, entry, is_ending=self._standing.is_ending)
        if failure is not None:
            self._standing.fail(failure)

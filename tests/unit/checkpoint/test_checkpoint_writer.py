"""The thread that writes a checkpoint: batch by batch, soon, within bounds, and never silently wrong."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from lightning_grpc.checkpoint import writer as writing
from lightning_grpc.checkpoint.file import CheckpointFile, RunOfApp
from lightning_grpc.checkpoint.writer import CheckpointWriter
from lightning_grpc.errors import CheckpointError
from lightning_grpc.state.delta import Set, Splice

DEADLINE_S = 50
LIMIT_BYTES = 1 << 30


def document_of(n):
    return {"vars": {"n": n, "log": []}, "calls": {}}


def delta_of(n):
    return [Set(("vars", "n"), n)]


@pytest.fixture
def file(tmp_path):
    with contextlib.closing(CheckpointFile.open_to_write(tmp_path)) as file:
        file.create("app.py", RunOfApp(1, 1, 1.0, 1, ""), document_of(1))
        yield file


class Writer(CheckpointWriter):
    """Knows up to which revision all is done that follows from one: also, that a snapshot was begun if it was due."""

    looked_after = 0

    def _look_after(self, revision):
        super()._look_after(revision)
        self.looked_after = revision


@pytest.fixture
def start(file):
    writers = []

    def make(limit_bytes=LIMIT_BYTES):
        writers.append(Writer(file, file.revisions()[-1], limit_bytes=limit_bytes))
        writers[-1].start()
        return writers[-1]

    yield make
    for writer in writers:
        with contextlib.suppress(CheckpointError):
            writer.close()
    ours = {"lightning-grpc-checkpoint", "lightning-grpc-snapshot", "lightning-grpc-move-log"}
    assert not [thread for thread in threading.enumerate() if thread.name in ours]


def wait_for(condition):
    end_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.002)


def is_settled(writer):
    """Whether all is on disk, and no snapshot is being made, nor is the log being moved."""
    if writer.looked_after != writer.revision:
        return False
    return all(aside.is_done or not aside.is_busy for aside in (writer._snapshot, writer._move))


def newest(directory):
    with contextlib.closing(CheckpointFile.open_to_read(directory)) as reader:
        return reader.revisions()[-1]


def test_what_is_handed_over_is_soon_on_disk_without_more_coming(start, tmp_path):
    writer = start()
    writer.add([delta_of(2), delta_of(3)])
    assert writer.revision == 3
    wait_for(lambda: newest(tmp_path) == 3)


def test_everything_is_on_disk_when_it_is_closed(start, file):
    writer = start()
    for n in range(2, 500):
        writer.add([delta_of(n)])
    writer.close()
    assert file.revisions() == range(1, 500)
    assert file.document_at(321)["vars"]["n"] == 321


def test_a_reader_never_sees_a_part_of_a_batch(start, tmp_path):
    writer = start()
    ends = {1}
    seen = set()
    n = 1
    with contextlib.closing(CheckpointFile.open_to_read(tmp_path)) as reader:
        while len(seen) < 5:
            writer.add([delta_of(n + i) for i in range(1, 8)])
            n += 7
            ends.add(n)
            seen.add(reader.revisions()[-1])
    assert seen <= ends


def test_values_are_taken_as_they_are_when_they_are_handed_over(start, file):
    writer = start()
    items = [1, 2]
    writer.add([[Splice(("vars", "log"), 0, 0, items)]])
    items.append(3)
    writer.close()
    assert file.document_at(2)["vars"]["log"] == [1, 2]


def test_snapshots_are_made_now_and_then(start, file, monkeypatch):
    monkeypatch.setattr(writing, "SNAPSHOT_REVISIONS", 10)
    writer = start()
    for n in range(2, 100):
        writer.add([delta_of(n)])
        if n % 25 == 0:
            wait_for(lambda: is_settled(writer))
    writer.close()
    assert file.newest_snapshot()[0] > 10
    assert [file.document_at(n)["vars"]["n"] for n in file.revisions()] == list(range(1, 100))


def test_history_is_kept_within_its_limit_and_what_is_kept_is_whole(start, file, monkeypatch):
    monkeypatch.setattr(writing, "SNAPSHOT_REVISIONS", 10)
    writer = start(limit_bytes=3000)
    for n in range(2, 600):
        writer.add([delta_of(n)])
        if n % 20 == 0:
            wait_for(lambda: is_settled(writer))
    writer.close()
    revisions = file.revisions()
    assert revisions[0] > 1
    assert revisions[-1] == 599
    assert file.size_bytes() < 3000 + 1500
    assert [file.document_at(n)["vars"]["n"] for n in revisions] == list(revisions)


def test_sizes_are_known_again_after_a_resume(file, start, monkeypatch):
    monkeypatch.setattr(writing, "SNAPSHOT_REVISIONS", 10)
    writer = start()
    writer.add([delta_of(n) for n in range(2, 40)])
    writer.close()
    again = start()
    assert again._total_bytes == writer._total_bytes == file.size_bytes()
    assert again._since_bytes == writer._since_bytes
    assert again._since == writer._since


def fails(*args):
    raise CheckpointError("the disk is full")


def test_an_error_reaches_who_hands_over_next(start, file, monkeypatch):
    writer = start()
    monkeypatch.setattr(file, "append", fails)
    writer.add([delta_of(2)])
    wait_for(lambda: writer._error is not None)
    with pytest.raises(CheckpointError, match="the disk is full"):
        writer.add([delta_of(3)])
    with pytest.raises(CheckpointError, match="the disk is full"):
        writer.close()


def test_a_full_disk_is_an_error_that_says_so(start, file):
    file._connection.execute(f"PRAGMA max_page_count = {file._connection.execute('PRAGMA page_count').fetchone()[0]}")
    writer = start()
    writer.add([[Set(("vars", "text"), "x" * 100_000)]])
    with pytest.raises(CheckpointError, match=r"cannot be used: database or disk is full.*free space"):
        writer.close()
    assert file.check() == []
    assert file.revisions() == range(1, 2)


def test_who_hands_over_waits_while_the_disk_cannot_keep_up(start, file, monkeypatch):
    monkeypatch.setattr(writing, "MAX_WAITING", 5)
    go_on, append = threading.Event(), file.append

    def slow(rows):
        assert go_on.wait(DEADLINE_S)
        append(rows)

    monkeypatch.setattr(file, "append", slow)
    writer = start()
    added = []

    def hand_over():
        for n in range(2, 30):
            writer.add([delta_of(n)])
            added.append(n)

    thread = threading.Thread(target=hand_over)
    thread.start()
    wait_for(lambda: len(writer._waiting) == 5)
    assert thread.is_alive()
    assert len(added) <= 11
    go_on.set()
    thread.join(DEADLINE_S)
    writer.close()
    assert file.revisions() == range(1, 30)


def test_a_disk_that_takes_nothing_is_an_error(start, file, monkeypatch):
    monkeypatch.setattr(writing, "MAX_WAITING", 2)
    monkeypatch.setattr(writing, "_FULL_DEADLINE_S", 0.01)
    go_on = threading.Event()
    monkeypatch.setattr(file, "append", lambda rows: go_on.wait(DEADLINE_S))
    writer = start()
    writer.add([delta_of(2)])
    wait_for(lambda: not writer._waiting)
    writer.add([delta_of(3), delta_of(4)])
    with pytest.raises(CheckpointError, match="its disk did not take 2 revisions"):
        writer.add([delta_of(5)])
    go_on.set()


def test_a_snapshot_that_cannot_be_made_is_an_error(start, file, monkeypatch):
    monkeypatch.setattr(writing, "SNAPSHOT_REVISIONS", 2)
    monkeypatch.setattr(writing, "_make_snapshot", fails)
    writer = start()
    writer.add([delta_of(2), delta_of(3)])
    wait_for(lambda: writer._snapshot.is_done)
    with pytest.raises(CheckpointError, match="the disk is full"):
        writer.close()
    assert file.revisions() == range(1, 4)


def test_nobody_waits_for_a_snapshot(start, file, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "SNAPSHOT_REVISIONS", 2)
    go_on, make = threading.Event(), writing._make_snapshot

    def slow(directory, revision):
        assert go_on.wait(DEADLINE_S)
        return make(directory, revision)

    monkeypatch.setattr(writing, "_make_snapshot", slow)
    writer = start()
    writer.add([delta_of(2), delta_of(3)])
    wait_for(lambda: writer._snapshot.is_busy)
    for n in range(4, 20):
        writer.add([delta_of(n)])
        wait_for(lambda: newest(tmp_path) == writer.revision)
    wait_for(lambda: writer.looked_after == writer.revision)  # before the snapshot is there, lest another be begun
    go_on.set()
    writer.close()
    assert file.newest_snapshot()[0] == 3


def test_the_log_is_moved_into_the_database_and_stays_small(start, file, monkeypatch):
    monkeypatch.setattr(writing, "MOVE_BYTES", 10_000)
    writer = start()
    text = "x" * 5000
    for first in range(2, 402, 10):  # all at once, lest something be written while what was before it is being moved
        writer.add([[Set(("vars", "text"), f"{n} {text}")] for n in range(first, first + 10)])
        wait_for(lambda: is_settled(writer))
    writer.close()
    assert file.log_bytes < 1_000_000 < file.size_bytes()
    assert file.document_at(401)["vars"]["text"].startswith("401 ")


def test_a_log_that_is_too_large_is_moved_at_once(start, file, monkeypatch):
    monkeypatch.setattr(writing, "MAX_LOG_BYTES", 20_000)
    writer = start()
    for _ in range(98):
        writer.add([[Set(("vars", "text"), "x" * 1000)]])
        wait_for(lambda: not writer._waiting)
    writer.close()
    assert file.log_bytes < 60_000
    assert file.check() == []
    assert file.revisions() == range(1, 100)

"""The file of a checkpoint: what was written is read, what is damaged is refused."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import stat
import tempfile
from pathlib import Path

import pytest
from app_documents import histories
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import fingerprint

from lightning_grpc.checkpoint.file import CheckpointFile, Row, RunOfApp
from lightning_grpc.checkpoint.format import APPLICATION_ID, FILE_NAME, FORMAT
from lightning_grpc.checkpoint.rows import encode_changes, encode_document
from lightning_grpc.errors import CheckpointError
from lightning_grpc.state.delta import Set, diff

RUN = RunOfApp(11, 1, 100.0, 12, "0.1")


def document_of(n):
    return {"vars": {"n": n, "text": "x" * 50}, "calls": {}, "app_state": {"stage": "running"}}


def row_of(n):
    return Row(n, encode_changes(n, [Set(("vars", "n"), n)]), float(n))


def write(directory, revisions, snapshots=()):
    """Write a checkpoint whose document has the revision as its `n`."""
    with contextlib.closing(CheckpointFile.open_to_write(directory)) as file:
        file.create("app.py", RUN, document_of(1))
        for n in range(2, revisions + 1):
            file.append([row_of(n)])
            if n in snapshots:
                file.add_snapshot(n, encode_document(n, file.document_at(n)))


def read(directory):
    return contextlib.closing(CheckpointFile.open_to_read(directory))


@settings(max_examples=25)
@given(histories(), st.data())
def test_every_revision_is_restored_as_it_was(documents, data):
    with tempfile.TemporaryDirectory() as directory:
        with contextlib.closing(CheckpointFile.open_to_write(directory)) as file:
            file.create("app.py", RUN, documents[0])
            for revision in range(2, len(documents) + 1):
                changes = diff(documents[revision - 2], documents[revision - 1])
                file.append([Row(revision, encode_changes(revision, changes), 1.0)])
                if data.draw(st.integers(0, 2)) == 0:
                    file.add_snapshot(revision, encode_document(revision, file.document_at(revision)))
        with read(directory) as file:
            assert file.revisions() == range(1, len(documents) + 1)
            assert file.check() == []
            for revision, document in enumerate(documents, 1):
                assert fingerprint(file.document_at(revision)) == fingerprint(document)


def test_a_file_tells_of_the_app_and_its_runs(tmp_path):
    write(tmp_path, 3)
    again = RunOfApp(12, 4, 200.0, 13, "0.2")
    with contextlib.closing(CheckpointFile.open_to_write(tmp_path)) as file:
        file.add_run(again, [row_of(4)])
    with read(tmp_path) as file:
        assert file.name == "app.py"
        assert file.runs() == [RUN, again]
        assert file.document_at(4)["vars"]["n"] == 4
        assert file.changes_of(3) == [Set(("vars", "n"), 3)]


def test_a_revision_that_is_not_there_is_an_error_that_names_those_that_are(tmp_path):
    write(tmp_path, 3)
    with read(tmp_path) as file:
        for revision in (4, 100):
            with pytest.raises(
                CheckpointError, match=rf"revision {revision} is not in the checkpoint, which has 1 to 3"
            ):
                file.document_at(revision)
        with pytest.raises(CheckpointError, match="revision 0 is not"):
            file.changes_of(0)


def test_a_batch_that_cannot_be_written_whole_is_not_written_at_all(tmp_path):
    write(tmp_path, 3)
    with contextlib.closing(CheckpointFile.open_to_write(tmp_path)) as file:
        with pytest.raises(CheckpointError):
            file.append([row_of(4), row_of(5), row_of(2)])
        assert file.revisions() == range(1, 4)
        file.append([row_of(4)])
        assert file.revisions() == range(1, 5)


def test_the_oldest_is_given_up_by_whole_intervals(tmp_path):
    write(tmp_path, 30, snapshots=(10, 20))
    with contextlib.closing(CheckpointFile.open_to_write(tmp_path)) as file:
        for oldest in (10, 20):
            before = file.size_bytes()
            freed = file.drop_oldest()
            assert freed > 0
            assert file.size_bytes() == before - freed
            assert file.revisions() == range(oldest, 31)
            assert [file.document_at(n)["vars"]["n"] for n in file.revisions()] == list(file.revisions())
        assert file.drop_oldest() == 0
        assert file.revisions() == range(20, 31)
        with pytest.raises(CheckpointError, match="which has 20 to 30"):
            file.document_at(19)


def test_only_one_can_write_and_others_can_read_meanwhile(tmp_path):
    with contextlib.closing(CheckpointFile.open_to_write(tmp_path)) as file:
        file.create("app.py", RUN, document_of(1))
        with pytest.raises(CheckpointError, match="another app is running with this checkpoint"):
            CheckpointFile.open_to_write(tmp_path)
        with read(tmp_path) as reader:
            assert reader.revisions() == range(1, 2)
            file.append([row_of(2)])
            assert reader.revisions() == range(1, 3)
    CheckpointFile.open_to_write(tmp_path).close()


def test_others_cannot_read_it(tmp_path):
    directory = tmp_path / "made" / "for it"
    write(directory, 2)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / FILE_NAME).stat().st_mode) == 0o600


def test_a_directory_without_a_checkpoint_is_an_error_for_a_reader(tmp_path):
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        CheckpointFile.open_to_read(tmp_path)
    with contextlib.closing(CheckpointFile.open_to_write(tmp_path)) as file:
        assert file.is_empty
    with pytest.raises(CheckpointError, match="its checkpoint is empty"):
        CheckpointFile.open_to_read(tmp_path)


def test_a_place_where_no_file_can_be_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="no checkpoint can be written there"):
        CheckpointFile.open_to_write(tmp_path / "file" / "below")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_to_is_an_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(CheckpointError, match="Give a directory that you may write to"):
        CheckpointFile.open_to_write(tmp_path)


@pytest.mark.parametrize("how", ["open_to_read", "open_to_write"])
class TestSomethingElse:
    def refuse(self, how, directory, match):
        with pytest.raises(CheckpointError, match=match):
            getattr(CheckpointFile, how)(directory)

    def test_a_text_is_no_checkpoint(self, tmp_path, how):
        (tmp_path / FILE_NAME).write_text("not a database, but long enough to be one" * 100)
        self.refuse(how, tmp_path, f"{FILE_NAME} is not a checkpoint")

    def test_another_database_is_no_checkpoint(self, tmp_path, how):
        with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as other:
            other.execute("CREATE TABLE mine (x)")
        self.refuse(how, tmp_path, "is a database, but not a checkpoint")
        with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as other:
            assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]

    def test_a_newer_format_is_not_read(self, tmp_path, how):
        write(tmp_path, 2)
        with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as other:
            other.execute(f"PRAGMA user_version = {FORMAT + 1}")
        self.refuse(how, tmp_path, f"has format {FORMAT + 1}")


def test_it_says_what_it_is(tmp_path):
    write(tmp_path, 2)
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as other:
        assert other.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_gap_is_damage(tmp_path):
    write(tmp_path, 9, snapshots=(3,))
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as other, other:
        other.execute("DELETE FROM deltas WHERE revision = 5")
    with read(tmp_path) as file:
        with pytest.raises(CheckpointError, match="revisions are missing"):
            file.revisions()
        assert file.document_at(4)["vars"]["n"] == 4
        with pytest.raises(CheckpointError, match="revision 5 is missing"):
            file.document_at(6)


def test_a_row_that_is_not_what_was_written_is_damage(tmp_path):
    write(tmp_path, 4)
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as other, other:
        other.execute("UPDATE deltas SET changes = (SELECT changes FROM deltas WHERE revision = 4) WHERE revision = 3")
    with read(tmp_path) as file, pytest.raises(CheckpointError, match="is damaged: a row is not what was written"):
        file.document_at(3)


def written_unclosed(directory, revisions):
    """Write a checkpoint and copy it while it is open, as a kill leaves it: with all in its log."""
    with contextlib.closing(CheckpointFile.open_to_write(directory / "open")) as file:
        file.create("app.py", RUN, document_of(1))
        for n in range(2, revisions + 1):
            file.append([row_of(n)])
        shutil.copytree(directory / "open", directory / "left")
    return directory / "left"


def test_what_is_torn_off_the_log_is_lost_and_nothing_else(tmp_path):
    left = written_unclosed(tmp_path, 12)
    log = (left / f"{FILE_NAME}-wal").read_bytes()
    seen = set()
    for at in random.Random(3).sample(range(len(log)), 60):
        torn = tmp_path / f"torn at {at}"
        shutil.copytree(left, torn)
        (torn / f"{FILE_NAME}-wal").write_bytes(log[:at])
        (torn / f"{FILE_NAME}-shm").unlink()
        with contextlib.closing(CheckpointFile.open_to_write(torn)) as file:
            assert file.check() == []
            if file.is_empty:
                continue
            revisions = file.revisions()
            seen.add(revisions[-1])
            assert [file.document_at(n)["vars"]["n"] for n in revisions] == list(range(1, revisions[-1] + 1))
    assert len(seen) > 3


def test_a_file_that_was_cut_short_is_refused_or_right(tmp_path):
    write(tmp_path / "whole", 300, snapshots=(100, 200))
    whole = (tmp_path / "whole" / FILE_NAME).read_bytes()
    refused = 0
    for at in [*random.Random(4).sample(range(1, len(whole)), 40), 4096, 8192]:
        cut = tmp_path / f"cut at {at}"
        cut.mkdir()
        (cut / FILE_NAME).write_bytes(whole[:at])
        try:
            with read(cut) as file:
                assert [file.document_at(n)["vars"]["n"] for n in file.revisions()] == list(file.revisions())
        except CheckpointError:
            refused += 1
    assert refused > 35


def test_bits_that_flipped_are_refused_or_harmless(tmp_path):
    write(tmp_path / "whole", 60, snapshots=(30,))
    whole = (tmp_path / "whole" / FILE_NAME).read_bytes()
    chance = random.Random(5)
    for i in range(60):
        flipped = bytearray(whole)
        flipped[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        directory = Path(tmp_path / f"flipped {i}")
        directory.mkdir()
        (directory / FILE_NAME).write_bytes(flipped)
        with contextlib.suppress(CheckpointError), read(directory) as file:
            for n in file.revisions():
                assert file.document_at(n) == document_of(n)

"""What was released of the protocol stays: the comparison that `make check` makes finds what breaks it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUF = ROOT / ".venv-proto" / "bin" / "buf"
CHANGES = {
    "a field is renumbered": (r"string call_hash = 2;", "string call_hash = 20;"),
    "a field is of another type": (r"uint64 after_revision = 2;", "string after_revision = 2;"),
    "a field is called otherwise": (r"bool already_known = 1;", "bool is_known = 1;"),
    "a field is gone": (r"uint64 epoch = 6;", ""),
    "a method is gone": (r"rpc Update\(UpdateRequest\) returns \(UpdateResponse\);", ""),
    "a method streams no more": (r"returns \(stream StateDeltaResponse\)", "returns (StateDeltaResponse)"),
}

pytestmark = pytest.mark.skipif(not BUF.exists(), reason="buf is not here: 'make proto-check' installs it")


def compare(protos):
    """Compare protos with every release's; returns the exit code and what is said."""
    done = subprocess.run(
        ["bash", "tests/compat/breaking.sh", str(protos)],
        cwd=ROOT,
        env={**os.environ, "BUF": str(BUF)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_protos_break_with_no_release():
    code, said = compare(ROOT / "protos")
    assert code == 0, said
    assert "what release v1.0 says still holds" in said


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_breaks_a_release_is_found(change, tmp_path):
    shutil.copytree(ROOT / "protos", tmp_path / "protos")
    file = tmp_path / "protos" / "lightning_grpc" / "v1" / "work_service.proto"
    changed, count = re.subn(*CHANGES[change], file.read_text())
    assert count == 1
    file.write_text(changed)
    code, said = compare(tmp_path / "protos")
    assert code == 1
    assert "break with release v1.0" in said


def test_what_a_peer_may_ignore_may_be_added(tmp_path):
    shutil.copytree(ROOT / "protos", tmp_path / "protos")
    file = tmp_path / "protos" / "lightning_grpc" / "v1" / "work_service.proto"
    added = "  // Something new.\n  string something_new = 1013;\n}"
    file.write_text(re.sub(r"(message RunRequest \{[^}]*)\}", lambda match: match[1] + added, file.read_text()))
    assert "something_new" in file.read_text()
    code, said = compare(tmp_path / "protos")
    assert code == 0, said

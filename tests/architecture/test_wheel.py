"""What a user installs: the types, those of the generated code too, and the protos are in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEADLINE_S = 170
PARTS = ["pyproject.toml", "README.md", "LICENSE", "lightning_grpc", "protos"]
PROGRAM = """\
from lightning_grpc import LightningWork
from lightning_grpc.v1 import value_pb2, work_service_pb2

request = work_service_pb2.RunRequest(call_id="1", args=[value_pb2.Value(int_value=3)])
reveal_type(request.call_id)
reveal_type(LightningWork.run)
work_service_pb2.RunRequest(call_id=3)
work_service_pb2.RunRequest().nothing
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(DEADLINE_S)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built of a copy of the sources."""
    directory = tmp_path_factory.mktemp("wheel")
    source = directory / "source"
    source.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(directory), str(source)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = directory.glob("*.whl")
    return built


def test_all_of_the_package_is_in_it_with_its_types_and_the_protos(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        str(path.relative_to(ROOT))
        for pattern in ("*.py", "*.pyi", "py.typed")
        for path in (ROOT / "lightning_grpc").rglob(pattern)
    }
    assert {"lightning_grpc/py.typed", "lightning_grpc/v1/work_service_pb2.pyi"} <= sources
    assert sources <= names
    protos = {path.relative_to(ROOT).as_posix() for path in (ROOT / "protos" / "lightning_grpc").rglob("*.proto")}
    shared = {name.partition("/data/share/lightning_grpc/")[2] for name in names if "/data/share/" in name}
    assert len(protos) >= 3
    assert shared == protos


def test_a_users_type_checker_sees_the_types_of_the_package_and_of_the_generated_code(wheel, tmp_path):
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = environment / "lib" / version / "site-packages"
    zipfile.ZipFile(wheel).extractall(site)
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")  # what the package needs
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file", os.devnull]
    done = subprocess.run(
        [*command, "--python-executable", str(environment / "bin" / "python"), "program.py"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name not in ("MYPYPATH", "PYTHONPATH")},
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )
    lines = [line.partition(": ")[2] for line in done.stdout.splitlines()]
    assert lines[0].replace("builtins.", "") == 'note: Revealed type is "str"', done.stdout + done.stderr
    assert lines[1].startswith('note: Revealed type is "def (self: lightning_grpc.components.work.LightningWork')
    assert "incompatible type" in lines[2]
    assert '"RunRequest" has no attribute "nothing"' in lines[3]
    assert "Found 2 errors in 1 file" in done.stdout

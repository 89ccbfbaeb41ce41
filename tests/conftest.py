"""Settings of all tests. Modules beside this file, such as `strategies`, are imported by their plain names."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# What is printed depends on where it is printed to; tests that are about that say it themselves.
for variable in (
    *("COLUMNS", "LINES", "TERMINAL_WIDTH", "TTY_COMPATIBLE", "TTY_INTERACTIVE"),
    *("NO_COLOR", "FORCE_COLOR", "PY_COLORS", "CLICOLOR_FORCE", "GITHUB_ACTIONS"),  # as FORCE_COLOR does
):
    os.environ.pop(variable, None)

os.environ["LIGHTNING_GRPC_NO_SERVER"] = "1"  # many apps run side by side; those of the HTTP tests say otherwise

settings.register_profile(
    "repeatable",  # what `make check` runs: the same examples every time
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("explore", settings.get_profile("repeatable"), derandomize=False, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(scope="session", autouse=True)
def runtime_directory() -> Iterator[str]:
    """Give the tests' apps a runtime directory of their own, with a short path, as sockets need it."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    path = os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="lg-", dir="/tmp")
    yield path
    os.environ.pop("XDG_RUNTIME_DIR")
    if before is not None:
        os.environ["XDG_RUNTIME_DIR"] = before
    shutil.rmtree(path, ignore_errors=True)

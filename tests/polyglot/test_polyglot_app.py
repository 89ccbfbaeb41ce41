"""A Flow with a Work in JavaScript beside one in Python: the example."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from node_works import DEADLINE_S, serving

ROOT = Path(__file__).parents[2]
README = (ROOT / "examples" / "polyglot" / "README.md").read_text(encoding="utf-8")


def run_app(address):
    """Run the example with the Work at an address; returns its exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "lightning_grpc", "run", "app", "--no-server", "examples/polyglot/app.py"],
        cwd=ROOT,
        env={**os.environ, "SEGMENTER": address, "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_example_prints_what_its_readme_shows_and_leaves_the_service_running():
    expected = re.search(r"^```text\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[1]
    with serving() as served:
        for _ in range(2):
            code, out, err = run_app(served.address)
            assert out == expected, err
            assert code == 0
        assert served.process.poll() is None
        served.wait_for_lines(6)  # they are read by a thread of their own
        assert served.lines[:3] == served.lines[3:]

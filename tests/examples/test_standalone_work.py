"""The example of a Work without an app, and the tutorial's, driven by the lines of their documents."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys

from example_runs import DEADLINE_S, EXAMPLES, ROOT

HOME = EXAMPLES / "standalone_work"
OUTPUTS = re.findall(r"```text\n(.*?)```", (HOME / "README.md").read_text(encoding="utf-8"), re.DOTALL)
TUTORIAL = (ROOT / "docs" / "standalone-works.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TUTORIAL, re.DOTALL)


@contextlib.contextmanager
def serving(target, *, failures=0):
    """Serve a Work, yield its address, and end it by SIGTERM; it says where it is, and what has failed."""
    command = [sys.executable, "-m", "lightning_grpc", "run", "work", target, "--port", "0", "--json"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    try:
        yield json.loads(server.stdout.readline())["address"]
        server.terminate()
        out, err = server.communicate(timeout=DEADLINE_S)
        assert (server.returncode, out, err.count("ERROR: ")) == (0, "", failures)
    finally:
        server.kill()
        server.communicate()


def python(*arguments):
    """Run Python, and return what it prints."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=DEADLINE_S, check=False)
    return done.stdout + done.stderr


def test_the_work_answers_as_the_readme_says():
    with serving(f"{HOME}/primes.py:Primes", failures=1) as address:
        assert len(OUTPUTS) == 2
        for output, name, limit in zip(OUTPUTS, ("ada", "grace"), ("1000", "5000"), strict=True):
            assert python(f"{HOME}/ask.py", address, name, limit) == output
        assert "failed with ValueError (user_exception, " in python(f"{HOME}/ask.py", address, "grace", "1")


def test_the_tutorial_counts_to_six(tmp_path):
    work, client, *_ = BLOCKS
    (tmp_path / "tally.py").write_text(work, encoding="utf-8")
    with serving(f"{tmp_path}/tally.py:Tally") as address:
        assert '"127.0.0.1:50051"' in client
        assert python("-c", client.replace("127.0.0.1:50051", address)) == "6\n"

"""The example of an attached Work: the same program by itself and attached prints the same."""

from __future__ import annotations

import json
import subprocess
import sys

from example_runs import DEADLINE_S, EXAMPLES, ROOT, STARTED, without_slow_runs

PRINTED = "primes below 100: 25\nprimes below 10,000: 1,229\nprimes below 1,000,000: 78,498\n"


def test_the_program_prints_the_same_by_itself_and_attached_to_a_service(run_example):
    alone = run_example("attached_work")
    assert (alone.code, alone.out, alone.err) == (0, PRINTED, STARTED)
    work = f"{EXAMPLES / 'attached_work' / 'primes.py'}:Primes"
    service = subprocess.Popen(
        [sys.executable, "-m", "lightning_grpc", "run", "work", work, "--port", "0", "--json"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = json.loads(service.stdout.readline())["address"]
        app = str(EXAMPLES / "attached_work" / "app.py")
        attached = subprocess.run(
            [sys.executable, "-m", "lightning_grpc", "run", "app", app, "--at", f"root.primes={address}"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert (attached.returncode, attached.stdout) == (0, PRINTED)
        assert without_slow_runs(attached.stderr) == STARTED
        assert service.poll() is None  # it outlives the app
    finally:
        service.terminate()
        service.communicate(timeout=DEADLINE_S)

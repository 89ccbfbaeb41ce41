"""What this package is compared with, each in a virtual environment of its own under ``.bench/``.

A peer's script, run by that environment's Python, does what a case's `ours` does:
``python -m bench.peers.SCRIPT CASE [--quick]`` prints a measurement as JSON. It imports nothing of this
package but `bench.peers`.
"""

from __future__ import annotations

import os
import subprocess
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = ROOT / ".bench"
INSTALL_DEADLINE_S = 300


class NotInstallableError(Exception):
    """A peer's environment could not be made; says why."""


@dataclass(frozen=True)
class Peer:
    """A peer.

    Attributes:
        name: As the table shows it.
        script: Its module in `bench.peers`.
        requirements: File with all it needs, in `bench/peers`.
        environ: What its processes get: settings that keep it on this machine.
        optional: Whether the comparison is complete without it.
    """

    name: str
    script: str
    requirements: str
    environ: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return DIRECTORY / self.name / "bin" / "python"

    def install(self) -> None:
        """Make its environment, if it is not there or was made from other requirements.

        Raises:
            NotInstallableError: It could not be made.
        """
        if self.is_installed:
            return
        venv.create(DIRECTORY / self.name, clear=True, with_pip=True)
        requirements = str(Path(__file__).parent / self.requirements)
        command = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]
        try:
            done = subprocess.run(
                [*command, requirements], capture_output=True, text=True, timeout=INSTALL_DEADLINE_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise NotInstallableError(f"not installed after {INSTALL_DEADLINE_S} s") from None
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise NotInstallableError(errors[-1] if errors else f"pip ended with {done.returncode}")
        self._stamp.write_text(self._wanted)

    @property
    def is_installed(self) -> bool:
        """Whether its environment is there, made from the requirements as they are."""
        return self._stamp.is_file() and self._stamp.read_text() == self._wanted

    @property
    def _stamp(self) -> Path:
        return DIRECTORY / self.name / "installed.txt"

    @property
    def _wanted(self) -> str:
        return (Path(__file__).parent / self.requirements).read_text()

    def surroundings(self) -> dict[str, str]:
        """Return the environment of its processes."""
        return {**os.environ, **self.environ, "PYTHONPATH": str(ROOT)}


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "lightning-app",
            "lightning_app_side",
            "lightning-app.txt",
            {
                "LIGHTNING_CLOUD_URL": "http://127.0.0.1:9",
                "LIGHTNING_APP_STATE_URL": "http://127.0.0.1",
                "LIGHTNING_DIR": str(DIRECTORY / "lightning-home"),
                "NO_PROXY": "*",
                "PYTHONWARNINGS": "ignore",
            },
        ),
        Peer(
            "ray",
            "ray_side",
            "ray.txt",
            {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "1", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"},
            optional=True,
        ),
    )
}


def version(peer: Peer) -> str:
    """Return the version of a peer that is installed."""
    program = f"import importlib.metadata; print(importlib.metadata.version({peer.name!r}))"
    done = subprocess.run([str(peer.python), "-c", program], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "?"

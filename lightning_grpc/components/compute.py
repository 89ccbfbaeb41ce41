"""Configurations that Lightning Apps carry and this package stores.

They say how a Work is to be built and on which machine it is to run. Runtimes that place Works on
other machines may read them; local Works run where they are, whatever these say.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class CloudCompute:
    """The machine a Work asks for."""

    name: str = "default"
    disk_size: int = 0
    idle_timeout: int | None = None
    shm_size: int | None = None
    mounts: list[object] | object | None = None
    colocation_group_id: str | None = None
    interruptible: bool = False


@dataclass
class BuildConfig:
    """How the environment of a Work is to be built."""

    requirements: list[str] = field(default_factory=list)
    dockerfile: str | None = None
    image: str | None = None

    def build_commands(self) -> list[str]:
        """Return shell commands to run before the Work is set up; override to give some."""
        return []

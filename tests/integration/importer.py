"""A Work that tells what its process has imported for its sake."""

from __future__ import annotations

import sys

BEFORE = frozenset(sys.modules)

import lightning_grpc as L  # noqa: E402 - after the look at what was there


class Importer(L.LightningWork):
    """Tells which modules of this package its process has imported since this one was."""

    def __init__(self):
        super().__init__(parallel=True)
        self.imported = None

    def run(self):
        self.imported = [name for name in sys.modules if name.startswith("lightning_grpc") and name not in BEFORE]

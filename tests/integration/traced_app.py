"""An app whose Flow calls a Work inside of a span of its own, and whose Work makes one in its run."""

from __future__ import annotations

import os

from opentelemetry import trace

import lightning_grpc as L

tracer = trace.get_tracer("the user")


class Traced(L.LightningWork):
    """Does something in a span of its own."""

    def __init__(self):
        super().__init__(parallel=True, raise_exception=False)
        self.done = 0

    def run(self, fails=False):
        with tracer.start_as_current_span("inside"):
            self.done += 1
        if fails:
            raise ValueError("asked for")


class Root(L.LightningFlow):
    """Calls it twice, the second time so that it fails."""

    def __init__(self):
        super().__init__()
        address = os.environ.get("TRACED_AT", "")
        self.w = Traced().at(address) if address else Traced()

    def run(self):
        with tracer.start_as_current_span("outside"):
            self.w.run()
        if self.w.has_succeeded or self.w.has_failed:
            self.w.run(fails=True)
        if self.w.has_failed:
            self.stop()


app = L.LightningApp(Root())

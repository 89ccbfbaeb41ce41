"""One look: a model of how everything is now, without a terminal."""

from __future__ import annotations

import time

from lightning_grpc.dashboard.controls import step
from lightning_grpc.dashboard.events import Resized, Seen, Ticked
from lightning_grpc.dashboard.model import Model
from lightning_grpc.dashboard.recording import Recorder
from lightning_grpc.dashboard.source import Source


async def look(source: Source, width: int, height: int, recorder: Recorder | None = None) -> Model:
    """Return what a dashboard knows after one look.

    Args:
        source: Where it looks.
        width: The screen's, in cells.
        height: The screen's, in lines.
        recorder: Is told what was seen, if there is one.

    Raises:
        LightningGrpcError: There is nothing to be seen.
    """
    now_s = time.time()
    model = Model(utc_offset_s=float(time.localtime(now_s).tm_gmtoff or 0))
    model, _ = step(model, Resized(now_s, width, height))

    def take_in(event: Seen) -> None:
        nonlocal model
        if recorder is not None:
            recorder.write(event)
        model, _ = step(model, event)

    await source.look(take_in)
    model, _ = step(model, Ticked(model.now_s))
    return model

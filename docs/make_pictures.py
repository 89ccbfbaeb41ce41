"""Makes the pictures of the dashboard: records a run of an example, and plays it to a few moments.

Usage: make docs-pictures
"""

from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from lightning_grpc.dashboard.controls import step
from lightning_grpc.dashboard.events import Ended, KeyPressed, Resized, Seen, Ticked
from lightning_grpc.dashboard.model import Model
from lightning_grpc.dashboard.recording import Recorder, replay
from lightning_grpc.dashboard.source import AppSource
from lightning_grpc.dashboard.view import Screen
from lightning_grpc.service.async_client import AsyncAppClient
from lightning_grpc.service.registry import running_apps

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "pictures"
APP = "examples/training/app.py"
RECORDED_S = 16.0
_START_S = 30.0

# Each picture: its name, its width and height, how far the run is (in seconds), and what was pressed.
PICTURES = (
    ("dashboard", 116, 34, 12.0, [":", *"bold.0", "enter"]),
    ("deltas", 116, 30, 12.0, ["d", "tab", "p"]),
    ("calls", 116, 34, 14.0, [":", *"bold.2", "enter", "c"]),
    ("runs", 116, 28, 12.0, ["w", "tab"]),
    ("wide", 180, 40, 15.0, [":", *"bold.0", "enter", "l"]),
    ("stop", 116, 28, 10.0, [":", *"careful.1", "enter", "tab", "G", "enter", "s"]),
)


def main() -> None:
    """Record a run and draw the pictures."""
    with tempfile.TemporaryDirectory(prefix="lg-") as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder  # so that only this app is there, and its address says nothing
        file = f"{folder}/run.jsonl"
        record(file)
        path = Path(file)  # what this machine calls its folders is nobody's business
        text = path.read_text(encoding="utf-8").replace(str(ROOT), "/home/you").replace(folder, "/run/user/1000")
        path.write_text(text, encoding="utf-8")
        events = list(replay(file))
    FOLDER.mkdir(exist_ok=True)
    for name, width, height, at_s, keys in PICTURES:
        draw(FOLDER / f"{name}.svg", model_at(events, at_s, keys, width, height))


def record(file: str) -> None:
    """Run the example, and record what a dashboard is told."""
    command = [sys.executable, "-m", "lightning_grpc", "run", "app", APP, "--no-server"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            asyncio.run(_record(file))
        finally:
            process.send_signal(signal.SIGTERM)


async def _record(file: str) -> None:
    deadline_s = time.monotonic() + _START_S
    while not (entries := running_apps()):
        if time.monotonic() > deadline_s:
            raise SystemExit(f"{APP} does not serve")
        await asyncio.sleep(0.1)
    recorder = Recorder(file)
    source = AppSource(AsyncAppClient(entries[0].address, token=entries[0].read_token()))
    try:
        async with asyncio.timeout(RECORDED_S):
            await source.run(recorder.write)
    except TimeoutError:
        pass
    finally:
        recorder.close()
        await source.close()


def model_at(events: list[Seen], at_s: float, keys: list[str], width: int, height: int) -> Model:
    """Return the model as it was so long after the beginning, when some keys were pressed."""
    ends_s = events[0].at_s + at_s
    model, _ = step(Model(), Resized(0.0, width, height))
    for event in events:
        if event.at_s <= ends_s and not isinstance(event, Ended):
            model, _ = step(model, event)
    model, _ = step(model, Ticked(ends_s))
    for key in keys:
        model, _ = step(model, KeyPressed(ends_s, key))
    return model


def draw(file: Path, model: Model) -> None:
    """Write what a model looks like as SVG."""
    console = Console(
        file=io.StringIO(), record=True, width=model.width, height=model.height, force_terminal=True, highlight=False
    )
    console.print(Screen(model), end="")
    text = console.export_svg(title="lightning-grpc dashboard", theme=MONOKAI, unique_id=f"lg-{file.stem}")
    file.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

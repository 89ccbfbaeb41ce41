"""``lightning-grpc run app``: load, run, and say how it ended."""

from __future__ import annotations

import io
import logging
import sys
import traceback

from lightning_grpc.cli.load import load_app
from lightning_grpc.components.status import AppStage
from lightning_grpc.errors import ConfigurationError, FlowFailedError, RuntimeStartError, WorkFailedError

FAILED = 1


def run_file(file: str, arguments: list[str], *, name: str = "", log_level: str | None = None) -> int:
    """Run the app that a file defines and return the exit code.

    Args:
        file: The Python file.
        arguments: Its ``sys.argv`` after its name.
        name: A name for the app; the file's by default.
        log_level: Overrides the app's own.

    Raises:
        KeyboardInterrupt: Ctrl-C ended the app.
        SystemExit: SIGTERM ended it, or the file itself.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # so that the Flow's lines and the Works' come in their order
    logging.captureWarnings(True)
    try:
        app = load_app(file, arguments)
        app.name = name or app.name or file
        if log_level is not None:
            app.log_level = log_level
        if not app.has_run:  # or the file ran it by itself
            app.run()
    except (ConfigurationError, FlowFailedError, RuntimeStartError) as error:
        return _say(str(error))
    except WorkFailedError as error:
        return _say(error.summary)
    except Exception:
        traceback.print_exc()
        return _say("the app failed, because its Flow raised this exception")
    return FAILED if app.stage is AppStage.FAILED else 0


def _say(message: str) -> int:
    print(f"ERROR: {message}", file=sys.stderr)
    return FAILED

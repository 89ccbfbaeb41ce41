"""``lightning-grpc run app``: load, run, and say how it ended."""

from __future__ import annotations

import io
import logging
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from lightning_grpc.cli.attach import attach_works
from lightning_grpc.cli.load import load_app
from lightning_grpc.cli.output import FAILED, MISUSED
from lightning_grpc.components.status import AppStage
from lightning_grpc.errors import (
    CommandDefinitionError,
    ConfigurationError,
    FlowFailedError,
    NotThereError,
    RuntimeStartError,
    WorkFailedError,
)
from lightning_grpc.http.binding import DEFAULT_HOST


def run_file(
    file: str,
    arguments: list[str],
    *,
    name: str = "",
    log_level: str | None = None,
    checkpoint_dir: str | None = None,
    resume: bool = False,
    service_address: str | None = None,
    http_host: str | None = None,
    http_port: int | None = None,
    http: bool = True,
    attachments: Sequence[str] = (),
    credentials: Mapping[str, Any] = MappingProxyType({}),
) -> int:
    """Run the app that a file defines and return the exit code.

    Args:
        file: The Python file.
        arguments: Its ``sys.argv`` after its name.
        name: A name for the app; the file's by default.
        log_level: Overrides the app's own.
        checkpoint_dir: Overrides the app's own.
        resume: Whether the app goes on from its checkpoint; or as the app itself says.
        http_host: Where its HTTP API is served; overrides the app's own.
        http_port: The port of it; overrides the app's own.
        http: Whether it is served.
        service_address: Overrides the app's own.
        attachments: Which Works are attached to which services: ``WORK=ADDRESS``.
        credentials: What it takes to get in there, as `LightningWork.at` takes it.

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
        app.checkpoint_dir = app.checkpoint_dir if checkpoint_dir is None else checkpoint_dir
        app.resume = resume or app.resume
        app.http_host = (http_host or app.http_host or DEFAULT_HOST) if http else None
        app.http_port = (app.http_port if http_port is None else http_port) if http else None
        app.service_address = service_address or app.service_address
        if app.has_run and (checkpoint_dir or resume or service_address or attachments):
            return _say(
                f"{file} has run its app by itself, without --checkpoint-dir, --resume, --listen and --at: give them "
                "there"
            )
        attach_works(app, attachments, credentials)
        if not app.has_run:  # or the file ran it by itself
            app.run()
    except NotThereError as error:
        return _say(str(error), MISUSED)
    except (CommandDefinitionError, ConfigurationError, FlowFailedError, RuntimeStartError) as error:
        return _say(str(error))
    except WorkFailedError as error:
        return _say(error.summary)
    except Exception:
        traceback.print_exc()
        return _say("the app failed, because its Flow raised this exception")
    return FAILED if app.stage is AppStage.FAILED else 0


def _say(message: str, code: int = FAILED) -> int:
    print(f"ERROR: {message}", file=sys.stderr)
    return code

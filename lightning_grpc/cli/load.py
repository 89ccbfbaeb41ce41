"""Finds the LightningApp that a Python file defines."""

from __future__ import annotations

import os
import sys
import traceback
from types import ModuleType, TracebackType

from lightning_grpc.app import LightningApp
from lightning_grpc.errors import ConfigurationError, FlowFailedError, NotThereError, RuntimeStartError, WorkFailedError


def load_app(file: str, arguments: list[str]) -> LightningApp:
    """Execute a file the way ``python FILE`` would and return the one app it defines.

    The file's module becomes ``__main__``, as Lightning Apps do it; its folder comes first on ``sys.path`` and
    its ``sys.argv`` is the file and `arguments`.

    Raises:
        NotThereError: There is no such file.
        ConfigurationError: It raises an exception, whose traceback opens the message;
            it defines no app, or several.
        SystemExit: The file itself ended the program.
        WorkFailedError: The file ran its app by itself, and it failed; likewise `FlowFailedError`.
    """
    path = os.path.abspath(file)
    if not os.path.isfile(path):
        what = "is a folder" if os.path.isdir(path) else "does not exist"
        raise NotThereError(f"{file} {what}. Give the Python file that defines your LightningApp.")
    module = ModuleType("__main__")
    module.__file__ = path
    sys.argv = [file, *arguments]
    sys.path.insert(0, os.path.dirname(path))
    sys.modules["__main__"] = module
    try:
        with open(path, "rb") as source:
            code = compile(source.read(), path, "exec", dont_inherit=True)  # its own __future__ imports, not these
        exec(code, module.__dict__)  # noqa: S102 - running the user's file is what was asked for
    except (WorkFailedError, FlowFailedError, RuntimeStartError):
        raise  # the file ran its app by itself
    except Exception as error:
        text = "".join(traceback.format_exception(type(error), error, _users_part(error, path)))
        raise ConfigurationError(f"{text}\n{file} raised this exception while it was loaded; no app was run.") from None
    apps = {id(value): value for value in vars(module).values() if isinstance(value, LightningApp)}
    if len(apps) == 1:
        return next(iter(apps.values()))
    if apps:
        names = sorted(key for key, value in vars(module).items() if isinstance(value, LightningApp))
        raise ConfigurationError(
            f"{file} defines {len(apps)} LightningApps ({', '.join(names)}); keep one of them per file."
        )
    raise ConfigurationError(
        f"{file} defines no LightningApp. Instantiate it at the module's level: app = LightningApp(YourFlow())"
    )


def _users_part(error: Exception, path: str) -> TracebackType | None:
    step = error.__traceback__
    while step is not None and step.tb_frame.f_code.co_filename != path:
        step = step.tb_next
    return step

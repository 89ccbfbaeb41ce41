"""Finds the class of a Work, in a file or a module, and makes a Work of it."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import ConfigurationError, NotThereError


def load_work(target: str, arguments: Any = ()) -> LightningWork:
    """Return a Work.

    Args:
        target: ``MODULE:CLASS`` or ``FILE.py:CLASS``. The file's folder, or the working directory, comes first on
            ``sys.path``; the module is not ``__main__``, so that a script's last lines do not run.
        arguments: For its constructor: a list, or a dict of named ones.

    Raises:
        NotThereError: There is no such module or class, or it is no Work's.
        ConfigurationError: It raises an exception, whose traceback opens the message.
    """
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise NotThereError(f"{target!r} names no Work; give FILE.py:CLASS or MODULE:CLASS, such as work.py:Trainer")
    module = _import_file(place) if _is_file(place) else _import_module(place)
    cls = _find_class(module, place, name)
    try:
        work = cls(**arguments) if isinstance(arguments, dict) else cls(*arguments)
    except Exception as error:
        raise ConfigurationError(
            f"{_render(error)}\n{target}: its constructor raised this exception; it was called with "
            f"{_show_arguments(arguments)}. Arguments are given by --args, as a JSON list or object."
        ) from None
    return work


def parse_arguments(text: str) -> list[Any] | dict[str, Any]:
    """Return the arguments that are given as JSON.

    Raises:
        ValueError: It is no JSON list or object.

    Example:
        >>> parse_arguments('{"rate": 0.5}'), parse_arguments('[3, "adam"]')
        ({'rate': 0.5}, [3, 'adam'])
    """
    try:
        arguments = json.loads(text)
    except ValueError as error:
        raise ValueError(f"it is no JSON: {error}") from None
    if not isinstance(arguments, list | dict):
        raise ValueError(f'a JSON list or object is needed, such as [3] or {{"rate": 0.5}}, not {text}')
    return arguments


def _is_file(place: str) -> bool:
    return place.endswith(".py") or os.sep in place or os.path.exists(place)


def _import_file(file: str) -> ModuleType:
    path = os.path.abspath(file)
    if not os.path.isfile(path):
        what = "is a folder" if os.path.isdir(path) else "does not exist"
        raise NotThereError(f"{file} {what}; give the Python file that defines the Work's class")
    sys.path.insert(0, os.path.dirname(path))
    name = Path(path).stem
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == path:
        return known  # of another Work
    if known is not None:  # one of Python's own, perhaps
        name = f"served_{name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise NotThereError(f"{file} is no Python file; give the one that defines the Work's class")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _raised_while_loading(file, error) from None
    return module


def _import_module(name: str) -> ModuleType:
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise NotThereError(
                f"there is no module {error.name!r}, here ({os.getcwd()}) or installed; give the file instead, such as "
                f"{name.replace('.', '/')}.py:CLASS, or start where the module is"
            ) from None
        raise _raised_while_loading(name, error) from None
    except Exception as error:
        raise _raised_while_loading(name, error) from None


def _find_class(module: ModuleType, place: str, name: str) -> type[LightningWork]:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, type) and issubclass(found, LightningWork) and found is not LightningWork:
        return found
    there = [key for key, value in vars(module).items() if _is_work_class(value)]
    known = f"it defines {', '.join(there)}" if there else "it defines no class derived from LightningWork"
    if found is None:
        raise NotThereError(f"{place} has no class {name!r}; {known}")
    raise NotThereError(f"{place}:{name} is not the class of a Work, but {_describe(found)}; {known}")


def _is_work_class(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, LightningWork) and value is not LightningWork


def _describe(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"a value of type {type(value).__name__}"


def _raised_while_loading(place: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(f"{_render(error)}\n{place} raised this exception while it was loaded; nothing is served")


def _render(error: Exception) -> str:
    return "".join(traceback.format_exception(type(error), error, _users_part(error))).rstrip()


def _users_part(error: Exception) -> TracebackType | None:
    """Leave out the frames of this package and of the import system."""
    here = os.path.dirname(os.path.abspath(__file__))
    step = error.__traceback__
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if (
            not file.startswith("<frozen")
            and os.path.dirname(os.path.abspath(file)) != here
            and "importlib" not in file
        ):
            break
        step = step.tb_next
    return step


def _show_arguments(arguments: Sequence[Any] | dict[str, Any]) -> str:
    return json.dumps(arguments) if arguments else "no arguments"

"""Hands a Work to a process that we start, over a pipe that only it reads.

Classes that the other process can import travel by name; those of ``__main__``, of functions, and of
modules it could not find travel whole. A script that cannot travel whole, because of a global such as a
lock, is executed over there under the name ``__mp_main__``, as multiprocessing does it. A private
attribute that cannot travel is made anew over there by calling the class with the same arguments.

This is the only place where anything is pickled. What it makes is read by `unpack` in a process of
ours and nowhere else.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import runpy
import sys
import threading
from collections import ChainMap
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any, ClassVar

import cloudpickle

from lightning_grpc.components.component import Node
from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import NotTransferableError


def pack(work: LightningWork) -> bytes:
    """Return a Work as bytes for `unpack`.

    Raises:
        NotTransferableError: Something of it cannot travel and cannot be made anew either.
    """
    cls = type(work)
    fields = work.__getstate__()
    place = (work._parent.name if work._parent else "", work._key)
    homeless = _homeless_modules(cls)
    made: tuple[Any, ...] | None = None
    with _LOCK, _travelling_whole(homeless):
        missing = [name for name, value in fields.items() if not _can_travel(value)]
        if missing:
            declared = [name for name in missing if name in work._declared]
            made = work.__dict__.get("_made_with")
            if declared or made is None:
                raise _stuck(work, declared or missing, None)
            fields = {name: value for name, value in fields.items() if name not in missing}
        try:
            return _dumps(("whole", [module.__name__ for module in homeless], "", (cls, fields, place, missing, made)))
        except Exception as error:
            script = getattr(sys.modules["__main__"], "__file__", None)
            if cls.__module__ == "__main__" and cls.__qualname__ == cls.__name__ and script:
                with contextlib.suppress(Exception):  # by name then, from the script executed over there
                    return pickle.dumps(("script", [], script, pickle.dumps((cls, fields, place, missing, made))))
            raise _stuck(work, missing, error) from error


def unpack(package: bytes) -> LightningWork:
    """Return the Work that `pack` took down; in the process that was started for it.

    Raises:
        NotTransferableError: A private attribute could be made anew only by calling the class, which did not.
    """
    stand_in = ModuleType("__main__")
    sys.modules["__main__"] = stand_in
    kind, homeless, script, content = pickle.loads(package)  # noqa: S301 - our own parent's pipe
    if kind == "script":
        stand_in.__dict__.update(runpy.run_path(script, run_name="__mp_main__"))
        content = pickle.loads(content)  # noqa: S301 - the same
    cls, fields, (parent, key), missing, made_with = content
    for name in ("__main__", *homeless):
        _furnish(sys.modules.setdefault(name, ModuleType(name)), cls)
    work: LightningWork = cls.__new__(cls)
    work.__setstate__(fields)
    if parent:
        work._link(_Place(parent), key)
    if missing:
        args, kwargs = made_with
        spare = cls(*args, **kwargs)
        for name in missing:
            if name not in spare.__dict__:
                raise NotTransferableError(
                    f"{cls.__qualname__}: self.{name} cannot be pickled, and is not made by __init__ either"
                )
            work.__dict__[name] = spare.__dict__[name]
    return work


def _stuck(work: LightningWork, names: list[str], error: Exception | None) -> NotTransferableError:
    what = f"its attributes {', '.join(names)}" if names else "its class, or a global that it uses,"
    why = f" ({type(error).__name__}: {error})" if error else ""
    return NotTransferableError(
        f"{work._title()} cannot be handed to its own process, because {what} cannot be pickled{why}. Create such "
        "objects inside run() or on_start(), or define the class in a module that can be imported."
    )


def _furnish(module: ModuleType, cls: type) -> None:
    """Put into a module what the class's code uses of it, so that it can be found there by name."""
    for base in cls.__mro__:
        if base.__module__ != module.__name__:
            continue
        module.__dict__.setdefault(base.__name__, base)
        for member in vars(base).values():
            for name, value in getattr(member, "__globals__", {}).items():
                module.__dict__.setdefault(name, value)


_LOCK = threading.Lock()  # what travels whole is a setting of the process


class _Place(Node):
    """Stands where the Work's parent stands in the Flow's process, so that the Work knows its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        return self._name


@contextlib.contextmanager
def _travelling_whole(modules: Iterable[ModuleType]) -> Iterator[None]:
    """While entered, what some modules define is pickled whole rather than by name."""
    known = cloudpickle.list_registry_pickle_by_value()
    fresh = [module for module in modules if module.__name__ not in known]
    for module in fresh:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in fresh:
            cloudpickle.unregister_pickle_by_value(module)


def _reduce_code(code: CodeType) -> tuple[Any, ...]:
    """Keep the name of the file that code comes from, for tracebacks; cloudpickle replaces it."""
    make, arguments, *rest = cloudpickle.Pickler.dispatch_table[CodeType](code)
    return (make, tuple(code.co_filename if each == "<dynamic-code>" else each for each in arguments), *rest)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    dispatch_table: ClassVar[Any] = ChainMap({CodeType: _reduce_code}, cloudpickle.Pickler.dispatch_table)


def _dumps(value: Any) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer).dump(value)
    return buffer.getvalue()


def _can_travel(value: Any) -> bool:
    try:
        _dumps(value)
    except Exception:
        return False
    return True


def _homeless_modules(cls: type) -> list[ModuleType]:
    """Return the modules of a class and its bases that another process could not import."""
    names = {base.__module__ for base in cls.__mro__} - {"__main__", "builtins"}
    return [sys.modules[name] for name in names if name in sys.modules and not _is_importable(name)]


@lru_cache(maxsize=1024)
def _is_importable(name: str) -> bool:
    """Tell whether another interpreter with the same path would find a module, and the same one."""
    file = getattr(sys.modules[name], "__file__", None)
    if file is None or name.partition(".")[0] == __name__.partition(".")[0]:
        return True
    path: Sequence[str] | None = None
    spec: ModuleSpec | None = None
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        spec = _find_spec(".".join(parts[:depth]), path)
        if spec is None:
            return False
        path = spec.submodule_search_locations
    return spec is not None and spec.origin is not None and os.path.realpath(spec.origin) == os.path.realpath(file)


def _find_spec(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        home = getattr(finder, "__module__", "") or type(finder).__module__
        if home.startswith("_pytest"):
            continue  # what test runners import in ways of their own, no other process will find
        find = getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = find(name, path, None) if find is not None else None
        if spec is not None:
            return spec
    return None

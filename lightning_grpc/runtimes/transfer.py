"""Hands a Work to a process that we start, over a pipe that only it reads.

Classes that the other process can import travel by name; those of ``__main__``, of functions, and of
modules it could not find travel whole. A private attribute that cannot travel, such as a lock, is made
anew over there by calling the class with the same arguments.

This is the only place where anything is pickled. What it makes is read by `unpack` in a process of
ours and nowhere else.
"""

from __future__ import annotations

import importlib.machinery
import io
import os
import pickle
import sys
from collections import ChainMap
from collections.abc import Iterable, Sequence
from functools import lru_cache
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
    with _Whole(_homeless_modules(type(work))):
        fields = work.__getstate__()
        place = (work._parent.name if work._parent else "", work._key)
        try:
            return _dumps((type(work), fields, place, [], None))
        except Exception:
            stuck = [name for name, value in fields.items() if not _can_travel(value)]
            declared = [name for name in stuck if name in work._declared]
            for name in stuck:
                del fields[name]
            try:
                if declared:
                    raise TypeError(f"its state cannot be pickled: {declared}")
                return _dumps((type(work), fields, place, stuck, work.__dict__["_made_with"]))
            except Exception as error:
                what = f"its attributes {', '.join(stuck)}" if stuck else "its class"
                raise NotTransferableError(
                    f"{work._title()} cannot be handed to its own process, because {what} cannot be pickled "
                    f"({type(error).__name__}: {error}). Create such objects inside run() or on_start(), or define the "
                    "class in a module that can be imported."
                ) from error


def unpack(package: bytes) -> LightningWork:
    """Return the Work that `pack` took down; in the process that was started for it."""
    cls, fields, (parent, key), missing, made_with = pickle.loads(package)  # noqa: S301 - our own parent's pipe
    work: LightningWork = cls.__new__(cls)
    work.__setstate__(fields)
    if parent:
        work._link(_Place(parent), key)
    if missing:
        args, kwargs = made_with
        spare = cls(*args, **kwargs)
        for name in missing:
            work.__dict__[name] = spare.__dict__[name]
    return work


class _Place(Node):
    """Stands where the Work's parent stands in the Flow's process, so that the Work knows its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        return self._name


class _Whole:
    """While entered, what some modules define is pickled whole rather than by name."""

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        self._modules = list(modules)

    def __enter__(self) -> None:
        for module in self._modules:
            cloudpickle.register_pickle_by_value(module)

    def __exit__(self, *_: object) -> None:
        for module in self._modules:
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
    file = getattr(sys.modules[name], "__file__", None)
    if file is None:
        return True
    path: Sequence[str] | None = None
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        spec = importlib.machinery.PathFinder.find_spec(".".join(parts[:depth]), path)
        if spec is None:
            return False
        path = spec.submodule_search_locations
    return spec is not None and spec.origin is not None and os.path.realpath(spec.origin) == os.path.realpath(file)

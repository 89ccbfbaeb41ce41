"""How people write where something stands in an app's state, and where that is in its document.

Three forms mean the same place:

* ``root.child.table['a'][0]``: names of components, an attribute, and keys into it (``.a`` is the key ``'a'``);
* ``root['flows']['child']['vars']['table']['a'][0]``: the document's own keys, as the public form of a delta has them;
* ``("flows", "child", "vars", "table", "a", 0)``: the same as a tuple.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lightning_grpc.components.structures import KINDS
from lightning_grpc.errors import ConfigurationError
from lightning_grpc.state.values import Key, Path

_STEP = re.compile(r"""\.(?P<name>[^.\[\]]+)|\[(?P<key>-?\d+|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\]""")


def parse(text: str) -> tuple[bool, tuple[Key, ...]]:
    """Return the keys in a written place, and whether they are the document's own.

    Raises:
        ConfigurationError: It is not written in one of the forms.

    Example:
        >>> parse("root.child.table['a'][0]"), parse("root['vars']['n']")
        ((False, ('child', 'table', 'a', 0)), (True, ('vars', 'n')))
    """
    keys: list[Key] = []
    position = len("root") if text.startswith("root") else -1
    while 0 <= position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            break
        try:
            keys.append(step["name"] if step["name"] is not None else ast.literal_eval(step["key"]))
        except (SyntaxError, ValueError):  # such as a text with a broken escape
            break
        position = step.end()
    if position != len(text) or not keys:
        raise ConfigurationError(
            f"{text!r} is no place in an app's state; write root.component.attribute, with keys in brackets "
            "(root.child.table['a'][0]), or root['flows']['child']['vars']['table'], or a tuple of keys"
        )
    return text[len("root")] == "[", tuple(keys)


def locate(document: Mapping[str, Any], keys: Sequence[Key]) -> Path:
    """Return where in an app's document the place is that names of components, an attribute and keys into it tell.

    What follows the last component is taken for an attribute, whether it is there or not.

    Raises:
        ConfigurationError: A component is named, and no attribute of it.

    Example:
        >>> locate({"flows": {"child": {"vars": {"n": 0}}}}, ("child", "n"))
        ('flows', 'child', 'vars', 'n')
    """
    path: Path = ()
    node: Any = document
    for depth, key in enumerate(keys):
        kind = next((kind for kind in KINDS if key in node.get(kind, {})), None)
        if kind is None:
            return (*path, "vars", *keys[depth:])
        path, node = (*path, kind, key), node[kind][key]
    names = ".".join(map(str, ("root", *keys)))
    raise ConfigurationError(f"{names} is a component; name one of its attributes, such as {names}.ATTRIBUTE")

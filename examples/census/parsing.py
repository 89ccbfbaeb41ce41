"""What one file's source says about itself; no I/O."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

BUCKETS = ("1-5", "6-10", "11-20", "21-50", "51-100", "101-200", "over 200")
"""Names of the lengths, in lines, that functions are sorted into."""
_LAST_LINES = (5, 10, 20, 50, 100, 200)


class UnparsableError(Exception):
    """A file is no valid Python source; the message says why, on one line."""


class Function(NamedTuple):
    """A function or method, and how many lines it has from ``def`` to its end."""

    name: str
    first_line: int
    lines: int


@dataclass(frozen=True)
class Findings:
    """What was found in one file."""

    lines: int
    classes: int
    nodes: int
    functions: list[Function]


def count_lines(source: bytes) -> int:
    """Return the number of lines, the last one included if it has no line break."""
    return source.count(b"\n") + (not source.endswith(b"\n") and source != b"")


def bucket_of(lines: int) -> str:
    """Return the bucket that a function of so many lines belongs to."""
    for bucket, last in zip(BUCKETS, _LAST_LINES, strict=False):
        if lines <= last:
            return bucket
    return BUCKETS[-1]


def parse(source: bytes) -> Findings:
    """Parse a file's source, in the encoding that it declares.

    Functions and classes are found at any depth, and named by those around them.

    Raises:
        UnparsableError: It is no valid Python for the interpreter that runs this.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(source)
    except SyntaxError as error:
        raise UnparsableError(f"line {error.lineno or 1}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:  # null bytes; nested deeper than the parser can go
        raise UnparsableError(f"{type(error).__name__}: {error}") from error
    nodes = classes = 0
    functions = []
    for node, name in _walk(tree):
        nodes += 1
        if isinstance(node, ast.ClassDef):
            classes += 1
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.append(Function(name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1))
    return Findings(count_lines(source), classes, nodes, functions)


def _walk(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Yield every node with the dotted name of what encloses it; for a function or class, its own included."""
    waiting = [(tree, "")]
    while waiting:
        node, scope = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            scope = f"{scope}.{node.name}" if scope else node.name
        yield node, scope
        waiting.extend((child, scope) for child in ast.iter_child_nodes(node))

"""Documents and deltas of an app as bytes, for the rows of a checkpoint.

Both are written as changes, a document as those that make it out of nothing. No change carries more than one
attribute of one component, so that what can be nested within a value does not depend on where in the tree it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lightning_grpc.state.delta import Change, Set, apply
from lightning_grpc.state.values import Document, Path, Value
from lightning_grpc.wire.codec import decode_delta, encode_delta

_KINDS = frozenset({"flows", "works", "structures"})
_SECTIONS = frozenset({"vars", "calls", "changes", "app_state"})


def encode_changes(revision: int, changes: Iterable[Change]) -> bytes:
    """Return the changes of one revision as bytes."""
    return encode_delta(revision, (each for change in changes for each in _spread_change(change)))


def encode_document(revision: int, document: Document) -> bytes:
    """Return a document as of a revision as bytes."""
    return encode_delta(revision, (each for key, value in document.items() for each in _spread((key,), value)))


def decode_changes(data: bytes) -> tuple[int, list[Change]]:
    """Return the revision and the changes of `encode_changes`.

    Raises:
        ProtocolError: The bytes are something else.
    """
    return decode_delta(data)


def decode_document(data: bytes) -> tuple[int, Document]:
    """Return the revision and the document of `encode_document`; raises what `decode_changes` does."""
    revision, changes = decode_delta(data)
    document: Document = {}
    apply(document, changes)
    return revision, document


def _spread_change(change: Change) -> Iterator[Change]:
    if type(change) is Set and type(change.value) is dict:
        yield from _spread(change.path, change.value)
    else:
        yield change


def _spread(path: Path, value: Value) -> Iterator[Set]:
    """Yield the changes that set a value, a part of the tree attribute by attribute."""
    if type(value) is dict and _is_above_attributes(path):
        yield Set(path, {})
        for key, item in value.items():
            yield from _spread((*path, key), item)
    else:
        yield Set(path, value)


def _is_above_attributes(path: Path) -> bool:
    """Tell whether what stands at a path is a component, its children of a kind, or a section of its document."""
    depth = 0
    while depth < len(path) and path[depth] in _KINDS:
        depth += 2  # a kind, and the key of a child
    rest = path[depth:]
    return not rest or (len(rest) == 1 and rest[0] in _SECTIONS)

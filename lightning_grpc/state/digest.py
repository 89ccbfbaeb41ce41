"""A digest by which a mirror proves that it equals the state it follows.

The digest of a document is the sum, modulo 2**64, of one 64-bit BLAKE2b hash per entry, where an
entry is one key of one section (``vars``, ``calls``) with its value. A sum can be kept up to date
entry by entry, in any order, so that a digest costs the entries that changed and not the document.

Canonical bytes, which any language can produce (lengths and counts in decimal, integers in
lower-case hexadecimal, so that their cost stays linear)::

    None  n            True  t           False  f
    int   i<hexadecimal>;  float d<8 bytes, IEEE 754, big endian; every nan is 7ff8000000000000>
    str   s<bytes>:<UTF-8>
    list  l<count>:<items>     tuple  u<count>:<items>
    dict  m<count>:<key, value pairs, sorted by the keys' canonical bytes>

An entry's hash is over the canonical bytes of the list ``[section, key, value]``.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import cast

from lightning_grpc.state.values import Document, Key, Path, Value

_MODULUS = 1 << 64
_NAN = b"d\x7f\xf8\x00\x00\x00\x00\x00\x00"
_PACK = struct.Struct(">d").pack


def canonical(value: Value) -> bytes:
    """Return the canonical bytes of a value; equal bytes mean the same value of the same type.

    Example:
        >>> canonical([1, True, "a"])
        b'l3:i1;ts1:a'
    """
    parts: list[bytes] = []
    _write(value, parts)
    return b"".join(parts)


def entry_hash(section: str, key: Key, value: Value) -> int:
    """Return the 64-bit hash of one entry of a document."""
    return int.from_bytes(hashlib.blake2b(canonical([section, key, value]), digest_size=8).digest(), "big")


class Digest:
    """Keeps the digest of one document; the caller says which entries changed.

    Entries are hashed when the digest is asked for, each at most once however often it changed before.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._hashes: dict[tuple[str, Key], int] = {}
        self._sum = 0
        self._stale: set[tuple[str, Key]] = set()
        self.reset()

    def reset(self) -> None:
        """Forget everything: the document was replaced as a whole."""
        self._hashes.clear()
        self._sum = 0
        self._stale = {(section, key) for section, entries in self._document.items() for key in entries}

    def touch(self, paths: Iterable[Path], document: Document | None = None) -> None:
        """Note that something at or below each path changed; a path has a section and a key at least.

        Args:
            paths: Where.
            document: If given, the document that takes the place of the one before, and differs from it there alone.
        """
        if document is not None:
            self._document = document
        self._stale.update((cast("str", path[0]), path[1]) for path in paths)

    def value(self) -> int:
        """Return the digest of the document as it is now."""
        for section, key in self._stale:
            self._sum -= self._hashes.pop((section, key), 0)
            entries = self._document[section]
            if key in entries:
                fresh = entry_hash(section, key, entries[key])
                self._hashes[section, key] = fresh
                self._sum += fresh
        self._stale.clear()
        self._sum %= _MODULUS
        return self._sum


def digest(document: Document) -> int:
    """Return the digest of a document, from nothing."""
    return Digest(document).value()


def _write(value: Value, parts: list[bytes]) -> None:
    kind = type(value)
    if kind is str:
        encoded = value.encode()
        parts.append(b"s%d:%b" % (len(encoded), encoded))
    elif kind is int:
        parts.append(b"i%x;" % value)
    elif kind is float:
        parts.append(_NAN if math.isnan(value) else b"d" + _PACK(value))
    elif value is None:
        parts.append(b"n")
    elif kind is bool:
        parts.append(b"t" if value else b"f")
    elif kind is dict:
        parts.append(b"m%d:" % len(value))
        for key, item in sorted((canonical(key), item) for key, item in value.items()):
            parts.append(key)
            _write(item, parts)
    else:
        parts.append(b"%c%d:" % (b"l" if kind is list else b"u", len(value)))
        _write_items(value, parts)


def _write_items(items: Sequence[Value], parts: list[bytes]) -> None:
    """Write the items of a sequence; a long series of numbers with a handful of calls in C."""
    if len(items) <= 8 or not set(map(type, items)) <= {int, float}:
        for item in items:
            _write(item, parts)
        return
    for kind, run in groupby(items, type):
        numbers = tuple(run)
        if kind is int:
            parts.append(b"i%x;" * len(numbers) % numbers)
        elif any(map(math.isnan, numbers)):
            parts.extend(map(canonical, numbers))
        else:
            parts.append(_floats(numbers))


def _floats(values: Sequence[float]) -> bytes:
    """Return what writing one float after the other gives, none of them nan."""
    packed = struct.pack(f">{len(values)}d", *values)
    written = bytearray(9 * len(values))
    written[::9] = b"d" * len(values)
    for i in range(8):
        written[i + 1 :: 9] = packed[i::8]
    return bytes(written)

"""Keys, from the bytes that a terminal sends."""

from __future__ import annotations

import re

_NAMED = {
    b"\r": "enter",
    b"\n": "enter",
    b"\t": "tab",
    b"\x7f": "backspace",
    b"\x08": "backspace",
    b"\x03": "ctrl-c",
    b"\x0c": "ctrl-l",
    b"\x15": "ctrl-u",
    b"\x17": "ctrl-w",
    b" ": "space",
}
_SEQUENCES = {
    "A": "up",
    "B": "down",
    "C": "right",
    "D": "left",
    "H": "home",
    "F": "end",
    "Z": "shift-tab",
    "1~": "home",
    "4~": "end",
    "5~": "pageup",
    "6~": "pagedown",
    "7~": "home",
    "8~": "end",
}
_CSI = re.compile(rb"\x1b\[([0-?]*[ -/]*[@-~])")
_SS3 = re.compile(rb"\x1bO([A-Z])")
_LONGEST = 64  # bytes of a sequence whose end is not in sight; then it is none


class KeyDecoder:
    r"""Turns bytes into keys, however they are cut; what is no key is left out.

    A lone escape is a key too: nothing tells it from the begin of a sequence but that no more comes. So whoever feeds
    the decoder calls `flush` a moment later.

    Example:
        >>> decoder = KeyDecoder()
        >>> decoder.feed(b"j\x1b[B\x1b["), decoder.feed(b"5~q")
        (['j', 'down'], ['pageup', 'q'])
        >>> decoder.feed(b"\x1b"), decoder.flush()
        ([], ['esc'])
    """

    def __init__(self) -> None:
        self._rest = b""

    @property
    def is_waiting(self) -> bool:
        """Whether there are bytes whose meaning is not decided."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[str]:
        """Return the keys that are complete with some more bytes."""
        self._rest += data
        keys: list[str] = []
        while self._rest:
            taken = self._take()
            if taken is None:
                break
            length, key = taken
            self._rest = self._rest[length:]
            if key:
                keys.append(key)
        return keys

    def flush(self) -> list[str]:
        """Return what the bytes are that were waited with; nothing more has come."""
        rest, self._rest = self._rest, b""
        if not rest.startswith(b"\x1b"):
            return []
        return ["esc"] if rest == b"\x1b" else []

    def _take(self) -> tuple[int, str] | None:
        """Return how many bytes the first key takes, and the key; None if it is not complete."""
        rest = self._rest
        if rest[:1] == b"\x1b":
            return self._take_sequence(rest)
        named = _NAMED.get(rest[:1])
        if named is not None:
            return 1, named
        length = _length_of(rest[0])
        if len(rest) < length:
            return None
        try:
            text = rest[:length].decode()
        except UnicodeDecodeError:
            return 1, ""
        return length, text if text.isprintable() else ""

    def _take_sequence(self, rest: bytes) -> tuple[int, str] | None:
        if len(rest) == 1:
            return None
        if rest[1:2] not in (b"[", b"O"):
            return 1, "esc"
        found = _CSI.match(rest) or _SS3.match(rest)
        if found is None:
            return (len(rest), "") if len(rest) > _LONGEST else None
        return found.end(), _SEQUENCES.get(found.group(1).decode("ascii", "replace"), "")


def _length_of(first: int) -> int:
    """Return how many bytes a character takes in UTF-8, by its first one."""
    return 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4

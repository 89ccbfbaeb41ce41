"""What is said between the coordinator and its fork server.

A command is two lengths (4 bytes each, big endian), a JSON object and a payload. An event is a line of
JSON, short enough to be written at once by several processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Iterator
from typing import Any

_LENGTHS = struct.Struct(">II")
_EVENT_BYTES = 3500  # below PIPE_BUF, so that lines of several writers do not mix


def encode_command(command: dict[str, Any], payload: bytes = b"") -> bytes:
    """Return a command as bytes."""
    head = json.dumps(command).encode()
    return _LENGTHS.pack(len(head), len(payload)) + head + payload


class CommandReader:
    """Cuts a stream of bytes into commands."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Yield the commands, with their payloads, that are complete with `data`."""
        buffer = self._buffer
        buffer += data
        while len(buffer) >= _LENGTHS.size:
            head_bytes, payload_bytes = _LENGTHS.unpack_from(buffer)
            head_end = _LENGTHS.size + head_bytes
            end = head_end + payload_bytes
            if len(buffer) < end:
                return
            command = json.loads(buffer[_LENGTHS.size : head_end])
            payload = bytes(buffer[head_end:end])
            del buffer[:end]
            yield command, payload


def write_event(fd: int, **event: Any) -> None:
    """Write one event; a closed pipe means that nobody is interested any more."""
    line = json.dumps(event)
    if len(line) > _EVENT_BYTES and "message" in event:
        keep = _EVENT_BYTES // 8
        event["message"] = f"{event['message'][:keep]}\n...\n{event['message'][-keep:]}"
        line = json.dumps(event)
    with contextlib.suppress(OSError):
        os.write(fd, line.encode() + b"\n")

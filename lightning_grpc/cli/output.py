"""What is printed: data on stdout, words on stderr, JSON that every reader takes.

JSON has no nan, no infinity, no tuple, and no keys but texts. What is printed here is made to be read by programs in
any language: tuples become arrays, keys texts, and a number that JSON cannot say an object with one key that begins
with a dollar, as in the HTTP API: ``{"$float": "nan"}``, ``{"$int": "0x..."}``.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import math
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

import rich_click as click

if TYPE_CHECKING:
    from rich.console import Console

PROGRAM = "lightning-grpc"
FAILED, MISUSED, INTERRUPTED, CLOSED, TERMINATED = 1, 2, 130, 141, 143
"""Exit codes; docs/cli.md has them all."""

DEBUG = "lightning_grpc.debug"
"""The key in a context's meta that says whether ``--debug`` was given."""

_WIDEST, _HEIGHT = 1000, 25
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
_PRINTED_BITS = 14_000  # Python prints no integer of more than 4,300 digits


def schema(thing: str, **fields: Any) -> dict[str, Any]:
    """Return an object of JSON that says what it is, such as ``lightning-grpc/works/1``.

    The number is raised when a reader of the one before could not read it; new keys may come without that.
    """
    return {"schema": f"{PROGRAM}/{thing}/1", **fields}


def as_json(value: Any) -> Any:
    """Return what JSON can say of a value of the state, or of a delta in DeepDiff's form; fresh containers.

    Example:
        >>> as_json({"pair": (1, 2.5), 7: float("nan")})
        {'pair': [1, 2.5], '7': {'$float': 'nan'}}
    """
    if isinstance(value, dict):
        return {key_text(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > _PRINTED_BITS:
        return {"$int": hex(value)}
    return value.__name__ if isinstance(value, type) else value


def key_text(key: Any) -> str:
    """Write a key of a dict in the state as the text that JSON has in its place."""
    return hex(key) if isinstance(key, int) and key.bit_length() > _PRINTED_BITS else str(key)


def print_json(value: Any, *, indented: bool | None = None) -> None:
    """Print a value as JSON, made ready by `as_json`.

    Args:
        value: The value.
        indented: Whether over several lines; None if and only if a person is looking.
    """
    indent = 2 if (sys.stdout.isatty() if indented is None else indented) else None
    text = json.dumps(as_json(value), ensure_ascii=False, allow_nan=False, indent=indent)
    if not can_show(text):  # a lone surrogate, or a terminal of another alphabet
        text = json.dumps(as_json(value), allow_nan=False, indent=indent)
    print(text, flush=True)


def data_console() -> Console:
    """Return what prints data by Rich: as wide as the terminal, or, for a program that reads it, each row on a line."""
    from rich.console import Console

    class DataConsole(Console):
        def on_broken_pipe(self) -> None:  # where Rich would end the program with 1
            raise BrokenPipeError(errno.EPIPE, "nobody reads")

    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return DataConsole()
    return DataConsole(width=_WIDEST, height=_HEIGHT)  # told both, for of TERM=dumb Rich believes both or none


def print_table(table: Any) -> None:
    """Print a table of Rich's."""
    data_console().print(table, markup=False, highlight=False)
    sys.stdout.flush()


def is_movable() -> bool:
    """Tell whether stdout is a terminal on which what was printed can be printed over."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def is_colourful() -> bool:
    """Tell whether stdout is a terminal that shows colours, and they are wanted."""
    return is_movable() and not os.environ.get("NO_COLOR")


def can_show(letters: str) -> bool:
    """Tell whether stdout has some letters in its encoding."""
    try:
        letters.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def one_line(value: Any) -> str:
    """Write a value on one line, as Python does."""
    try:
        return repr(value)
    except ValueError:  # it has an integer of very many digits
        return repr(as_json(value))


def say(words: str) -> None:
    """Tell the person something; it is no data."""
    print(words, file=sys.stderr, flush=True)


def fail(words: str, code: int = FAILED) -> SystemExit:
    """Say what went wrong, and return what ends the command.

    Example:
        ::

            raise fail("the app has ended")
    """
    from lightning_grpc.dashboard.cells import clean

    say("ERROR: " + "\n".join(map(clean, words.split("\n"))))  # names in it may be any text
    return SystemExit(code)


def is_debug() -> bool:
    """Tell whether ``--debug`` was given."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(DEBUG))


def trace(error: BaseException) -> None:
    """Show where an error came from, if ``--debug`` was given."""
    if is_debug():
        traceback.print_exception(error)
        sys.stderr.flush()


def print_whatever_the_terminal_can_show() -> None:
    """Have letters escaped that the terminal's encoding does not have, in place of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def open_what_is_closed() -> bool:
    """Put something in the place of standard streams that are closed; return whether stdout was.

    What is written there goes nowhere, and no file or socket that is opened later gets to be stdout or stderr.
    """
    was_closed = sys.stdout is None
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # in the order of their descriptors
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - for as long as the process lives
    return was_closed


def have_nobody_read() -> None:
    """Make stdout what it was if it was closed: something that nobody reads, as after ``| head``."""
    reading, writing = os.pipe()
    os.close(reading)
    sys.stdout.close()
    sys.stdout = open(writing, "w")  # noqa: SIM115 - for as long as the process lives


def flush() -> int:
    """Write what was printed; return 0, or the exit code if that cannot be done."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return unwritten(error) or FAILED
    return 0


def unwritten(error: OSError) -> int:
    """Return the exit code for an error of stdout, which is told if somebody reads; 0 for any other."""
    if isinstance(error, BrokenPipeError):
        discard()
        return CLOSED
    if error.errno not in _UNWRITABLE or error.filename is not None:
        return 0
    discard()
    say(f"ERROR: what was printed cannot be written: {error.strerror}. Make room there, or have it written elsewhere.")
    return FAILED


def discard() -> None:
    """Let what is still to be printed go nowhere, for who was to read it has closed stdout."""
    with contextlib.suppress(OSError, io.UnsupportedOperation), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())

"""Where in the source a call is made, as a text that is the same after a restart."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from os.path import basename
from types import CodeType, FrameType


def call_site(frame: FrameType) -> str:
    """Return where a function makes a call: ``app.py:12:8:Flow.run``, the numbers are line and column.

    The folder is left out, so that the text stays the same when the source is moved as a whole; so is the column, if
    the interpreter was told not to keep it.

    Args:
        frame: The execution of the function, which is at the call.
    """
    return _describe(frame.f_code, frame.f_lasti)


@lru_cache(maxsize=1024)
def _describe(code: CodeType, instruction: int) -> str:
    line, _, column, _ = next(islice(code.co_positions(), instruction // 2, None))
    place = f"{line}" if column is None else f"{line}:{column}"
    return f"{basename(code.co_filename)}:{place}:{code.co_qualname}"

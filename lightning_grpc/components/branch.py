"""What of a function depends on the result of one of its calls, as ``if call(): ...`` makes it."""

from __future__ import annotations

import sys
from bisect import bisect_right
from functools import lru_cache
from types import CodeType, FrameType

_BETWEEN = frozenset({"CACHE", "EXTENDED_ARG", "NOP", "NOT_TAKEN", "TO_BOOL"})  # decide nothing
_ENDS = frozenset({"RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE"})
_JUMPS = frozenset({"JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "JUMP_ABSOLUTE"})


class Branch:
    """What depends on a call that is being made, by the function that makes it.

    It is all that the function would not come to if the call's result were false. That can be told if the result is
    tested where it arises, by an ``if`` for example; but not, if it is kept in a variable or returned.

    Args:
        frame: The execution of that function. It is kept alive.
    """

    def __init__(self, frame: FrameType) -> None:
        self._frame = frame
        self._call = frame.f_lasti

    def is_past(self) -> bool:
        """Tell whether the function has come to something that does not depend on the call; if it cannot be told, no.

        Threads: The one on which the function is executed.
        """
        otherwise = _otherwise(self._frame.f_code, self._call)
        if otherwise is None:
            return False
        frame: FrameType | None = sys._getframe()
        while frame is not None and frame is not self._frame:
            frame = frame.f_back
        return frame is None or any(frame.f_lasti in span for span in otherwise)


@lru_cache(maxsize=256)
def _otherwise(code: CodeType, call: int) -> tuple[range, ...] | None:
    """Return where in its code a function comes to if a call's result is false, before it makes the call again.

    Args:
        code: The function's code.
        call: Where in it the call is made; anywhere from the instruction to the end of what the interpreter keeps
            behind it.
    """
    import dis

    instructions = list(dis.get_instructions(code))
    offsets = [instruction.offset for instruction in instructions]
    calling = bisect_right(offsets, call) - 1
    deciding = (place for place in range(calling + 1, len(offsets)) if instructions[place].opname not in _BETWEEN)
    test, following = next(deciding), next(deciding, 0)
    if "IF_FALSE" in instructions[test].opname:
        reached = [offsets.index(instructions[test].argval)]
    elif "IF_TRUE" in instructions[test].opname and instructions[following].opname in _JUMPS:
        reached = [following]  # the same, the other way round
    else:
        return None
    found: set[int] = set()
    while reached:
        place = reached.pop()
        if place in found or place == calling:
            continue
        found.add(place)
        instruction = instructions[place]
        if instruction.opcode in dis.hasjrel or instruction.opcode in dis.hasjabs:
            reached.append(offsets.index(instruction.argval))
        if instruction.opname not in _ENDS | _JUMPS:
            reached.append(place + 1)
    ends = [*offsets[1:], len(code.co_code)]
    return tuple(range(offsets[place], ends[place]) for place in found)

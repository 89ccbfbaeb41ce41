"""Amounts, as they are written for people."""

from __future__ import annotations


def milliseconds(seconds: float) -> str:
    """Write a short time.

    Example:
        >>> milliseconds(0.00234), milliseconds(0.25), milliseconds(12.3)
        ('2.3 ms', '250 ms', '12.3 s')
    """
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"


def mebibytes(count: int) -> str:
    """Write an amount of memory.

    Example:
        >>> mebibytes(31_457_280)
        '30.0 MiB'
    """
    return f"{count / (1 << 20):.1f} MiB"

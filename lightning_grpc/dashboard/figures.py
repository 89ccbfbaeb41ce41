"""Numbers and times as people read them, short enough for a column."""

from __future__ import annotations


def duration(seconds: float | None) -> str:
    """Write a time that has passed, in at most six cells or so.

    Example:
        >>> [duration(each) for each in (None, 0.0004, 0.25, 9.5, 75, 7380, 200000)]
        ['-', '0.4ms', '250ms', '9.5s', '1m15s', '2h03m', '2d07h']
    """
    if seconds is None:
        return "-"
    if seconds < 0.001:
        return f"{seconds * 1e3:.1f}ms"
    if seconds < 1:
        return f"{seconds * 1e3:.0f}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    for size, unit, part, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // part:02}{small}"
    return f"{whole}s"


def rate(per_s: float | None) -> str:
    """Write how often something happens in a second.

    Example:
        >>> rate(None), rate(0.25), rate(42.4), rate(12345)
        ('-', '0.2', '42', '12.3k')
    """
    if per_s is None:
        return "-"
    if per_s == 0:
        return "0"
    return f"{per_s:.1f}" if per_s < 10 else count(round(per_s))


def count(number: int) -> str:
    """Write a number in at most five cells or so.

    Example:
        >>> count(999), count(12_345), count(7_000_000)
        ('999', '12.3k', '7.0M')
    """
    if abs(number) < 10_000:
        return str(number)
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if abs(number) >= size:
            return f"{number / size:.1f}{unit}" if number < 10**15 else f"{number:.0e}"
    return str(number)


def share(part: float | None) -> str:
    """Write a share of one core.

    Example:
        >>> share(None), share(0.004), share(0.5), share(2.25)
        ('-', '0.4%', '50%', '225%')
    """
    if part is None:
        return "-"
    return f"{part * 100:.1f}%" if 0 < part < 0.0995 else f"{part * 100:.0f}%"


def size(number: int | None) -> str:
    """Write a number of bytes.

    Example:
        >>> size(None), size(900), size(85 << 20), size(3 << 30)
        ('-', '900B', '85M', '3.0G')
    """
    if number is None:
        return "-"
    amount = float(number)
    for unit in ("B", "K", "M", "G", "T"):
        if amount < 1024:
            return f"{amount:.1f}{unit}" if unit not in "BKM" and amount < 100 else f"{amount:.0f}{unit}"
        amount /= 1024
    return f"{amount:.0f}P"


def clock(at_s: float, utc_offset_s: float, *, with_tenths: bool = False) -> str:
    """Write a time of day.

    Example:
        >>> clock(3661.25, 0), clock(3661.25, 3600, with_tenths=True)
        ('01:01:01', '02:01:01.2')
    """
    local_s = at_s + utc_offset_s
    whole = int(local_s // 1)
    text = f"{whole // 3600 % 24:02}:{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{text}.{int(local_s * 10) % 10}" if with_tenths else text

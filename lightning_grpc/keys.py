"""Keys and paths, as people write them."""

from __future__ import annotations

from collections.abc import Sequence

Path = Sequence["str | int"]


def render_keys(path: Path) -> str:
    """Render a path inside a value the way one would write it in Python.

    Example:
        >>> render_keys(["table", "a", 0])
        "table['a'][0]"
    """
    if not path:
        return ""
    return str(path[0]) + "".join(f"[{_render_key(key)}]" for key in path[1:])


def _render_key(key: str | int) -> str:
    try:
        return repr(key)
    except ValueError:  # Python prints no integer of more than some thousand digits
        return hex(key)[:20] + "..." if isinstance(key, int) else "..."

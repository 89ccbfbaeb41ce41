"""What state can hold, as Hypothesis strategies; and an independent word on when two values are the same."""

from __future__ import annotations

import math
from functools import cache

from hypothesis import strategies as st

# Strategies are made once: making them costs more than drawing from them.

LOOKALIKES = [0, 0.0, -0.0, False, 1, 1.0, True, "1", "", None, math.nan, (), [], {}, 2**53, 2.0**53]
"""Values of which many are equal to one another, or empty, and none is the same as another."""

EDGES = [2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, -(2**64), 10**40, -(10**40), 255, 256, -128, -129]
ODD_TEXTS = [
    *("", "1", "'", '"', "'\"", "a.b", "a[0]", "root['x']", "]", "[", "__class__", "__x__", "_", "\\", "\\n"),
    *("\0", "\n", "\x7f", "é", "\ufffe", "\U0001f600", "\U0010ffff", "*", "**", "root"),
]


@cache
def texts():
    return st.sampled_from(ODD_TEXTS) | st.text(max_size=6)


@cache
def keys():
    """Keys of dicts: str and int."""
    return texts() | st.integers() | st.sampled_from(EDGES)


@cache
def scalars():
    return (
        st.sampled_from([value for value in LOOKALIKES if not isinstance(value, list | dict)])
        | st.booleans()
        | st.integers()
        | st.sampled_from(EDGES)
        | st.floats()
        | texts()
    )


def containers_of(items):
    return (
        st.lists(items, max_size=5)
        | st.lists(items, max_size=4).map(tuple)
        | st.dictionaries(keys(), items, max_size=4)
        | st.lists(st.sampled_from([0, 1, 2, True, 1.0]), min_size=8, max_size=14)
    )


@cache
def values(max_leaves=12):
    """All values that state can hold, nested."""
    return st.recursive(scalars(), containers_of, max_leaves=max_leaves)


@cache
def containers():
    return containers_of(values(6))


@cache
def dicts():
    return st.dictionaries(keys(), values(6), max_size=4)


@cache
def simple_values():
    """Values with all that is odd about them, but few and shallow: where the structure matters, not the leaves."""
    scalars = st.sampled_from([value for value in LOOKALIKES if not isinstance(value, list | dict)] + EDGES + ODD_TEXTS)
    flat = st.lists(scalars, max_size=4) | st.dictionaries(st.sampled_from([*"abc", 1, 2]), scalars, max_size=3)
    return scalars | flat | st.lists(flat, max_size=2) | st.dictionaries(st.sampled_from("abc"), flat, max_size=2)


@cache
def sections():
    """What the attributes of a component amount to."""
    return st.dictionaries(texts(), simple_values(), max_size=3)


@cache
def documents():
    """A component's state."""
    return st.fixed_dictionaries({"vars": sections(), "calls": sections()})


@st.composite
def edited(draw, value):
    """A value that has much in common with another one, down to shared containers."""
    edit = draw(st.sampled_from(["keep", "inside", "inside", "inside", "replace"]))
    if edit == "keep":
        return value
    if edit == "replace" or not isinstance(value, list | tuple | dict):
        return draw(values(4))
    if isinstance(value, dict):
        return draw(edited_dicts(value))
    items = draw(_edited_list(list(value)))
    return tuple(items) if isinstance(value, tuple) else items


@cache
def short_lists(max_size):
    return st.lists(values(3), max_size=max_size)


@st.composite
def _edited_list(draw, items):
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(items)))
        stop = draw(st.integers(start, min(len(items), start + 3)))
        match draw(st.sampled_from(["edit", "insert", "remove", "replace"])):
            case "edit" if start < len(items):
                items[start] = draw(edited(items[start]))
            case "remove":
                del items[start:stop]
            case "insert":
                items[start:start] = draw(short_lists(12))
            case _:
                items[start:stop] = draw(short_lists(3))
    return items


@st.composite
def edited_dicts(draw, value):
    """A dict that has much in common with another one."""
    after = dict(value)
    for _ in range(draw(st.integers(1, 3))):
        match draw(st.sampled_from(["edit", "add", "remove", "permute"])):
            case "edit" if after:
                key = draw(st.sampled_from(list(after)))
                after[key] = draw(edited(after[key]))
            case "remove" if after:
                del after[draw(st.sampled_from(list(after)))]
            case "permute":
                after = dict(draw(st.permutations(list(after.items()))))
            case _:
                after[draw(keys())] = draw(values(3))
    return after


@st.composite
def pairs(draw, first=values):
    """Two values: unrelated ones, or one edited into the other."""
    before = draw(first())
    return before, draw(edited(before) if draw(st.integers(0, 4)) else first())


@st.composite
def dict_pairs(draw, first=dicts):
    """Two dicts, one edited into the other."""
    before = draw(first())
    return before, draw(edited_dicts(before))


@st.composite
def edited_documents(draw, document):
    """A document made of another by an edit of its sections."""
    return {name: draw(_edited_section(entries)) for name, entries in document.items()}


@st.composite
def _edited_section(draw, entries):
    after = {key: draw(edited(value)) for key, value in entries.items() if draw(st.integers(0, 5))}
    if draw(st.booleans()):
        after[draw(texts())] = draw(simple_values())
    return after


def permuted(value):
    """The same value with the keys of every dict the other way round, in fresh containers."""
    if isinstance(value, dict):
        return {key: permuted(item) for key, item in reversed(value.items())}
    if isinstance(value, list | tuple):
        return type(value)(permuted(item) for item in value)
    return value


def fingerprint(value, *, exact=True):
    """A hashable stand-in that is equal for two values when, and only when, they are the same.

    Args:
        value: A value.
        exact: If not, numbers that are equal count as the same whatever their type, as ``==`` has it.
    """
    kind = type(value).__name__
    if isinstance(value, dict):
        return kind, frozenset((fingerprint(key), fingerprint(item, exact=exact)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return kind, tuple(fingerprint(item, exact=exact) for item in value)
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    if not exact and isinstance(value, int | float):
        return "number", value
    return kind, value.hex() if isinstance(value, float) else value


def mutable_parts(value):
    """The identities of all lists and dicts in a value."""
    found = {id(value)} if isinstance(value, list | dict) else set()
    if isinstance(value, list | tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            found |= mutable_parts(item)
    return found


def leaves(value):
    """All scalars in a value, in order."""
    if isinstance(value, list | tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    else:
        yield value

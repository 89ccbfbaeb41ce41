"""Keys from bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_grpc.dashboard.keys import KeyDecoder

KNOWN = {
    b"\x1b[A": "up",
    b"\x1bOB": "down",
    b"\x1b[5~": "pageup",
    b"\x1b[H": "home",
    b"\x1b[4~": "end",
    b"\x1b[Z": "shift-tab",
    b"\r": "enter",
    b"\x7f": "backspace",
    b"\x03": "ctrl-c",
    b" ": "space",
    "é".encode(): "é",
    "日".encode(): "日",
    "🎉".encode(): "🎉",
    b":": ":",
}


@given(st.lists(st.sampled_from(sorted(KNOWN)), max_size=8), st.data())
def test_keys_are_the_same_however_their_bytes_are_cut(keys, data):
    decoder, found = KeyDecoder(), []
    rest = b"".join(keys)
    while rest:
        at = data.draw(st.integers(1, len(rest)))
        found += decoder.feed(rest[:at])
        rest = rest[at:]
    assert found == [KNOWN[key] for key in keys]
    assert not decoder.is_waiting


@given(st.binary(max_size=200))
def test_any_bytes_make_keys_that_can_be_shown(data):
    decoder = KeyDecoder()
    for key in [*decoder.feed(data), *decoder.flush()]:
        assert key.isprintable()
        assert key
    assert not decoder.is_waiting


@pytest.mark.parametrize("data", [b"\x1b[200~", b"\x1b[1;5A", b"\x1b[<0;1;1M", b"\x00", b"\x1b[?1;2c"])
def test_what_is_no_key_of_ours_is_left_out(data):
    assert KeyDecoder().feed(data + b"q") == ["q"]


def test_a_lone_escape_is_a_key_when_nothing_follows():
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b") == []
    assert decoder.is_waiting
    assert decoder.flush() == ["esc"]
    assert KeyDecoder().feed(b"\x1bq") == ["esc", "q"]

"""How a place in an app's state is written, and where it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_grpc.errors import ConfigurationError
from lightning_grpc.service.places import locate, parse
from lightning_grpc.state.public import render_path

DOCUMENT = {
    "vars": {"n": 0},
    "flows": {"child": {"vars": {"t": {}}, "flows": {}, "works": {"w": {"vars": {"flows": 1}}}}},
    "structures": {"list": {"flows": {"0": {"vars": {"n": 0}}}, "works": {}}},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("root.n", (False, ("n",))),
        ("root.child.t['a'][0]", (False, ("child", "t", "a", 0))),
        ("root.list.0.n", (False, ("list", "0", "n"))),
        ("root.t[-1]", (False, ("t", -1))),
        ("root['vars']['n']", (True, ("vars", "n"))),
        ("root['vars'][\"it's\"]['a.b']", (True, ("vars", "it's", "a.b"))),
        (r"root.t['it\'s']['\n']", (False, ("t", "it's", "\n"))),
    ],
)
def test_a_written_place_is_read(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "root", "root.", "child.n", "rooted.n", "root..n", "root.n[a]", "root.n[", "root[1.5]", "root.n]", "root n"],
)
def test_what_is_no_place_is_refused_with_how_to_write_one(text):
    with pytest.raises(ConfigurationError, match=r"write root\.component\.attribute"):
        parse(text)


keys = st.one_of(
    st.integers(0, 10**6), st.text(st.characters(codec="ascii", exclude_characters="\\\n\r\0'"), min_size=1)
)


@given(st.lists(keys, min_size=1, max_size=5).map(lambda path: ["vars", *path]))
def test_a_path_as_deltas_show_it_is_read_back(path):
    text = render_path(tuple(path))
    if text is not None:
        assert parse(text) == (True, tuple(path))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (("n",), ("vars", "n")),
        (("child", "t", "a", 0), ("flows", "child", "vars", "t", "a", 0)),
        (("child", "w", "flows"), ("flows", "child", "works", "w", "vars", "flows")),
        (("list", "0", "n"), ("structures", "list", "flows", "0", "vars", "n")),
        (("missing", "n"), ("vars", "missing", "n")),
    ],
)
def test_names_lead_to_a_place_in_the_document(keys, expected):
    assert locate(DOCUMENT, keys) == expected


@pytest.mark.parametrize("keys", [("child",), ("child", "w"), ("list",), ("list", "0")])
def test_a_component_is_no_place_for_a_value(keys):
    with pytest.raises(ConfigurationError, match="is a component; name one of its attributes"):
        locate(DOCUMENT, keys)

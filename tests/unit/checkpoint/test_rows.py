"""Documents and deltas of an app as bytes."""

from __future__ import annotations

import pytest
from app_documents import app_documents
from hypothesis import given, settings
from strategies import dict_pairs, fingerprint

from lightning_grpc.checkpoint.rows import decode_changes, decode_document, encode_changes, encode_document
from lightning_grpc.errors import ProtocolError
from lightning_grpc.state.delta import Set, apply, diff
from lightning_grpc.state.values import MAX_DEPTH, copy


@settings(max_examples=25)
@given(app_documents())
def test_a_document_comes_back_exactly(document):
    revision, after = decode_document(encode_document(7, document))
    assert revision == 7
    assert fingerprint(after) == fingerprint(document)


@settings(max_examples=25)
@given(dict_pairs(app_documents))
def test_changes_that_come_back_make_the_same_document(pair):
    before, after = pair
    revision, changes = decode_changes(encode_changes(8, diff(before, after)))
    made = copy(before)
    apply(made, changes)
    assert revision == 8
    assert fingerprint(made) == fingerprint(after)


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def test_what_can_be_nested_does_not_depend_on_where_in_the_tree_it_is():
    work = {"vars": {"deep": nested(MAX_DEPTH)}, "calls": {}}
    flow = {"vars": {}, "calls": {}, "flows": {}, "works": {"w": work}, "structures": {}, "changes": {}}
    for level in range(30):
        flow = {**flow, "flows": {f"f{level}": flow}, "works": {}}
    assert fingerprint(decode_document(encode_document(1, flow))[1]) == fingerprint(flow)
    _, changes = decode_changes(encode_changes(2, [Set(("flows", "new"), flow)]))
    made = {"flows": {}}
    apply(made, changes)
    assert fingerprint(made) == fingerprint({"flows": {"new": flow}})


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x12\x05abc", b"nonsense that goes on and on"])
def test_other_bytes_are_refused(data):
    with pytest.raises(ProtocolError):
        decode_document(data)

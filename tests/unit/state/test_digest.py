"""Digests: canonical bytes that any language can produce, and a sum that follows the edits."""

from __future__ import annotations

import hashlib
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import documents, edited_documents, pairs, permuted, values

from lightning_grpc.state import digest as digest_module
from lightning_grpc.state.delta import apply, diff
from lightning_grpc.state.digest import Digest, canonical, digest
from lightning_grpc.state.values import copy, same

DOCUMENTED = [
    (None, b"n"),
    (True, b"t"),
    (False, b"f"),
    (0, b"i0;"),
    (255, b"iff;"),
    (-256, b"i-100;"),
    (2**64, b"i10000000000000000;"),
    (1.5, b"d" + struct.pack(">d", 1.5)),
    (-0.0, b"d\x80\0\0\0\0\0\0\0"),
    (math.inf, b"d\x7f\xf0\0\0\0\0\0\0"),
    (math.nan, b"d\x7f\xf8\0\0\0\0\0\0"),
    (float("-nan"), b"d\x7f\xf8\0\0\0\0\0\0"),
    ("", b"s0:"),
    ("\U0001f600", b"s4:\xf0\x9f\x98\x80"),
    ([], b"l0:"),
    ([1, "a"], b"l2:i1;s1:a"),
    ((1, (2,)), b"u2:i1;u1:i2;"),
    ({}, b"m0:"),
    ({"b": 1, "a": None, 2: True, 11: 0}, b"m4:i2;tib;i0;s1:ans1:bi1;"),
    (list(range(10)), b"l10:" + b"".join(b"i%x;" % i for i in range(10))),
    (tuple(range(10)), b"u10:" + b"".join(b"i%x;" % i for i in range(10))),
    ([*range(9), True], b"l10:" + b"".join(b"i%x;" % i for i in range(9)) + b"t"),
]


@pytest.mark.parametrize(("value", "expected"), DOCUMENTED, ids=repr)
def test_canonical_bytes_are_those_that_the_module_documents(value, expected):
    assert canonical(value) == expected


@given(pairs())
def test_canonical_bytes_are_equal_exactly_when_the_values_are_the_same(pair):
    a, b = pair
    assert (canonical(a) == canonical(b)) == same(a, b)


@given(values())
def test_canonical_bytes_do_not_depend_on_the_order_of_keys(value):
    assert canonical(permuted(value)) == canonical(value)


def test_an_integer_of_a_million_bits_has_canonical_bytes():
    assert canonical(1 << 1_000_000) == b"i1" + b"0" * 250_000 + b";"


def test_the_digest_of_a_document_is_the_sum_of_its_entries_hashes():
    def entry(canonical_bytes):
        return int.from_bytes(hashlib.blake2b(canonical_bytes, digest_size=8).digest(), "big")

    assert digest({"vars": {}, "calls": {}}) == 0
    expected = entry(b"l3:s4:varss1:ai1;") + entry(b"l3:s4:varsi5;l0:") + entry(b"l3:s5:callss1:an")
    assert digest({"vars": {"a": 1, 5: []}, "calls": {"a": None}}) == expected % 2**64


@given(st.data(), documents())
def test_a_digest_that_follows_edits_is_the_digest_from_scratch(data, document):
    followed = Digest(document)
    for _ in range(data.draw(st.integers(1, 4))):
        changes = diff(document, data.draw(edited_documents(copy(document))))
        apply(document, changes)
        followed.touch(change.path for change in changes)
        if data.draw(st.booleans()):
            assert followed.value() == digest(document)
    assert followed.value() == digest(document)


@given(documents(), documents())
def test_a_digest_starts_anew_when_the_document_was_replaced(document, other):
    followed = Digest(document)
    followed.value()
    document.update(other)
    followed.reset()
    assert followed.value() == digest(other)


@given(documents())
def test_the_digest_does_not_depend_on_the_order_of_keys(document):
    assert digest(permuted(document)) == digest(document)


@given(st.data(), documents())
def test_documents_that_differ_have_different_digests(data, document):
    other = data.draw(edited_documents(copy(document)))
    assert (digest(document) == digest(other)) == same(document, other)


def test_an_entry_that_has_not_changed_is_not_hashed_again(monkeypatch):
    hashed = []
    monkeypatch.setattr(digest_module, "entry_hash", lambda section, key, value: hashed.append(key) or 1)
    document = {"vars": {"a": 1, "b": 2}, "calls": {}}
    followed = Digest(document)
    followed.value()
    hashed.clear()
    document["vars"]["a"] = 3
    followed.touch([("vars", "a"), ("vars", "a", "x")])
    followed.value()
    followed.value()
    assert hashed == ["a"]


@pytest.mark.parametrize(
    "items", [[0.0, -0.0, 1.5] * 5, [float("inf"), -float("inf")] * 6, [math.nan, 2.0] * 6, [1, 2, 0.5, 3, -1.0] * 3]
)
def test_long_series_of_floats_are_written_like_short_ones(items):
    one_by_one = b"".join(map(canonical, items))
    assert canonical(items) == b"l%d:" % len(items) + one_by_one
    assert canonical(tuple(items)) == b"u%d:" % len(items) + one_by_one

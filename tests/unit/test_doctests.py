"""The examples in the docstrings do what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import lightning_grpc

LEFT_OUT = ("lightning_grpc.v1", "lightning_grpc.__main__")
"""Generated code, and the module that runs when it is imported by name."""

MODULES = [
    module.name
    for module in pkgutil.walk_packages(lightning_grpc.__path__, "lightning_grpc.")
    if not module.name.startswith(LEFT_OUT)
]


@pytest.mark.parametrize("name", ["lightning_grpc", *MODULES])
def test_the_examples_of_a_module_do_what_they_say(name):
    results = doctest.testmod(importlib.import_module(name), raise_on_error=False)
    assert results.failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    examples = [
        example for name in MODULES for each in finder.find(importlib.import_module(name)) for example in each.examples
    ]
    assert len(examples) > 20

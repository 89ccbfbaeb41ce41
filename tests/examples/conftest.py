"""What the tests of the examples share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest
from example_runs import EXAMPLES, Example, Ran

sys.path.insert(0, str(EXAMPLES / "census"))  # as `lightning-grpc run app` does it


@pytest.fixture
def example() -> Iterator[Callable[..., Example]]:
    """Return what makes an Example; at the end of the test, no process of any may be left."""
    examples: list[Example] = []

    def make(name: str, *arguments: str) -> Example:
        examples.append(Example(name, *arguments))
        return examples[-1]

    yield make
    left = [command for each in examples for command in each.end_what_is_left()]
    assert not left, f"processes outlived the app: {left}"


@pytest.fixture
def run_example(example: Callable[..., Example]) -> Callable[..., Ran]:
    """Return what runs an example, by its name and the app's own arguments, to its end."""
    return lambda name, *arguments: example(name, *arguments).run()

"""What of a function depends on a call: told by running the function up to each of its steps."""

from __future__ import annotations

import sys

import pytest

from lightning_grpc.components.branch import Branch


class Probe:
    """Is called where a schedule would be, and where a Work would block; notes what was left there."""

    def __init__(self, result=True):
        self.result = result
        self.branches = {}
        self.left = {}

    def due(self, name="due"):
        self.branches[name] = Branch(sys._getframe(1))
        return self.result

    def step(self, name):
        self.left[name] = {key for key, branch in self.branches.items() if branch.is_past()}
        return False


def plain(p):
    if p.due():
        p.step("inside")
    p.step("behind")


def with_else(p):
    if p.due():
        p.step("inside")
    else:
        p.step("else")
    for _ in range(2):
        p.step("behind")


def nested(p):
    if p.due():
        for _ in range(2):
            if p.due("inner"):
                p.step("inside both")
            p.step("inside")
        with open(__file__) as file:
            assert file
            p.step("inside still")
        try:
            p.step("in a try inside")
        finally:
            p.step("in a finally inside")
    p.step("behind")


def two(p):
    if p.due("first"):
        p.step("in the first")
    if p.due("second"):
        p.step("in the second")
    p.step("behind both")


def in_a_loop(p):
    for name in "ab":
        if p.due(name):
            p.step(f"inside {name}")
    while True:
        p.step("behind")
        break


def with_and(p):
    if p.due() and p.result:
        p.step("inside")
    p.step("behind")


def in_a_with(p):
    with open(__file__) as file:
        if p.due():
            p.step("inside")
        assert file
        p.step("behind in it")
    p.step("behind")


def in_a_comprehension(p):
    return [p.step("inside") for _ in range(2) if p.due()], p.step("behind")


def chosen(p):
    p.step("inside") if p.due() else None
    p.step("behind")


def returns_early(p):
    if p.due():
        p.step("inside")
        if not p.result:
            return
        p.step("inside still")
    p.step("behind")


exec(  # a block so long that the jump behind it takes more than one byte
    "def long(p):\n if p.due():\n" + "  p.step('inside')\n" * 200 + " for _ in 'a':\n  p.step('behind')\n"
    "def long_in_a_loop(p):\n for _ in 'a':\n  if p.due():\n" + "   p.step('inside')\n" * 200 + " p.step('behind')\n"
)


def in_another_function(p):
    plain(p)
    p.left.clear()
    p.step("behind")


TOLD = [plain, with_else, nested, in_a_loop, with_and, in_a_with, in_a_comprehension, chosen, returns_early]
TOLD += [in_another_function, long, long_in_a_loop]  # noqa: F821 - made above


@pytest.mark.parametrize("function", TOLD)
def test_what_stands_behind_a_condition_is_told_from_what_stands_under_it(function):
    probe = Probe()
    function(probe)
    assert all(not left - {"inner"} for name, left in probe.left.items() if "inside" in name)
    behind = {name: left for name, left in probe.left.items() if "behind" in name}
    assert behind
    assert all(left >= {name for name in probe.branches if name != "inner"} for left in behind.values())


def test_the_block_of_one_condition_is_behind_that_of_another():
    probe = Probe()
    two(probe)
    assert probe.left == {
        "in the first": set(),
        "in the second": {"first"},
        "behind both": {"first", "second"},
    }


def kept_in_a_variable(p):
    due = p.due()
    if due:
        p.step("under it")
    p.step("behind")


def helper(p):
    return p.due()


def asked_by_another_function(p):
    if helper(p):
        p.step("under it")
    p.step("behind")


def negated(p):
    if not p.due():
        return
    p.step("under it")


def with_or(p):
    if p.due() or p.step("other"):
        p.step("under it")
    p.step("behind")


@pytest.mark.parametrize("function", [kept_in_a_variable, asked_by_another_function, negated, with_or])
def test_a_branch_that_cannot_be_told_is_never_left(function):
    probe = Probe()
    function(probe)
    assert set(map(frozenset, probe.left.values())) == {frozenset()}

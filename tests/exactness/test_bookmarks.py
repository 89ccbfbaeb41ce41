"""At every bookmark the mirror is what the Work's state is (issue: exactness, point 2)."""

from __future__ import annotations

import pytest
from exact_works import Edited
from follower import Follower

ROUNDS = 40


@pytest.mark.parametrize("seed", range(3))
def test_at_every_bookmark_the_mirrors_digest_is_the_works(seed):
    with Follower(Edited()) as follower:
        for number in range(ROUNDS):
            follower.call(1000 * seed + number, 1 + number)
            follower.until(follower.has_finished, f"the end of round {number}")
            proven = len(follower.proven)
            follower.until(lambda proven=proven: len(follower.proven) > proven, f"a bookmark after round {number}")
        assert follower.broken == []
        assert len(set(follower.proven)) >= ROUNDS
        assert follower.resyncs == 0
        assert follower.counted == 0


def test_a_mirror_that_has_gone_wrong_is_made_anew_once():
    with Follower(Edited()) as follower:
        follower.call(7, 50)
        follower.until(lambda: follower.has_finished() and follower.proven)
        follower.mirror._digest.touch([("vars", "number")])
        follower.vars["number"] += 1  # such as an undetected bit error, or a bug, would
        follower.until(lambda: follower.broken, "a bookmark that shows it")
        proven = len(follower.proven)
        follower.until(lambda: len(follower.proven) > proven, "a mirror that is right again")
        assert len(follower.broken) == 1
        assert follower.resyncs == 1
        assert follower.counted == 1

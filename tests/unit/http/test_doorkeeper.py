"""Tokens, one-time codes and cookies."""

from __future__ import annotations

from lightning_grpc.http.doorkeeper import CODE_LIFE_S, MAX_CODES, Doorkeeper


def make():
    time = [100.0]
    return Doorkeeper("the token", 7501, now=lambda: time[0]), time


def test_the_token_is_known():
    doorkeeper, _ = make()
    assert doorkeeper.knows(["Bearer the token"], [])
    assert doorkeeper.knows(["bearer  the token"], [])
    assert not doorkeeper.knows(["Bearer another"], [])
    assert not doorkeeper.knows(["Bearer the token"] * 2, [])
    assert not doorkeeper.knows([], [])


def test_a_code_is_taken_once_for_a_cookie():
    doorkeeper, _ = make()
    code = doorkeeper.issue_code()
    session = doorkeeper.redeem(code)
    assert doorkeeper.redeem(code) is None
    assert doorkeeper.knows([], [f"other=1; {doorkeeper.cookie_name}={session}"])
    assert not doorkeeper.knows([], [f"lightning_grpc_1={session}"])
    assert not doorkeeper.knows(["Bearer wrong"], [f"{doorkeeper.cookie_name}={session}"])
    assert session != "the token"


def test_a_code_has_an_end():
    doorkeeper, time = make()
    code = doorkeeper.issue_code()
    time[0] += CODE_LIFE_S + 1
    assert doorkeeper.redeem(code) is None


def test_there_are_only_so_many_codes():
    doorkeeper, _ = make()
    codes = [doorkeeper.issue_code() for _ in range(MAX_CODES + 1)]
    assert doorkeeper.redeem(codes[0]) is None
    assert doorkeeper.redeem(codes[1]) is not None

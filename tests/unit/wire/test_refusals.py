"""Errors of an app that travel: they come back as what they were, and fit into a status."""

from __future__ import annotations

import asyncio
import json

import grpc
import pytest

from lightning_grpc import errors
from lightning_grpc.wire.refusals import MAX_FACT_BYTES, abort_with, to_app_error

ERRORS = [
    errors.UpdateRefusedError(("flows", "leaf", "vars", 7), "it does not fit"),
    errors.UpdateConflictError(("vars", "n"), "it has changed"),
    errors.UnknownCommandError("nothing", ["a", "b"]),
    errors.CommandArgumentError("add", "number", "is missing", "add --number INT"),
    errors.CommandFailedError("add", "ValueError", "no", "Traceback\n  ...\nValueError: no\n"),
    errors.CommandDefinitionError("add", "root", "is no name"),
    errors.RequestSuspendedError("command add", "root.w"),
]


class Aborted(Exception):
    pass


class Call:
    """What a context and the error of a call have in common: a status."""

    async def abort(self, code, details, metadata):
        self._code, self._details, self._metadata = code, details, metadata
        raise Aborted

    def code(self):
        return self._code

    def details(self):
        return self._details

    def trailing_metadata(self):
        return self._metadata


def sent(error):
    call = Call()
    with pytest.raises(Aborted):
        asyncio.run(abort_with(call, error))
    return call


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_as_what_it_was(error):
    back = to_app_error(sent(error), "the app")
    assert type(back) is type(error)
    assert str(back).rstrip() == str(error).rstrip()


@pytest.mark.parametrize("kind", [errors.AppEndedError, errors.BusyError, errors.NoAnswerError, errors.ProtocolError])
def test_an_error_that_is_its_text_names_the_app_when_it_comes_back(kind):
    back = to_app_error(sent(kind("some words")), "the app")
    assert type(back) is kind
    assert str(back) == "the app: some words"


def test_an_error_without_a_status_of_its_own_is_told_in_words():
    call = sent(errors.WorkFailedError("root.w", "run:1", "user_exception", "ValueError", "Traceback"))
    assert call.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "root.w failed" in str(to_app_error(call, "the app"))


def test_a_deadline_that_passed_on_the_way_is_no_answer():
    call = Call()
    call._code, call._details, call._metadata = grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", ()
    assert isinstance(to_app_error(call, "the app"), errors.NoAnswerError)


def test_an_error_of_any_size_fits_into_the_headers_of_an_answer():
    long = "é" * 10_000
    for error in (
        errors.CommandFailedError("add", "ValueError", long, long + "the last line"),
        errors.UnknownCommandError(long, [f"command {n}" for n in range(1000)]),
        errors.UpdateRefusedError(tuple(range(10_000)), long),
        errors.CommandArgumentError("add", "number", long, long),
    ):
        call = sent(error)
        size = len(call.details().encode()) + sum(len(key) + len(value) for key, value in call.trailing_metadata())
        assert size < 8 << 10
        assert type(to_app_error(call, "the app")) is type(error)
    failed = to_app_error(sent(errors.CommandFailedError("add", "ValueError", "no", long + "the last line")), "the app")
    assert failed.remote_traceback.endswith("the last line")


def test_of_a_list_that_is_too_long_the_beginning_is_told_as_far_as_it_fits():
    path = ("flows", *range(100_000))
    told = tuple(to_app_error(sent(errors.UpdateConflictError(path, "it has changed")), "the app").path)
    assert told == path[: len(told)]
    assert len(json.dumps(told)) <= MAX_FACT_BYTES < len(json.dumps(path[: len(told) + 1]))
    assert to_app_error(sent(errors.UpdateConflictError(("x" * 2000,), "no")), "the app").path == []

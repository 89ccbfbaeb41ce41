"""Errors across the wire: what a server says of a request comes back as an error that names the fields."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from lightning_grpc import errors
from lightning_grpc.wire.refusals import abort_with
from lightning_grpc.wire.status import MAX_VIOLATIONS, abort, abort_invalid, reason_of, to_error

HEADERS_LIMIT_BYTES = 8 << 10  # what gRPC takes, unless it is told otherwise


class Aborted(Exception):
    pass


class Call:
    """What a context and the error of a call have in common: a status."""

    def __init__(self, code=None, details="", metadata=()):
        self._code, self._details, self._metadata = code, details, metadata

    async def abort(self, code, details, metadata):
        self._code, self._details, self._metadata = code, details, metadata
        raise Aborted

    def code(self):
        return self._code

    def details(self):
        return self._details

    def trailing_metadata(self):
        return self._metadata

    def parts(self):
        """The details of the status, by kind."""
        status = status_pb2.Status.FromString(dict(self._metadata)["grpc-status-details-bin"])
        assert (status.code, status.message) == (self._code.value[0], self._details)
        return {each.type_url.rpartition(".")[2]: each.value for each in status.details}


def ended(coroutine_function, *args, **kwargs):
    call = Call()
    with pytest.raises(Aborted):
        asyncio.run(coroutine_function(call, *args, **kwargs))
    return call


def test_what_is_wrong_with_the_fields_of_a_request_comes_back_by_field():
    violations = {"args[0]": "is no value", 'attributes["n"]': "root.w has no attribute n"}
    error = to_error(ended(abort_invalid, "ARGUMENT_INVALID", violations), "root.w")
    assert type(error) is errors.InvalidRequestError
    assert isinstance(error, errors.ProtocolError)
    assert isinstance(error, ValueError)
    assert error.violations == violations
    assert str(error).startswith("root.w: args[0]: is no value; attributes")
    assert str(error).count("args[0]") == 1


def test_fields_that_the_message_does_not_name_are_named_by_the_error():
    call = ended(abort, grpc.StatusCode.INVALID_ARGUMENT, "X", "no", violations={"args[3]": "is wrong"})
    assert str(to_error(call, "root.w")) == "root.w: no (INVALID_ARGUMENT); args[3]: is wrong"


def test_a_violation_carries_the_reason_of_the_error_for_programs():
    parts = ended(abort_invalid, "UPDATE_INVALID", {"a": "b"}).parts()
    assert set(parts) == {"ErrorInfo", "BadRequest"}
    (violation,) = error_details_pb2.BadRequest.FromString(parts["BadRequest"]).field_violations
    assert (violation.field, violation.description, violation.reason) == ("a", "b", "UPDATE_INVALID")


def test_however_much_is_wrong_the_status_fits_into_headers():
    call = ended(abort_invalid, "ARGUMENT_INVALID", {f"{n}" + "é" * 10_000: "ü" * 10_000 for n in range(10_000)})
    encoded = dict(call.trailing_metadata())["grpc-status-details-bin"]
    assert len(encoded) * 4 / 3 + len(call.details().encode()) * 3 < HEADERS_LIMIT_BYTES
    assert len(to_error(call, "root.w").violations) == MAX_VIOLATIONS
    assert f"and {10_000 - MAX_VIOLATIONS} more" in call.details()


def test_a_later_try_is_suggested_when_one_may_be_worth_it():
    call = ended(abort, grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "too many", retry_after_s=1.5)
    error = to_error(call, "root.w")
    assert type(error) is errors.TransportError
    assert error.retry_after_s == 1.5
    assert error.is_refusal
    assert dict(call.trailing_metadata())["grpc-retry-pushback-ms"] == "-1"
    assert not to_error(ended(abort, grpc.StatusCode.UNAVAILABLE, "WORK_UNAVAILABLE", "it died"), "root.w").is_refusal
    busy = ended(abort_with, errors.BusyError("too many"))
    assert "RetryInfo" in busy.parts()
    assert "RetryInfo" not in ended(abort_with, errors.AppEndedError("it has ended")).parts()


def test_what_an_app_does_not_take_is_told_by_field_too():
    call = ended(abort_with, errors.CommandArgumentError("add", "number", "is missing", "add --number INT"))
    (violation,) = error_details_pb2.BadRequest.FromString(call.parts()["BadRequest"]).field_violations
    assert (violation.field, violation.description) == ('arguments["number"]', "is missing")
    call = ended(abort_with, errors.UpdateRefusedError(("vars", "n"), "it is an int"))
    (violation,) = error_details_pb2.BadRequest.FromString(call.parts()["BadRequest"]).field_violations
    assert violation.field == "root['vars']['n']"


def test_a_message_that_is_too_large_states_the_limit():
    call = Call(grpc.StatusCode.RESOURCE_EXHAUSTED, "CLIENT: Sent message larger than max (70000000 vs. 67108864)")
    error = to_error(call, "root.w")
    assert type(error) is errors.ProtocolError
    assert "larger than the 64 MiB" in str(error)


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff", b"", b"\x1a\x03\x0a\x01\xff"])
def test_details_that_cannot_be_read_are_no_details(garbage):
    call = Call(grpc.StatusCode.INTERNAL, "oops", (("grpc-status-details-bin", garbage), ("other", "x")))
    assert reason_of(call) == ""
    assert type(to_error(call, "root.w")) is errors.ProtocolError

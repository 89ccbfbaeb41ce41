"""Errors: who must act, which builtin they are too, and what they say."""

from __future__ import annotations

import inspect
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import keys

from lightning_grpc import errors, signals
from lightning_grpc.errors import (
    InvalidValueError,
    InvariantError,
    LightningGrpcError,
    NotInitializedError,
    UndeclaredAttributeError,
    WorkFailedError,
)
from lightning_grpc.keys import render_keys

ALSO = {
    "NotInitializedError": AttributeError,
    "UndeclaredAttributeError": AttributeError,
    "InvalidValueError": AttributeError,
    "StateTooLargeError": AttributeError,
    "ChildError": AttributeError,
    "MissingRunError": TypeError,
    "InvalidReturnError": RuntimeError,
    "NotTransferableError": TypeError,
    "ScheduleError": ValueError,
    "ConfigurationError": ValueError,
    "WorkFailedError": RuntimeError,
    "FlowFailedError": RuntimeError,
    "UpdateRefusedError": ValueError,
    "UpdateConflictError": ValueError,
    "NoAnswerError": TimeoutError,
    "TransportError": ConnectionError,
    "RuntimeStartError": RuntimeError,
    "ProtocolError": RuntimeError,
    "InvariantError": RuntimeError,
}
CLASSES = {
    name: cls
    for name, cls in vars(errors).items()
    if inspect.isclass(cls) and issubclass(cls, BaseException) and cls.__module__ == errors.__name__
}


def test_every_error_of_the_package_stands_in_the_tree_at_the_top_of_the_file():
    assert all(f" {name}" in errors.__doc__ for name in CLASSES if name != "LightningGrpcError")


@pytest.mark.parametrize("name", ALSO)
def test_an_error_is_also_the_builtin_that_users_catch(name):
    assert issubclass(CLASSES[name], LightningGrpcError)
    assert issubclass(CLASSES[name], ALSO[name])


def test_every_error_is_an_exception_of_this_package():
    for name, cls in CLASSES.items():
        assert issubclass(cls, LightningGrpcError), name


def test_a_signal_is_no_exception_so_that_users_code_does_not_swallow_it():
    classes = dict(inspect.getmembers(signals, inspect.isclass))
    assert set(classes) == {"FlowSignal", "FlowSuspended", "ExitAppException", "LightningFlowException"}
    for name, cls in classes.items():
        assert issubclass(cls, signals.FlowSignal), name
        assert not issubclass(cls, Exception), name


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ([], ""),
        (["x"], "x"),
        (["x", 0, "a"], "x[0]['a']"),
        (["x", "it's", '"'], "x[\"it's\"]['\"']"),
        ([0, 1], "0[1]"),
    ],
)
def test_a_path_is_rendered_as_one_would_write_it(path, expected):
    assert render_keys(path) == expected


@given(st.lists(keys(), min_size=2, max_size=4))
def test_a_rendered_path_names_every_key(path):
    text = render_keys(path)
    assert all(repr(key) in text for key in path[1:])


def test_a_path_with_an_integer_too_long_to_be_printed_is_rendered_all_the_same():
    assert render_keys(["x", 10**5000, "a"]).endswith("['a']")
    assert "is odd" in str(InvalidValueError(("x", 10**5000), "is odd"))


def test_an_invalid_value_knows_its_path_from_whoever_sees_it():
    error = InvalidValueError(("a", 0), "is odd")
    outer = error.within(("vars", "x"), "root.w (Work)")
    assert (error.path, outer.path) == (("a", 0), ("vars", "x", "a", 0))
    assert str(outer).startswith("root.w (Work): vars['x']['a'][0] is odd.")
    assert str(InvalidValueError((), "is odd")).startswith("the value is odd.")
    assert str(outer.within(())).startswith("root.w (Work): ")


def test_a_state_that_is_too_large_keeps_its_kind_whoever_sees_it():
    error = errors.StateTooLargeError(("x",), "takes too much").within((), "root.w (Work)")
    assert type(error) is errors.StateTooLargeError
    assert str(error) == "root.w (Work): x takes too much"


def test_a_failed_work_tells_which_how_and_why():
    error = WorkFailedError("root.w", "run:abc", "user_exception", "ValueError", "Traceback ...\nValueError: no\n")
    text = str(error)
    assert "root.w failed with ValueError" in text
    assert "user_exception" in text
    assert "run:abc" in text
    assert text.endswith("ValueError: no")
    died = str(WorkFailedError("root.w", "run:abc", "process_died", "", "its process was killed by signal 9"))
    assert "process_died" in died
    assert "its process was killed by signal 9" in died


def test_a_bug_of_ours_says_so():
    assert "this is a bug in lightning_grpc" in str(InvariantError("impossible"))


@pytest.mark.parametrize(
    "error",
    [
        NotInitializedError("Work"),
        UndeclaredAttributeError("root.w (Work)", "x"),
        InvalidValueError(("x", 0), "is odd", "root.w (Work)"),
        WorkFailedError("root.w", "run:1", "user_exception", "ValueError", "Traceback"),
        errors.StateTooLargeError(("x",), "takes too much", "root.w (Work)"),
        errors.ProtocolError("odd"),
        signals.ExitAppException("bye"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_being_pickled(error):
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is type(error)
    assert str(twin) == str(error)

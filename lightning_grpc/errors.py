"""Every error of the package, split by who must act on it.

::

    LightningGrpcError
     +-- DefinitionError            the author of a component
     |    +-- NotInitializedError       (AttributeError)
     |    +-- UndeclaredAttributeError  (AttributeError)
     |    +-- InvalidValueError         (AttributeError)
     |    |    +-- StateTooLargeError
     |    +-- ChildError                (AttributeError)
     |    +-- MissingRunError           (TypeError)
     |    +-- InvalidReturnError        (RuntimeError)
     |    +-- NotTransferableError      (TypeError)
     +-- ConfigurationError         the operator  (ValueError)
     +-- WorkFailedError            the author of a Work's ``run``  (RuntimeError)
     +-- FlowFailedError            the Flow, which said ``fail()``  (RuntimeError)
     +-- TransportError             the environment  (ConnectionError)
     +-- RuntimeStartError          whoever launches Works  (RuntimeError)
     +-- ProtocolError              the peer, or us  (RuntimeError)
     +-- InvariantError             us: a bug in this package  (RuntimeError)

    FlowSignal (BaseException)      not errors: how a Flow's ``run`` is left early
     +-- FlowSuspended                  a blocking Work has not finished
     +-- ExitAppException               ``stop()``
     +-- LightningFlowException         ``fail()``

An error holds facts as attributes and renders them in ``__str__``. Where users of Lightning Apps
catch a builtin, the error is also that builtin.
"""

from __future__ import annotations

from collections.abc import Sequence

Path = Sequence["str | int"]


def render_keys(path: Path) -> str:
    """Render a path inside a value the way one would write it in Python.

    Example:
        >>> render_keys(["table", "a", 0])
        "table['a'][0]"
    """
    if not path:
        return ""
    return str(path[0]) + "".join(f"[{_render_key(key)}]" for key in path[1:])


def _render_key(key: str | int) -> str:
    try:
        return repr(key)
    except ValueError:  # Python prints no integer of more than some thousand digits
        return hex(key)[:20] + "..." if isinstance(key, int) else "..."


class LightningGrpcError(Exception):
    """Base of every error this package raises on purpose."""


class DefinitionError(LightningGrpcError):
    """A component is written in a way that cannot work."""


class NotInitializedError(DefinitionError, AttributeError):
    """A component's ``__init__`` did not call ``super().__init__()``."""

    def __init__(self, class_name: str) -> None:
        super().__init__(class_name)
        self.class_name = class_name

    def __str__(self) -> str:
        return (
            f"Did you forget to call super().__init__() in {self.class_name}? Call it first in "
            f"{self.class_name}.__init__, before any attribute is assigned."
        )


class UndeclaredAttributeError(DefinitionError, AttributeError):
    """A public attribute was assigned that ``__init__`` does not define."""

    def __init__(self, component: str, attribute: str) -> None:
        super().__init__(component, attribute)
        self.component = component
        self.attribute = attribute

    def __str__(self) -> str:
        return (
            f"Cannot set attributes that were not defined in __init__: {self.attribute} "
            f"(component {self.component}). Define self.{self.attribute} in its __init__, or name it "
            f"self._{self.attribute} if it is not part of the state."
        )


class InvalidValueError(DefinitionError, AttributeError):
    """A value is not one that state can hold.

    Attributes:
        component: Name and class of the component, empty while unknown.
        path: Keys from the attribute's name down to the offending part.
        reason: What is wrong with that part.
    """

    def __init__(self, path: Path, reason: str, component: str = "") -> None:
        super().__init__(path, reason, component)
        self.component = component
        self.path = tuple(path)
        self.reason = reason

    def within(self, prefix: Path, component: str = "") -> InvalidValueError:
        """Return the same finding seen from the component that holds the value."""
        return InvalidValueError((*prefix, *self.path), self.reason, component or self.component)

    def __str__(self) -> str:
        where = render_keys(self.path) or "the value"
        owner = f"{self.component}: " if self.component else ""
        return (
            f"{owner}{where} {self.reason}. Only JSON-serializable attributes are currently supported: None, bool, "
            "int, float, str, and list, tuple and dict of them. HINT: Private attributes (self._x = y) are not part "
            "of the state and may hold anything."
        )


class ChildError(DefinitionError, AttributeError):
    """A component was attached where none may be, or an attached one was replaced."""


class StateTooLargeError(InvalidValueError):
    """A value would make a Work's state larger than it may be."""

    def __str__(self) -> str:
        owner = f"{self.component}: " if self.component else ""
        return f"{owner}{render_keys(self.path)} {self.reason}"

    def within(self, prefix: Path, component: str = "") -> StateTooLargeError:
        """Return the same finding seen from the component that holds the value."""
        return StateTooLargeError((*prefix, *self.path), self.reason, component or self.component)


class MissingRunError(DefinitionError, TypeError):
    """A Work, or the root Flow, has no ``run`` of its own."""


class InvalidReturnError(DefinitionError, RuntimeError):
    """A Work's ``run`` returned something other than None."""


class NotTransferableError(DefinitionError, TypeError):
    """A Work cannot be handed to the process that shall run it."""


class ConfigurationError(LightningGrpcError, ValueError):
    """An option, file or environment is not usable as given."""


class WorkFailedError(LightningGrpcError, RuntimeError):
    """A Work's run failed and the Work was to raise.

    Attributes:
        work: Full name of the Work, such as ``root.w``.
        call_hash: Identity of the failed call.
        reason: Such as ``user_exception`` or ``process_died``.
        remote_type: Class of the exception in the Work's process, empty if there was none.
        remote_traceback: The traceback as it was printed there, or what is known instead.
    """

    def __init__(self, work: str, call_hash: str, reason: str, remote_type: str, remote_traceback: str) -> None:
        super().__init__(work, call_hash, reason, remote_type, remote_traceback)
        self.work = work
        self.call_hash = call_hash
        self.reason = reason
        self.remote_type = remote_type
        self.remote_traceback = remote_traceback

    @property
    def summary(self) -> str:
        """One line: which Work failed how; with what is known if there is no traceback."""
        if self.remote_type:
            return f"{self.work} failed with {self.remote_type} ({self.reason}, call {self.call_hash})"
        return f"{self.work} failed: {self.remote_traceback.strip()} ({self.reason}, call {self.call_hash})"

    def __str__(self) -> str:
        return f"{self.summary}:\n{self.remote_traceback.rstrip()}" if self.remote_type else self.summary


class FlowFailedError(LightningGrpcError, RuntimeError):
    """A Flow ended the app as failed with ``fail()``."""


class TransportError(LightningGrpcError, ConnectionError):
    """A peer cannot be reached, or the connection to it broke."""


class RuntimeStartError(LightningGrpcError, RuntimeError):
    """A Work's process could not be started."""


class ProtocolError(LightningGrpcError, RuntimeError):
    """A message breaks the rules of the protocol."""


class InvariantError(LightningGrpcError, RuntimeError):
    """Something that cannot happen happened: a bug in lightning_grpc."""

    def __str__(self) -> str:
        return f"{super().__str__()} (this is a bug in lightning_grpc, please report it)"


class FlowSignal(BaseException):
    """Leaves a Flow's ``run`` early; not an ``Exception``, so that user code does not swallow it."""


class FlowSuspended(FlowSignal):
    """A blocking Work was called and has not finished; the run starts again when it has."""


class ExitAppException(FlowSignal):
    """A Flow called ``stop()``: the app ends well."""


class LightningFlowException(FlowSignal):
    """A Flow called ``fail()``: the app ends as failed."""

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
     |    +-- ScheduleError             (ValueError)
     |    +-- CommandDefinitionError    (ValueError)
     +-- ConfigurationError         the operator  (ValueError)
     |    +-- CheckpointError
     |    +-- NotThereError
     +-- WorkFailedError            the author of a Work's ``run``  (RuntimeError)
     +-- FlowFailedError            the Flow, which said ``fail()``  (RuntimeError)
     +-- UpdateRefusedError         who updates an app's state from outside  (ValueError)
     |    +-- UpdateConflictError
     +-- UnknownCommandError        who calls a command of an app  (LookupError)
     +-- UnknownWorkError           who wants something of a Work of an app  (LookupError)
     +-- CommandArgumentError       the same  (ValueError)
     +-- CommandFailedError         the author of a command  (RuntimeError)
     +-- RequestSuspendedError      the author of what was asked of an app  (RuntimeError)
     +-- AppEndedError              nobody: the app has ended  (RuntimeError)
     +-- BusyError                  who asks an app for too much at a time  (RuntimeError)
     +-- NoAnswerError              who asks an app whose Flow is busy, or hangs  (TimeoutError)
     +-- TransportError             the environment  (ConnectionError)
     +-- RuntimeStartError          whoever launches Works  (RuntimeError)
     +-- ProtocolError              the peer, or us  (RuntimeError)
     |    +-- InvalidRequestError       who calls a Work  (ValueError)
     +-- InvariantError             us: a bug in this package  (RuntimeError)

An error holds facts as attributes and renders them in ``__str__``. Where users of Lightning Apps
catch a builtin, the error is also that builtin. How a Flow's ``run`` is left early: `lightning_grpc.signals`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lightning_grpc.keys import Path, render_keys


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


class CommandDefinitionError(DefinitionError, ValueError):
    """A Flow's ``configure_commands`` cannot be used as it is.

    Attributes:
        command: The command's name; empty if it is about none in particular.
        flow: Full name of the Flow that offers it.
        reason: What is wrong.
    """

    def __init__(self, command: str, flow: str, reason: str) -> None:
        super().__init__(command, flow, reason)
        self.command = command
        self.flow = flow
        self.reason = reason

    def __str__(self) -> str:
        what = f"the command {self.command!r} in " if self.command else ""
        return f"{what}{self.flow}.configure_commands() {self.reason}"


class ScheduleError(DefinitionError, ValueError):
    """A Flow asks for a schedule that has no meaning.

    Attributes:
        pattern: The cron pattern, as one would write it.
        reason: What is wrong with it.
        flow: Name and class of the Flow, empty while unknown.
    """

    def __init__(self, pattern: str, reason: str, flow: str = "") -> None:
        super().__init__(pattern, reason, flow)
        self.pattern = pattern
        self.reason = reason
        self.flow = flow

    def within(self, flow: str) -> ScheduleError:
        """Return the same finding seen from the Flow that asks."""
        return ScheduleError(self.pattern, self.reason, flow)

    def __str__(self) -> str:
        owner = f"{self.flow}: " if self.flow else ""
        return (
            f"{owner}schedule({self.pattern}) has no meaning: {self.reason}. A cron pattern has five fields (minute, "
            "hour, day of the month, month, day of the week), such as '30 2 * * *', or six, with seconds at the end; "
            "or it is hourly, daily, midnight, weekly, monthly, yearly or annually."
        )


class ConfigurationError(LightningGrpcError, ValueError):
    """An option, file or environment is not usable as given."""


class CheckpointError(ConfigurationError):
    """A checkpoint cannot be made, written, read or resumed."""


class NotThereError(ConfigurationError):
    """A file, or what is named in it, is not there."""


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


class UnknownCommandError(LightningGrpcError, LookupError):
    """The app has no command of this name.

    Attributes:
        command: The name.
        known: The names of those it has.
    """

    def __init__(self, command: str, known: Sequence[str]) -> None:
        super().__init__(command, known)
        self.command, self.known = command, tuple(known)

    def __str__(self) -> str:
        return f"the app has no command {self.command!r}; it has {', '.join(self.known) or 'none'}"


class UnknownWorkError(LightningGrpcError, LookupError):
    """The app has no Work of the name `work`; those that it has are `known`."""

    def __init__(self, work: str, known: Sequence[str]) -> None:
        super().__init__(work, known)
        self.work, self.known = work, tuple(known)

    def __str__(self) -> str:
        return f"the app has no Work {self.work!r}; it has {', '.join(self.known) or 'none'}"


class CommandArgumentError(LightningGrpcError, ValueError):
    """An argument of a command is missing, unknown, or does not fit; nothing was executed.

    Attributes:
        command: The command's name.
        argument: The argument's name.
        reason: What is wrong with it.
        usage: How the command is written.
    """

    def __init__(self, command: str, argument: str, reason: str, usage: str) -> None:
        super().__init__(command, argument, reason, usage)
        self.command = command
        self.argument = argument
        self.reason = reason
        self.usage = usage

    def __str__(self) -> str:
        return f"{self.command}: the argument {self.argument!r} {self.reason}. Usage: {self.usage}"


class CommandFailedError(LightningGrpcError, RuntimeError):
    """A command raised an exception, or returned what is no value; the app goes on.

    Attributes:
        command: The command's name.
        remote_type: Class of the exception in the app's process.
        message: What the exception says.
        remote_traceback: The traceback as it was printed there; empty if there was none.
    """

    def __init__(self, command: str, remote_type: str, message: str, remote_traceback: str) -> None:
        super().__init__(command, remote_type, message, remote_traceback)
        self.command = command
        self.remote_type = remote_type
        self.message = message
        self.remote_traceback = remote_traceback

    @property
    def summary(self) -> str:
        """One line: which command failed with what."""
        return f"the command {self.command} failed with {self.remote_type}: {self.message}"

    def __str__(self) -> str:
        return f"{self.summary}\n{self.remote_traceback.rstrip()}" if self.remote_traceback else self.summary


class RequestSuspendedError(LightningGrpcError, RuntimeError):
    """Something asked for from outside called a blocking Work, which only the root's run can wait for."""

    def __init__(self, what: str, work: str) -> None:
        self.what = what
        self.work = work
        super().__init__(
            f"{what} has called {work}.run(), which blocks: it was asked for, but only a Flow's run can wait for it. "
            "Make the Work parallel, or have the root's run call it."
        )


class UpdateRefusedError(LightningGrpcError, ValueError):
    """An update of the app's state from outside does not fit; nothing of it was made."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{render_keys(['root', *path])} cannot be updated: {reason}")


class UpdateConflictError(UpdateRefusedError):
    """An update was made for an older state: what it changes has changed meanwhile."""


class AppEndedError(LightningGrpcError, RuntimeError):
    """The app that was asked for something has ended."""


class BusyError(LightningGrpcError, RuntimeError):
    """Too many requests are waiting for the app; a later one may be accepted."""


class NoAnswerError(LightningGrpcError, TimeoutError):
    """An app did not answer in time; what was asked for may be done all the same."""


class TransportError(LightningGrpcError, ConnectionError):
    """A peer cannot be reached, or the connection broke; or it says that it does not accept this now (`is_refusal`).

    Attributes:
        retry_after_s: When another try may be worth it, as far as the peer has said so.
        is_lasting: Whether waiting cannot help, because the two sides do not agree on TLS, or no gRPC server is there.
    """

    retry_after_s = 0.0
    is_refusal = False
    is_lasting = False


class RuntimeStartError(LightningGrpcError, RuntimeError):
    """A Work's process could not be started."""


class ProtocolError(LightningGrpcError, RuntimeError):
    """A message breaks the rules of the protocol."""


class InvalidRequestError(ProtocolError, ValueError):
    """A peer does not take a request; `violations` says what is wrong, by the request's field."""

    def __init__(self, message: str, violations: Mapping[str, str]) -> None:
        self.violations = dict(violations)
        super().__init__(message, self.violations)

    def __str__(self) -> str:
        return str(self.args[0])


class InvariantError(LightningGrpcError, RuntimeError):
    """Something that cannot happen happened: a bug in lightning_grpc."""

    def __str__(self) -> str:
        return f"{super().__str__()} (this is a bug in lightning_grpc, please report it)"

"""What a dashboard is told: by the app it watches, by the clock, by the keyboard. And what it wants done."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_grpc.service.commands import CommandDescription
from lightning_grpc.service.descriptions import AppDescription, AppMetrics
from lightning_grpc.state.delta import Change
from lightning_grpc.state.values import Document
from lightning_grpc.wire.logs import LogLine

# Of all events, `at_s` is when it was heard, in seconds since 1970.


@dataclass(frozen=True, slots=True)
class Described:
    """Who is watched; `work` is the name of the Work, if it is one by itself."""

    at_s: float
    app: AppDescription
    address: str
    work: str = ""


@dataclass(frozen=True, slots=True)
class StateReplaced:
    """The whole state, as of a revision."""

    at_s: float
    revision: int
    document: Document


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The state has moved on from the revision before `first` to `revision`, by changes that know what they replaced.

    `document` is the state then; it shares with the one before what is the same in both.
    """

    at_s: float
    first: int
    revision: int
    changes: tuple[Change, ...]
    document: Document


@dataclass(frozen=True, slots=True)
class MetricsSeen:
    """What the app has done so far."""

    at_s: float
    metrics: AppMetrics


@dataclass(frozen=True, slots=True)
class LinesPrinted:
    """Some lines of output, oldest first."""

    at_s: float
    lines: tuple[LogLine, ...]


@dataclass(frozen=True, slots=True)
class CommandsListed:
    """The commands that there are."""

    at_s: float
    commands: tuple[CommandDescription, ...]


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The app does not answer; it is tried again."""

    at_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class ConnectionMade:
    """The app answers."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Ended:
    """There will be nothing more: the app has ended; or only what was recorded of it, for `of_recording`."""

    at_s: float
    how: str
    of_recording: bool = False


Seen = (
    Described
    | StateReplaced
    | StateChanged
    | MetricsSeen
    | LinesPrinted
    | CommandsListed
    | ConnectionLost
    | ConnectionMade
    | Ended
)
"""What comes from the app: what a recording holds."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time has passed."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Resized:
    """The screen has another size."""

    at_s: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A key: a character, or a name such as ``up``, ``enter``, ``esc``, ``ctrl-c``."""

    at_s: float
    key: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Something to tell the person, such as that what it asked for is under way, and how it went.

    `command` is the line that was typed, if it is how a command went.
    """

    at_s: float
    text: str
    is_error: bool = False
    is_under_way: bool = False
    command: str = ""


Event = Seen | Ticked | Resized | KeyPressed | Noted


# What is wanted.


@dataclass(frozen=True, slots=True)
class Quit:
    """End the dashboard; `is_interrupt` if it was Ctrl-C that said so."""

    is_interrupt: bool = False


@dataclass(frozen=True, slots=True)
class StopWork:
    """End a Work."""

    name: str


@dataclass(frozen=True, slots=True)
class RunCommand:
    """Execute a command; `line` is what was typed: its name, then ``argument=value``."""

    line: str


Wish = Quit | StopWork | RunCommand

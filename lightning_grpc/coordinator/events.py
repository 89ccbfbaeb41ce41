"""What the coordinator's loop hears (events, past tense) and what it has others do (commands)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lightning_grpc.state.subscription import Frame
from lightning_grpc.state.values import Value

# Events, from the supervisor. `incarnation` counts the processes of one Work as the coordinator started
# them; what an older one is heard to do is of no consequence.


@dataclass(frozen=True, slots=True)
class WorkStarted:
    """A Work's process serves."""

    work: str
    incarnation: int
    epoch: int
    pid: int | None


@dataclass(frozen=True, slots=True)
class WorkStartFailed:
    """A Work's process did not come up."""

    work: str
    incarnation: int
    message: str


@dataclass(frozen=True, slots=True)
class FramesReceived:
    """A Work's state has moved on; the frames are in order and accepted by the subscription."""

    work: str
    incarnation: int
    frames: Sequence[Frame]
    conflated: int = 0  # revisions so far of which a part was left out, because later ones said more
    resyncs: int = 0  # how often so far the stream had to be begun again from a snapshot


@dataclass(frozen=True, slots=True)
class StateLost:
    """A Work's state cannot be followed: what it sends has no meaning, again and again."""

    work: str
    incarnation: int
    message: str


@dataclass(frozen=True, slots=True)
class RunRefused:
    """A Work did not accept an execution."""

    work: str
    incarnation: int
    call_hash: str
    call_id: str
    message: str


@dataclass(frozen=True, slots=True)
class WorkExited:
    """A Work's process is gone, and everything it had said before has been heard."""

    work: str
    incarnation: int
    how: str


@dataclass(frozen=True, slots=True)
class WorkUnreachable:
    """A Work has given no sign of life for a while; `message` says for how long."""

    work: str
    incarnation: int
    message: str


@dataclass(frozen=True, slots=True)
class WorkReachable:
    """A Work that was unreachable is heard again."""

    work: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class EndRequested:
    """The operator, or the system, wants the app to end; `signal` is its number."""

    signal: int


WorkEvent = (
    WorkStarted
    | WorkStartFailed
    | FramesReceived
    | StateLost
    | RunRefused
    | WorkExited
    | WorkUnreachable
    | WorkReachable
)
Event = WorkEvent | EndRequested


# Commands, to the supervisor.


@dataclass(frozen=True, slots=True)
class StartWork:
    """Start a process for a Work; `package` is what the runtime took down of it."""

    work: str
    incarnation: int
    package: bytes


@dataclass(frozen=True, slots=True)
class RunWork:
    """Ask a Work for one execution, once it serves."""

    work: str
    incarnation: int
    call_id: str
    call_hash: str
    args: tuple[Value, ...]
    kwargs: dict[str, Value]
    attributes: dict[str, Value] = field(default_factory=dict)
    requested_at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class StopWork:
    """End a Work's process."""

    work: str
    incarnation: int
    reason: str


@dataclass(frozen=True, slots=True)
class ResyncWork:
    """Ask a Work for a snapshot: its mirror is wrong."""

    work: str
    incarnation: int
    reason: str


Command = StartWork | RunWork | StopWork | ResyncWork

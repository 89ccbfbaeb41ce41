"""What the coordinator's loop hears (events, past tense) and what it has others do (commands)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from lightning_grpc.components.attachment import Attachment
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
    address: str = ""


@dataclass(frozen=True, slots=True)
class WorkStartFailed:
    """A Work's process did not come up."""

    work: str
    incarnation: int
    message: str


@dataclass(frozen=True, slots=True)
class WorkAttached:
    """A service has introduced itself: at first, and again whenever another process of it answers."""

    work: str
    incarnation: int
    epoch: int
    address: str


@dataclass(frozen=True, slots=True)
class AttachFailed:
    """A service cannot be followed, whoever waits: it is not what it should be, or does not let us in."""

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
class RunSent:
    """A service is about to be asked for an execution: from now on it may know of it."""

    work: str
    incarnation: int
    call_id: str


@dataclass(frozen=True, slots=True)
class RunPutOff:
    """A service has said that it has not accepted an execution, because it ends or has no room; it is asked again."""

    work: str
    incarnation: int
    call_id: str


@dataclass(frozen=True, slots=True)
class RunAnswered:
    """A service has accepted an execution, or had before; `final_status` is its last, if it is over.

    What it has written is in the state from `revision` on.
    """

    work: str
    incarnation: int
    call_hash: str
    call_id: str
    final_status: dict[str, Any] | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class UpdateAnswered:
    """A Work has answered an update of its attributes, or could not be asked."""

    work: str
    incarnation: int
    wanted: dict[str, Value]
    revision: int  # the one that shows what was taken; 0 if nothing was
    conflicts: dict[str, int]  # what was not taken, with the revision of the Work's own change; 0 if it has none yet
    message: str = ""
    epoch: int = 0  # the process that was asked


@dataclass(frozen=True, slots=True)
class WorkExited:
    """A Work's process is gone, and everything it had said before has been heard."""

    work: str
    incarnation: int
    how: str


@dataclass(frozen=True, slots=True)
class WorkUnreachable:
    """A Work has given no sign of life for a while; `message` says for how long, and `why` what is known."""

    work: str
    incarnation: int
    message: str
    silent_s: float = 0.0
    why: str = ""

    @property
    def account(self) -> str:
        """All that is known of it, for people."""
        return f"{self.message}: {self.why}" if self.why else self.message


@dataclass(frozen=True, slots=True)
class WorkReachable:
    """A Work that was unreachable is heard again."""

    work: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody outside wants something done between two runs of the root."""

    what: str  # for people, such as "command greet"
    act: Callable[[], Any]
    answer: Future[Any]


@dataclass(frozen=True, slots=True)
class EndRequested:
    """The operator, or the system, wants the app to end; `signal` is its number."""

    signal: int


WorkEvent = (
    WorkStarted
    | WorkStartFailed
    | WorkAttached
    | AttachFailed
    | FramesReceived
    | StateLost
    | RunRefused
    | RunSent
    | RunPutOff
    | RunAnswered
    | UpdateAnswered
    | WorkExited
    | WorkUnreachable
    | WorkReachable
)
Event = WorkEvent | EndRequested | Asked


# Commands, to the supervisor.


@dataclass(frozen=True, slots=True)
class StartWork:
    """Start a process for a Work; `package` is what the runtime took down of it."""

    work: str
    incarnation: int
    package: bytes


@dataclass(frozen=True, slots=True)
class AttachWork:
    """Attach a Work to a service; `class_name` is empty if any class will do."""

    work: str
    incarnation: int
    attachment: Attachment
    class_name: str
    attributes: frozenset[str]


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
    caller: str = ""
    epoch: int = 0  # the process that alone is meant; 0 for any
    trace: Mapping[str, str] = field(default_factory=dict)  # the trace it belongs to; see `lightning_grpc.wire.tracing`


@dataclass(frozen=True, slots=True)
class DropRun:
    """Do not ask a service for an execution any more: it counts as lost."""

    work: str
    incarnation: int
    call_id: str


@dataclass(frozen=True, slots=True)
class UpdateWork:
    """Assign attributes of a Work, once it serves, each if it has not changed since a revision."""

    work: str
    incarnation: int
    updates: dict[str, tuple[Value, int]]
    epoch: int = 0  # the process that the revisions are of


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


Command = StartWork | AttachWork | RunWork | DropRun | UpdateWork | StopWork | ResyncWork

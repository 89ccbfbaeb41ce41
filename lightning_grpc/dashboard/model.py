"""What a dashboard knows: one frozen value, from which the screen follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lightning_grpc.coordinator.metrics import FlowRun, ScheduleFiring
from lightning_grpc.service.commands import CommandDescription
from lightning_grpc.service.descriptions import AppDescription, AppMetrics
from lightning_grpc.state.delta import Change
from lightning_grpc.state.values import Document, Path
from lightning_grpc.wire.logs import LogLine

MAX_DELTAS = 2000
"""Deltas that are kept to be looked at."""
MAX_DELTA_BYTES = 32 << 20
"""What these hold at most, roughly; of larger ones, fewer are kept."""
MAX_LINES = 2000
"""Lines of output that are kept."""
MAX_POINTS = 60
"""Points of a history that are kept."""
MAX_HISTORIES = 2000
"""Attributes whose history is kept."""
FLASH_S = 0.3
"""So long a value that has changed is shown at its brightest."""
FADE_S = 1.6
"""So long after its change it is shown as changed."""
MAX_OUTCOME = 20_000
"""So many characters of what a command returned are kept."""
NOTE_S = 6.0
"""So long a note stays."""

TABS = ("state", "deltas", "logs", "calls", "runs", "schedules", "commands")
"""What may be seen of the selected component, or of the app; in the order of the tabs."""
TAILS = frozenset({"deltas", "logs"})
"""Those that grow at their end, and are followed there."""


@dataclass(frozen=True, slots=True)
class Component:
    """A place in the tree.

    Attributes:
        name: Its full name, such as ``root.workers.0``.
        key: The last part of it.
        kind: ``flow``, ``work`` or ``structure``.
        depth: How far it is from the root.
        path: Where its document stands in the app's.
    """

    name: str
    key: str
    kind: str
    depth: int
    path: Path


@dataclass(frozen=True, slots=True)
class Connection:
    """How the connection is.

    Attributes:
        state: ``connecting``, ``live``, ``lost``, ``ended``, or, of a recording that is over, ``played``.
        since_s: Since when.
        reason: Why, for the last three.
    """

    state: str = "connecting"
    since_s: float = 0.0
    reason: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("ended", "played")


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of a Work, or of the app, beside its state. What is None is not known.

    Attributes:
        pid: Its process.
        revision: The newest revision.
        rate: Revisions per second.
        rates: The newest of these, oldest first.
        lag_s: How old the newest revision was when the Flow saw it.
        silent_s: How long ago it was heard.
        resyncs: How often its state had to be fetched anew.
        cpu_share: Processor time per time; 1 is one core.
        memory_bytes: What its process holds.
        threads: How many its process has.
    """

    pid: int | None = None
    revision: int = 0
    rate: float | None = None
    rates: tuple[float, ...] = ()
    lag_s: float | None = None
    silent_s: float | None = None
    resyncs: int = 0
    cpu_share: float | None = None
    memory_bytes: int | None = None
    threads: int | None = None


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class DeltaEntry:
    """What has changed in one component by one revision, or by a few that came at once.

    Attributes:
        number: Counted from 0, without gaps.
        at_s: When it was heard.
        first: The first revision.
        revision: The last one.
        component: The component's full name; ``app`` for what is the app's own.
        changes: The changes of the app's document.
        weight: How many bytes they hold, roughly.
    """

    number: int
    at_s: float
    first: int
    revision: int
    component: str
    changes: tuple[Change, ...]
    weight: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class LineEntry:
    """A line of output; `number` is counted from 0, without gaps."""

    number: int
    line: LogLine


@dataclass(frozen=True, eq=False)
class Data:
    """What is known of the app.

    Attributes:
        app: Who it is; None until that is known.
        address: Where it answers.
        work: The name of the Work, if one by itself is watched.
        connection: How the connection is.
        revision: The newest revision that was seen.
        document: The state then; None until it is known. Shared: never changed.
        components: The tree, in order.
        metrics: The last ones.
        total: The app's own figures.
        runs_rate: Runs of the root per second.
        figures: Those of each Work, by name.
        changed_at_s: When a place of the document has changed, for those that have just now.
        histories: The newest values of numeric attributes, by place.
        deltas: The newest deltas.
        deltas_bytes: How many bytes they hold, roughly.
        lines: The newest lines of output.
        commands: What the app offers; None until that is known.
    """

    app: AppDescription | None = None
    address: str = ""
    work: str = ""
    connection: Connection = Connection()
    revision: int = 0
    document: Document | None = None
    components: tuple[Component, ...] = ()
    metrics: AppMetrics | None = None
    total: Figures = Figures()
    runs_rate: float | None = None
    figures: Mapping[str, Figures] = field(default_factory=dict)
    changed_at_s: Mapping[Path, float] = field(default_factory=dict)
    histories: Mapping[Path, tuple[float, ...]] = field(default_factory=dict)
    deltas: tuple[DeltaEntry, ...] = ()
    deltas_bytes: int = 0
    lines: tuple[LineEntry, ...] = ()
    commands: tuple[CommandDescription, ...] | None = None

    @property
    def runs(self) -> tuple[FlowRun, ...]:
        """The newest runs of the root, oldest first."""
        return self.metrics.latest_runs if self.metrics is not None else ()

    @property
    def schedules(self) -> tuple[ScheduleFiring, ...]:
        """What the Flows do by the clock."""
        return self.metrics.schedules if self.metrics is not None else ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """A line that is being typed.

    Attributes:
        kind: ``filter``, ``jump`` or ``command``.
        text: What was typed.
    """

    kind: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Something to be read for a while; what `is_under_way`, until it is told how it went."""

    text: str
    at_s: float
    is_error: bool = False
    is_under_way: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the latest command went.

    Attributes:
        command: The line that was typed.
        at_s: When it was over.
        text: What it returned, or why it failed, with the traceback.
        is_error: Whether it failed.
    """

    command: str
    at_s: float
    text: str
    is_error: bool


@dataclass(frozen=True)
class Ui:
    """What the person has chosen.

    Attributes:
        selected: The name of the selected component.
        focus: ``tree`` or ``detail``.
        tab: One of `TABS`.
        zoomed: Whether the detail has the whole screen.
        cursors: The selected row of each tab that does not follow an end.
        anchors: For each tab that does, the number of its lowest row; None to follow the end.
        folded: Names of components whose children are hidden.
        unfolded: Places of values whose items are shown.
        filters: What is searched for, by tab; ``tree`` for the tree.
        prompt: The line that is being typed.
        confirm: The name of the Work that is to be stopped, if that is being asked.
        help: Whether the help is shown.
        note: What was told last.
        outcome: How the latest command went; None if none is over.
    """

    selected: str = "root"
    focus: str = "tree"
    tab: str = "state"
    zoomed: bool = False
    cursors: Mapping[str, int] = field(default_factory=dict)
    anchors: Mapping[str, int | None] = field(default_factory=dict)
    folded: frozenset[str] = frozenset()
    unfolded: frozenset[Path] = frozenset()
    filters: Mapping[str, str] = field(default_factory=dict)
    prompt: Prompt | None = None
    confirm: str = ""
    help: bool = False
    note: Note | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, eq=False)
class Model:
    """All that the screen follows from.

    Attributes:
        data: What is known of the app.
        held: What was known when it was paused; None if it is not.
        held_at_s: When it was paused.
        ui: What the person has chosen.
        now_s: What time it is, in seconds since 1970.
        utc_offset_s: How far the local time is ahead of UTC.
        width: The screen's, in cells.
        height: The screen's, in lines.
        is_replay: Whether a recording is played, so that nothing can be changed.
    """

    data: Data = Data()
    held: Data | None = None
    held_at_s: float = 0.0
    ui: Ui = Ui()
    now_s: float = 0.0
    utc_offset_s: float = 0.0
    width: int = 80
    height: int = 24
    is_replay: bool = False

    @property
    def shown(self) -> Data:
        """What is shown of the app."""
        return self.held or self.data

    @property
    def shown_at_s(self) -> float:
        """What time it is for what is shown, which stands still while it is paused and when all is over."""
        connection = self.shown.connection
        if connection.is_over:
            return connection.since_s
        return self.now_s if self.held is None else self.held_at_s

    @property
    def known_at_s(self) -> float:
        """The same, but that it stands still when the connection is lost, too: how things went on is not known."""
        connection = self.shown.connection
        return min(self.shown_at_s, connection.since_s) if connection.state == "lost" else self.shown_at_s

    def component(self) -> Component | None:
        """Return the selected component; the first if that is gone."""
        components = self.shown.components
        return next(
            (each for each in components if each.name == self.ui.selected), components[0] if components else None
        )

    def is_fading(self) -> bool:
        """Tell whether the screen changes by time alone: something that has just changed is shown as such."""
        return self.held is None and any(self.now_s - at_s < FADE_S for at_s in self.data.changed_at_s.values())

"""What is told of a running app and its Works."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_grpc.coordinator.metrics import FlowRun, ScheduleFiring, WorkMetrics


@dataclass(frozen=True)
class AppDescription:
    """Who an app is.

    Attributes:
        name: The name it goes by.
        epoch: This run of it.
        revision: The newest revision of its state.
        stage: The stage it has reached, such as ``running``.
        pid: Its process.
        started_at_s: When it began, in seconds since 1970.
        runs: How often its root Flow was run.
    """

    name: str
    epoch: int
    revision: int
    stage: str
    pid: int
    started_at_s: float
    runs: int


@dataclass(frozen=True)
class WorkDescription:
    """How a Work fares.

    Attributes:
        name: Its full name.
        class_name: The name of its class.
        stage: The stage of its latest call.
        reason: Why, if a reason is known; else empty.
        since_s: When that was, in seconds since 1970; 0 if it was not started.
        successes: How many of its calls have succeeded.
        pid: Its process; 0 if it has none.
        address: Where it answers; empty if it has no process.
        epoch: Its incarnation; 0 if it has no process.
        revision: The newest revision of its state that the app has seen.
        lag_s: How old that revision was when the app saw it.
        resyncs: How often its state had to be fetched anew.
    """

    name: str
    class_name: str
    stage: str
    reason: str
    since_s: float
    successes: int
    pid: int
    address: str
    epoch: int
    revision: int
    lag_s: float
    resyncs: int


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """What a process uses, apart from the processes that it has started.

    Attributes:
        pid: Its number.
        cpu_s: Processor time since it began, in seconds, of all its threads together.
        memory_bytes: Memory that it holds (resident set size).
        threads: How many threads it has.
    """

    pid: int
    cpu_s: float
    memory_bytes: int
    threads: int


@dataclass(frozen=True)
class AppMetrics:
    """What an app has done so far, why, and what it uses. Two of them give the rates between them.

    Attributes:
        at_s: When the figures were taken, in seconds since 1970.
        revision: The newest revision of the app's state.
        runs: How often its root Flow was run.
        under_way_s: How long the run, or request, that is under way has taken so far; None if there is none.
        latest_runs: The newest runs with their causes, oldest first.
        works: By full name.
        usages: What each Work's process uses, by the Work's full name; those without a process on the app's machine
            are left out.
        schedules: What the Flows do by the clock.
        usage: What the Flow's own process uses; None if that is not known.
    """

    at_s: float
    revision: int
    runs: int
    under_way_s: float | None
    latest_runs: tuple[FlowRun, ...]
    works: dict[str, WorkMetrics]
    usages: dict[str, ProcessUsage]
    schedules: tuple[ScheduleFiring, ...]
    usage: ProcessUsage | None

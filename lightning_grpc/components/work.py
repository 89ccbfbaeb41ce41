"""LightningWork: a long-running job in a process of its own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from lightning_grpc.components.calls import (
    call_hash,
    has_timed_out,
    latest_entry,
    new_calls,
    num_successes,
    statuses_of,
)
from lightning_grpc.components.component import Node
from lightning_grpc.components.compute import BuildConfig, CloudCompute
from lightning_grpc.components.status import WorkStageStatus, WorkStatus
from lightning_grpc.components.work_options import WorkOptions
from lightning_grpc.errors import ChildError, MissingRunError
from lightning_grpc.state.cut import CALLS
from lightning_grpc.state.values import CONTAINERS

_LINKS = frozenset(
    {"_parent", "_backend", "_watcher", "_quick", "_made_with", "_done_here", "_update_conflicts", "run"}
)
"""What a Work leaves behind when it is handed to another process."""


class LightningWork(WorkOptions):
    """A long-running job: ``run`` executes in the Work's own process, its attributes are seen by the Flow.

    Derive from it, declare attributes in ``__init__`` and override ``run``. Whatever ``run`` writes on a
    declared attribute, or changes inside one, reaches the Flow by itself, as one consistent instant after
    another. What the Flow writes on its mirror of the Work stays there (unless `receive_updates` is set); what it
    has written when it calls ``run`` is set on the Work before that run begins.

    Args:
        parallel: Whether a call of ``run`` returns at once. If not, the Flow is suspended until it is done.
        cache_calls: Whether calls with the same arguments are executed once. If not, a call is executed
            again each time the previous execution has finished.
        raise_exception: Whether a failed run fails the app.
        host: Where the Work's own server, if it has one, shall listen.
        port: The port of that server; None picks a free one when `port` is first read.
        local_build_config: Stored; see `BuildConfig`.
        cloud_build_config: Stored; see `BuildConfig`.
        cloud_compute: Stored; see `CloudCompute`.
        run_once: The former name of `cache_calls`; deprecated.
        receive_updates: Whether what the Flow writes on its mirror reaches the running Work. An attribute is assigned
            there if it has not changed since the Flow saw it; if it has, that is a conflict: it is logged, told in
            `update_conflicts`, and the Work's value stays.
        start_with_flow: Whether the process starts with the app rather than with the first call. Only for
            Works that are there when the app is dispatched.

    Raises:
        MissingRunError: The class has no ``run`` of its own.

    Threads:
        In the Work's process, attributes may be written by any thread of it. In the Flow's process, only
        by the thread that runs the Flow.

    Source: Lightning Apps 2.3, its documentation of communication between components.

    Example:
        >>> class Counter(LightningWork):
        ...     def __init__(self):
        ...         super().__init__(parallel=True)
        ...         self.counter = 0
        ...     def run(self):
        ...         self.counter += 1
        >>> work = Counter()
        >>> work.state["vars"]["counter"], work.status.stage
        (0, 'not_started')
    """

    _internals = ("_url", "_host", "_port", "_internal_ip", "_public_ip", "_display_name")
    _url: str
    _host: str
    _port: int | None
    _internal_ip: str
    _public_ip: str
    _display_name: str
    _find_port: Callable[[], int] | None = None  # given by the package, see wiring.py
    _served_name = ""

    def __init__(
        self,
        parallel: bool = False,
        cache_calls: bool = True,
        raise_exception: bool = True,
        host: str = "127.0.0.1",
        port: int | None = None,
        local_build_config: BuildConfig | None = None,
        cloud_build_config: BuildConfig | None = None,
        cloud_compute: CloudCompute | None = None,
        run_once: bool | None = None,
        start_with_flow: bool = True,
        receive_updates: bool = False,
    ) -> None:
        if type(self).run is LightningWork.run:
            raise MissingRunError(
                f"The work `{type(self).__name__}` is missing the `run()` method. This is required. Implement it "
                "first and then call it in your Flow."
            )
        if run_once is not None:
            warnings.warn("run_once is deprecated; use cache_calls", DeprecationWarning, stacklevel=2)
            cache_calls = run_once
        fields = self.__dict__
        fields.update(_url="", _host=host, _port=port, _internal_ip="", _public_ip="", _display_name="")
        self._open(new_calls())
        fields.update(_parallel=parallel, _cache_calls=cache_calls, _raise_exception=raise_exception)
        fields.update(_start_with_flow=start_with_flow, _lightningignore=())
        fields.update(_receive_updates=receive_updates, _update_conflicts={})
        fields["_local_build_config"] = local_build_config or BuildConfig()
        fields["_cloud_build_config"] = cloud_build_config or BuildConfig()
        fields["_cloud_compute"] = cloud_compute or CloudCompute()
        fields["run"] = _gate(self)

    def run(self, *args: Any, **kwargs: Any) -> None:
        """Do the job; override it. It returns nothing: results are attributes."""
        raise MissingRunError(f"{type(self).__name__} has no run()")

    # Hooks, all called in the Work's process, on the thread that executes run.

    def on_start(self) -> None:
        """Called once, when the Work's process is up and before its first run."""

    def on_exception(self, exception: BaseException) -> None:
        """Called when ``run`` has raised; an exception raised from here fails the app."""
        if self._raise_exception:
            raise exception

    def on_exit(self) -> None:
        """Called when the Work's process was asked to end; not when it is killed."""

    # Where it stands.

    @property
    def name(self) -> str:
        """The full name, such as ``root.trainer``; of a Work without an app, the one it is served by, or empty."""
        return self._served_name if self._parent is None else super().name

    @property
    def display_name(self) -> str:
        """A name for people; may be set until the Work has started."""
        return self._display_name

    @display_name.setter
    def display_name(self, display_name: str) -> None:
        if self.has_started and display_name != self._display_name:
            raise RuntimeError("The display name can be set only before the work has started.")
        self._display_name = display_name

    @property
    def url(self) -> str:
        """Where people find what the Work serves; set by the Work."""
        return self._url

    @url.setter
    def url(self, url: str) -> None:
        self._url = url

    @property
    def host(self) -> str:
        """Where the Work's own server, if it has one, shall listen."""
        return self._host

    @property
    def port(self) -> int:
        """The port of the Work's own server; a free one is picked at the first read."""
        if self._port is None:
            if self._find_port is None:
                raise RuntimeError("no port was given, and nothing is there to find a free one")
            self._port = self._find_port()
        return self._port

    @property
    def internal_ip(self) -> str:
        """The address of the Work's machine for other Works; empty until it runs."""
        return self._internal_ip

    @property
    def public_ip(self) -> str:
        """The address of the Work's machine for everybody; empty where there is none."""
        return self._public_ip

    # How it fares.

    @property
    def status(self) -> WorkStatus:
        """The newest status of the latest call."""
        statuses = self.statuses
        return statuses[-1] if statuses else WorkStatus(stage=WorkStageStatus.NOT_STARTED, timestamp=0.0)

    @property
    def statuses(self) -> list[WorkStatus]:
        """All statuses of the latest call, oldest first."""
        return statuses_of(latest_entry(self.__dict__[CALLS]))

    @property
    def has_started(self) -> bool:
        """Whether it was started or called."""
        return self.status.stage != WorkStageStatus.NOT_STARTED

    @property
    def is_pending(self) -> bool:
        """Whether the latest call is waiting for its turn."""
        return self.status.stage == WorkStageStatus.PENDING

    @property
    def is_running(self) -> bool:
        """Whether the latest call is being executed."""
        return self.status.stage == WorkStageStatus.RUNNING

    @property
    def has_succeeded(self) -> bool:
        """Whether the latest call has succeeded."""
        return self.status.stage == WorkStageStatus.SUCCEEDED

    @property
    def has_failed(self) -> bool:
        """Whether the latest call has failed."""
        return self.status.stage == WorkStageStatus.FAILED

    @property
    def has_stopped(self) -> bool:
        """Whether it was stopped."""
        return self.status.stage == WorkStageStatus.STOPPED

    @property
    def has_timeout(self) -> bool:
        """Whether the latest call has failed by timeout."""
        return has_timed_out(self.status)

    @property
    def num_timeouts(self) -> int:
        """How often in a row the latest call has failed by timeout."""
        return self.status.count if self.has_timeout else 0

    @property
    def num_successes(self) -> int:
        """How many executions have succeeded, of all calls together."""
        return num_successes(self.__dict__[CALLS])

    # What a Flow may ask of it.

    def start(self) -> None:
        """Start the Work's process without a run; a Flow that calls ``run`` need not.

        Raises:
            RuntimeError: No app runs the Work, or it was stopped: a Work can be started only once.
        """
        backend = self._find_backend()
        if backend is None:
            raise RuntimeError(f"Only the `LightningFlow` can request this work ({self.name!r}) to start.")
        backend.start(self)

    def stop(self) -> None:
        """End the Work's process, for good; ``on_exit`` runs in it. Returns at once.

        Raises:
            RuntimeError: No app runs the Work.
        """
        backend = self._find_backend()
        if backend is None:
            raise RuntimeError(f"Only the `LightningFlow` can request this work ({self.name!r}) to stop.")
        backend.stop([self])

    def delete(self) -> None:
        """Stop the Work; local Works have nothing else to delete."""
        self.stop()

    # Its state.

    @property
    def state(self) -> dict[str, Any]:
        """The Work's state; fresh. Shape: ``{"vars": {...}, "calls": {...}, "changes": {}}``."""
        return self._own_state()

    @property
    def state_vars(self) -> dict[str, Any]:
        """The Work's attributes; fresh. Shape: ``{"vars": {...}}``."""
        return {"vars": self._vars()}

    @property
    def state_with_changes(self) -> dict[str, Any]:
        """Same as `state`; kept for Lightning Apps."""
        return {**self._own_state(), "changes": self.changes}

    def set_state(self, provided_state: dict[str, Any]) -> None:
        """Set attributes and calls to what a state says.

        Args:
            provided_state: As `state` returns it; sections that are missing are left as they are.
        """
        self._set_own_state(provided_state)

    def _assign(self, name: str, value: Any) -> None:
        if holds_component(value):
            raise ChildError(
                f"{self._title()}: A ``LightningWork`` isn't allowed to take any children such as ``LightningWork`` "
                f"or ``LightningFlow``, which attribute {name} would make of {value!r}. A Work runs in a process of "
                "its own, where no other component is: attach it to a Flow, and let the Flow pass values on."
            )
        super()._assign(name, value)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _LINKS}

    def __setstate__(self, fields: dict[str, Any]) -> None:
        self.__dict__.update(fields, _backend=None, _watcher=None, _quick=fields["_declared"], run=_gate(self))
        self.__dict__["_update_conflicts"] = {}


def holds_component(value: object) -> bool:
    """Tell whether a value is a component or structure, or a plain list, tuple or dict with one in it."""
    if isinstance(value, Node):
        return True
    if type(value) in CONTAINERS:
        items: Iterable[object] = value.values() if isinstance(value, dict) else value  # type: ignore[assignment]
        return any(issubclass(kind, Node) for kind in set(map(type, items)))
    return False


def _gate(work: LightningWork) -> Callable[..., None]:
    """Make what ``work.run`` is outside of the Work's process: a call that the backend carries out."""
    run = type(work).run

    @wraps(run)
    def gate(*args: Any, **kwargs: Any) -> None:
        backend = work._find_backend()
        if backend is not None:
            return backend.call(work, args, kwargs)
        if not work._cache_calls:
            return run(work, *args, **kwargs)
        key = call_hash(args, kwargs)
        done: set[str] = work.__dict__.setdefault("_done_here", set())
        if key not in done:
            run(work, *args, **kwargs)
            done.add(key)
        return None

    return gate

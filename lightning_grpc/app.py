"""LightningApp: joins a root Flow to the coordinator that runs it."""

from __future__ import annotations

import contextlib
import logging
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_grpc import __version__
from lightning_grpc.components.component import Component, Node
from lightning_grpc.components.compute import CloudCompute
from lightning_grpc.components.flow import LightningFlow, RootFlow
from lightning_grpc.components.status import AppStage
from lightning_grpc.components.work import LightningWork
from lightning_grpc.coordinator.loop import Coordinator
from lightning_grpc.coordinator.metrics import Metrics
from lightning_grpc.coordinator.record import Caller
from lightning_grpc.errors import CheckpointError, ConfigurationError, MissingRunError, WorkFailedError
from lightning_grpc.runtimes.base import Runtime
from lightning_grpc.runtimes.local import LocalRuntime
from lightning_grpc.service.app_service import AppService
from lightning_grpc.service.commands import Commands
from lightning_grpc.service.running_app import RunningApp
from lightning_grpc.state.delta import Change
from lightning_grpc.state.public import PublicDelta, to_public
from lightning_grpc.wire.addresses import check_address
from lightning_grpc.wire.auth import new_token
from lightning_grpc.worker.output import OutputLog
from lightning_grpc.worker.publisher import LARGEST_STATE_LIMIT_BYTES, STATE_LIMIT_BYTES

if TYPE_CHECKING:
    from lightning_grpc.checkpoint.checkpoint import Checkpoint
    from lightning_grpc.http.server import HttpServer

_log = logging.getLogger("lightning_grpc")

DeltaListener = Callable[[PublicDelta], None]


class LightningApp:
    """A tree of components that can be run.

    Args:
        root: A Flow with a ``run`` of its own; or a Work, which is then run until it has succeeded and is
            called ``root.work``.
        flow_cloud_compute: Stored; see `CloudCompute`.
        log_level: ``info``, or ``debug`` to see every delta.
        info: Stored; about the app's web page.
        root_path: Stored; where a proxy shows the app.
        idle_interval_s: The root Flow is run at least this often, in seconds.
        state_limit_bytes: How large the state of one Work may be, about; a value that would make it larger is an
            error in that Work, and what was there before stays.
        checkpoint_dir: Where the app's state is written as it changes; None for nowhere. See docs/checkpoints.md.
        resume: Whether the app goes on from the checkpoint that is there, if there is one.
        checkpoint_limit_bytes: How much history the checkpoint keeps, about; the oldest is given up first.
        serve: Whether the app answers clients while it runs; see docs/app-service.md.
        service_address: ``HOST:PORT`` of loopback, to be served there too; None for a unix socket alone.
        http_host: Where the app's HTTP API is served; ``127.0.0.1`` if only `http_port` is given. See docs/http-api.md.
        http_port: The port of it; 0 picks one, 7501 if only `http_host` is given. If both are None, there is no HTTP.

    Attributes:
        http_url: Where the HTTP API can be reached; empty until it can.

    Raises:
        MissingRunError: The root Flow has no ``run``.
        ConfigurationError: `log_level` is something else, or `root` is no component.

    Threads: One thread at a time; `run` on the main thread, if Ctrl-C and SIGTERM are to end it in order.

    Source: the API of Lightning Apps 2.3.
    """

    def __init__(
        self,
        root: LightningFlow | LightningWork,
        flow_cloud_compute: CloudCompute | None = None,
        log_level: str = "info",
        info: object | None = None,
        root_path: str = "",
        *,
        idle_interval_s: float = 1.0,
        state_limit_bytes: int = STATE_LIMIT_BYTES,
        checkpoint_dir: str | Path | None = None,
        resume: bool = False,
        checkpoint_limit_bytes: int = 1 << 30,
        serve: bool = True,
        service_address: str | None = None,
        http_host: str | None = None,
        http_port: int | None = None,
    ) -> None:
        if log_level not in ("debug", "info"):
            raise ConfigurationError(f"Log Level should be in ['debug', 'info']. Found {log_level}")
        if isinstance(root, LightningWork):
            root = RootFlow(root)
        if not isinstance(root, LightningFlow):
            raise ConfigurationError(f"the root of an app is a LightningFlow or a LightningWork, not {root!r}")
        if type(root).run is LightningFlow.run:
            raise MissingRunError(
                f"The root flow passed to `LightningApp` does not override the `run()` method. This is required. "
                f"Please implement `run()` in your `{type(root).__name__}` class."
            )
        if idle_interval_s <= 0:
            raise ConfigurationError(f"idle_interval_s is a time in seconds above 0, not {idle_interval_s}")
        self._root = root
        self._idle_interval_s = idle_interval_s
        if not 0 < state_limit_bytes <= LARGEST_STATE_LIMIT_BYTES:
            raise ConfigurationError(
                f"state_limit_bytes is a size in bytes above 0, up to {LARGEST_STATE_LIMIT_BYTES} "
                f"({LARGEST_STATE_LIMIT_BYTES >> 20} MiB), not {state_limit_bytes}; keep large data in files"
            )
        self._state_limit_bytes = state_limit_bytes
        if checkpoint_limit_bytes <= 0:
            raise ConfigurationError(f"checkpoint_limit_bytes is a size in bytes above 0, not {checkpoint_limit_bytes}")
        self.checkpoint_dir = checkpoint_dir
        self.resume = resume
        self._checkpoint_limit_bytes = checkpoint_limit_bytes
        self._checkpoint: Checkpoint | None = None
        self.serve = serve
        self.service_address = service_address
        self.http_host = http_host
        self.http_port = http_port
        self.http_url = ""
        self._listeners: list[DeltaListener] = []
        self._has_run = False
        self._coordinator: Coordinator | None = None
        self._service: AppService | None = None
        self._http: HttpServer | None = None
        self._output = OutputLog("root")
        self.name = ""
        self.flow_cloud_compute = flow_cloud_compute or CloudCompute(name="flow-lite")
        self.log_level = log_level
        self.info = info
        self.root_path = root_path
        self.stage = AppStage.RUNNING
        self.exception: BaseException | None = None

    # Running.

    def run(self, runtime: Runtime | None = None) -> None:
        """Run the app until it ends, and return when nothing of it is left.

        Args:
            runtime: Where its Works are started; by default, on this machine.

        Raises:
            WorkFailedError: A Work failed that was to raise; its traceback is printed first.
            RuntimeStartError: A Work's process could not be started.
            FlowFailedError: A Flow called ``fail()``.
            KeyboardInterrupt: Ctrl-C ended the app.
            SystemExit: SIGTERM ended it.
            ConfigurationError: The app has been run before, `service_address` is not on loopback, or the HTTP API
                cannot be served: its port is taken, say.
            CheckpointError: Its checkpoint cannot be written, or it cannot be resumed from it.
            CommandDefinitionError: The commands that its Flows offer cannot be called as they are.
            Exception: What the root Flow's ``run`` raised, as it was.
        """
        if self._has_run:
            raise ConfigurationError("this app has been run; make a new LightningApp to run its components again")
        Commands(self._root).describe()
        if self.service_address is not None:
            check_address(self.service_address)
        http = self._http = self._open_http()
        self._has_run = True
        _prepare_logging(self.log_level)
        try:
            self._open_checkpoint()
            self._coordinator = Coordinator(
                self._root,
                runtime or LocalRuntime(state_limit_bytes=self._state_limit_bytes),
                idle_interval_s=self._idle_interval_s,
                on_stage=self._reach,
                on_changes=self._publish,
                caller=Caller(f"app {self._title()}", secrets.token_hex(6)),
            )
            self._host_services(self._coordinator)
            with self._output.capturing() if self.serve else contextlib.nullcontext():
                self._coordinator.run()
        except BaseException as error:
            self.exception = error
            if isinstance(error, WorkFailedError) and error.remote_type:
                print(error.remote_traceback.rstrip(), file=sys.stderr, flush=True)
            raise
        finally:
            if http is not None:
                http.close()
            self._close_checkpoint()

    def add_delta_listener(self, listener: DeltaListener) -> None:
        """Have a function called with every delta of the app's state, in DeepDiff's form.

        It is called on the thread that runs the app: with what Works have done before the run of the root that sees it,
        with what that run has done after it. Shape: such as
        ``{"values_changed": {"root['works']['w']['vars']['counter']": {"new_value": 425}}}``.
        """
        self._listeners.append(listener)

    @property
    def metrics(self) -> Metrics:
        """What the app has done so far and why: its runs with their causes, its Works' streams; fresh.

        Threads: Any.
        """
        return self._coordinator.metrics() if self._coordinator is not None else Metrics()

    @property
    def has_run(self) -> bool:
        """Whether `run` was called."""
        return self._has_run

    @property
    def revision(self) -> int:
        """The newest revision of the app's state; 1 is the state it began with, and each delta makes the next."""
        return self._coordinator.log.revision if self._coordinator is not None else 0

    # The tree.

    @property
    def root(self) -> LightningFlow:
        """The root Flow."""
        return self._root

    @property
    def works(self) -> list[LightningWork]:
        """All Works."""
        return self._root.works()

    @property
    def named_works(self) -> list[tuple[str, LightningWork]]:
        """All Works with their full names."""
        return self._root.named_works()

    @property
    def flows(self) -> list[LightningFlow]:
        """All Flows, the root first."""
        return [self._root, *self._root.flows.values()]

    @property
    def ready(self) -> bool:
        """Whether the root Flow says that the app is ready to be used."""
        return self._root.ready

    def get_component_by_name(self, component_name: str) -> Component:
        """Return the component of a full name, such as ``root.a.items.0``.

        Raises:
            ValueError: The name does not start with root.
            AttributeError: There is no such component.
        """
        first, *keys = component_name.split(".")
        if first != "root":
            raise ValueError(f"Invalid component name {component_name}. Name must start with 'root'")
        node: Node = self._root
        for key in keys:
            child = dict(node._children_by_key()).get(key)
            if child is None:
                raise AttributeError(f"Component '{node.name}' has no child component with name '{key}'.")
            node = child
        if not isinstance(node, Component):
            raise AttributeError(f"'{component_name}' is a structure of components, not a component.")
        return node

    # Its state.

    @property
    def state(self) -> dict[str, Any]:
        """The state of all components, and of the app itself under ``app_state``; fresh."""
        return {**self._root.state, **self._app_state()}

    @property
    def state_vars(self) -> dict[str, Any]:
        """The attributes of all components, and the app's own state; fresh."""
        return {**self._root.state_vars, **self._app_state()}

    @property
    def state_with_changes(self) -> dict[str, Any]:
        """Same as `state`; kept for Lightning Apps."""
        return {**self._root.state_with_changes, **self._app_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Set the state of all components.

        Raises:
            ValueError: The state has a component that is not there.
        """
        self._root.set_state({key: value for key, value in state.items() if key != "app_state"})
        if "app_state" in state:
            self.stage = AppStage(state["app_state"]["stage"])

    def state_dict(self) -> dict[str, Any]:
        """Return `state`."""
        return self.state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set the state of all components; see `set_state`."""
        self.set_state(state)

    def _app_state(self) -> dict[str, Any]:
        return {"app_state": {"stage": self.stage.value}}

    def _reach(self, stage: AppStage) -> None:
        self.stage = stage
        if stage is AppStage.RUNNING:
            if self._checkpoint is not None and self._coordinator is not None:
                log = self._coordinator.log
                log.begin(self._checkpoint.begin(self.name, __version__, log.epoch, self.state))
            if self._http is None:  # else when it can be reached
                _log.info("Your app has started.")

    def _title(self) -> str:
        return self.name or sys.argv[0] or type(self._root).__name__

    def _host_services(self, coordinator: Coordinator) -> None:
        running, token = RunningApp(self._title(), self._root, coordinator, self._output), new_token()
        if self.serve:
            self._service = AppService(running, self.service_address, token=token)
            coordinator.host(self._service)
        if self._http is not None:
            self._http.attach(running, token)
            coordinator.host(self._http)

    def _open_http(self) -> HttpServer | None:
        if self.http_host is None and self.http_port is None:
            return None
        from lightning_grpc.http.binding import DEFAULT_HOST, DEFAULT_PORT
        from lightning_grpc.http.server import HttpServer

        port = DEFAULT_PORT if self.http_port is None else self.http_port
        return HttpServer(self._root, self.http_host or DEFAULT_HOST, port, on_ready=self._announce_http)

    def _announce_http(self, url: str) -> None:
        self.http_url = url
        _log.info("Your app has started. View it in your browser: %s/view", url)
        if self._service is not None:
            self._service.announce_http(url)

    def _open_checkpoint(self) -> None:
        if self.checkpoint_dir is None:
            if self.resume:
                raise ConfigurationError("resume needs the directory of the checkpoint: checkpoint_dir")
            return
        from lightning_grpc.checkpoint.checkpoint import Checkpoint

        self._checkpoint = Checkpoint(
            self.checkpoint_dir, resuming=self.resume, limit_bytes=self._checkpoint_limit_bytes
        )
        self._checkpoint.resume(self._root)

    def _close_checkpoint(self) -> None:
        checkpoint, self._checkpoint = self._checkpoint, None
        if checkpoint is None:
            return
        try:
            checkpoint.close()
        except CheckpointError as error:
            if self.exception is None:
                self.stage, self.exception = AppStage.FAILED, error
                raise
            _log.error("%s", error)

    def _publish(self, deltas: Sequence[list[Change]]) -> None:
        if self._checkpoint is not None:
            self._checkpoint.add(deltas)
        if not self._listeners and not _log.isEnabledFor(logging.DEBUG):
            return
        for revision, changes in enumerate(deltas, self.revision - len(deltas) + 1):
            delta = to_public(changes)
            _log.debug("delta %d: %s", revision, delta)
            for listener in self._listeners:
                listener(delta)


def _prepare_logging(level: str) -> None:
    """Show the package's log on stderr as Lightning Apps do, unless the program has set up logging itself."""
    if not logging.getLogger().handlers and not _log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        _log.addHandler(handler)
        _log.propagate = False
    if level == "debug" or _log.level == logging.NOTSET:
        _log.setLevel(level.upper())

"""How a Work is to run: what its constructor was told, and what may be set until the app is dispatched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lightning_grpc.components.attachment import FAIL, LOST_AFTER_S, Attachment
from lightning_grpc.components.component import Component
from lightning_grpc.components.compute import BuildConfig, CloudCompute
from lightning_grpc.state.values import Value


@dataclass(frozen=True)
class UpdateConflict:
    """A Flow's write that did not reach the Work, because the Work had changed the attribute meanwhile.

    Attributes:
        attribute: Its name.
        wanted: What the Flow had written.
        revision: The revision of the Work's change; 0 if it had none yet.
        reason: Why the write was not taken, for people.
    """

    attribute: str
    wanted: Value
    revision: int
    reason: str


class WorkOptions(Component):
    """The part of `LightningWork` that holds its options; not for users to derive from."""

    _parallel: bool
    _cache_calls: bool
    _raise_exception: bool
    _start_with_flow: bool
    _receive_updates: bool
    _update_conflicts: dict[str, UpdateConflict]
    _local_build_config: BuildConfig
    _cloud_build_config: BuildConfig
    _cloud_compute: CloudCompute
    _lightningignore: tuple[str, ...]
    _attachment: Attachment | None = None
    _baseline: dict[str, Value] | None = None
    _check_address: Callable[[str], object] | None = None  # given by the package, see wiring.py

    def at(
        self,
        address: str,
        *,
        tls_ca: str | Path | None = None,
        tls_cert: str | Path | None = None,
        tls_key: str | Path | None = None,
        tls_server_name: str = "",
        token_file: str | Path | None = None,
        token: str | None = None,
        on_lost: str = FAIL,
        lost_after_s: float = LOST_AFTER_S,
    ) -> Self:
        """Attach the Work to a service that runs already, instead of starting a process for it.

        The app follows the service's state and asks it for runs; the service has a life of its own, and goes on when
        the app ends. What the Flow writes from now on reaches it with the first call. See docs/attached-works.md.

        Args:
            address: ``HOST:PORT``, ``unix:PATH``, or what gRPC resolves, such as ``dns:///HOST:PORT``; if several
                Works are served there, ``#NAME`` after it.
            tls_ca: Connect with TLS, and trust certificates of this CA, a PEM file.
            tls_cert: The app's own certificate, if the service asks for one, a PEM file.
            tls_key: Its private key, a PEM file.
            tls_server_name: The name in the service's certificate, if it is not the host's.
            token_file: A file, readable for its owner alone, with the token that the service asks for.
            token: That token itself.
            on_lost: What happens with a run in flight when the service goes away: ``fail``, ``retry`` or ``wait``.
            lost_after_s: How long it may be away before ``fail`` and ``retry`` give up, in seconds.

        Returns:
            The Work itself, so that ``self.w = Trainer().at("host:50051")`` can be written.

        Raises:
            ConfigurationError: It is no address, or the options do not fit together.
            RuntimeError: An app runs the Work already.
        """
        if self._find_backend() is not None:
            raise RuntimeError(f"{self._title()} can be attached to {address} only before its app runs")
        if self._check_address is not None:
            self._check_address(address)
        self.__dict__["_attachment"] = Attachment(
            address,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
            tls_server_name=tls_server_name,
            token_file=token_file,
            token=token,
            on_lost=on_lost,
            lost_after_s=lost_after_s,
        )
        self._note_baseline()
        return self

    @property
    def attachment(self) -> Attachment | None:
        """The service it is attached to; None if the app starts a process for it."""
        return self._attachment

    def _note_baseline(self) -> None:
        """Note the attributes as they are: what differs when the app begins was written by the Flow."""
        self.__dict__["_baseline"] = self._vars()

    @property
    def parallel(self) -> bool:
        """Whether a call of ``run`` returns to the Flow at once."""
        return self._parallel

    @property
    def cache_calls(self) -> bool:
        """Whether calls with the same arguments are executed once."""
        return self._cache_calls

    @property
    def receive_updates(self) -> bool:
        """Whether what the Flow writes on its mirror reaches the running Work."""
        return self._receive_updates

    @property
    def update_conflicts(self) -> dict[str, UpdateConflict]:
        """The Flow's latest writes that did not reach the Work, by attribute; a later write that does takes it out."""
        return dict(self._update_conflicts)

    @property
    def local_build_config(self) -> BuildConfig:
        """Stored; see `BuildConfig`."""
        return self._local_build_config

    @local_build_config.setter
    def local_build_config(self, build_config: BuildConfig) -> None:
        self.__dict__["_local_build_config"] = build_config

    @property
    def cloud_build_config(self) -> BuildConfig:
        """Stored; see `BuildConfig`."""
        return self._cloud_build_config

    @cloud_build_config.setter
    def cloud_build_config(self, build_config: BuildConfig) -> None:
        self.__dict__["_cloud_build_config"] = build_config

    @property
    def cloud_compute(self) -> CloudCompute:
        """Stored; see `CloudCompute`."""
        return self._cloud_compute

    @cloud_compute.setter
    def cloud_compute(self, cloud_compute: CloudCompute) -> None:
        self.__dict__["_cloud_compute"] = cloud_compute

    @property
    def lightningignore(self) -> tuple[str, ...]:
        """File patterns to leave behind when the Work's folder is sent elsewhere; stored."""
        return self._lightningignore

    @lightningignore.setter
    def lightningignore(self, lightningignore: tuple[str, ...]) -> None:
        if self._find_backend() is not None:
            raise RuntimeError(
                f"Your app has been already dispatched, so modifying the `{self.name}.lightningignore` does not have "
                "an effect"
            )
        self.__dict__["_lightningignore"] = tuple(lightningignore)

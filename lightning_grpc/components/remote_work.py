"""RemoteWork: a Work that runs somewhere already, and of which no class is at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning_grpc.components.attachment import FAIL, LOST_AFTER_S, Attachment, Introduction
from lightning_grpc.components.work import LightningWork
from lightning_grpc.errors import ConfigurationError, MissingRunError


class RemoteWork(LightningWork):
    """A running Work, in any language, of which the Flow needs no class: the service tells which attributes it has.

    It asks the service when it is made, so the service must be there then; from then on it is like any Work that was
    attached by `LightningWork.at`, where the rest of the options is explained.

    Args:
        address: Where it is; see `LightningWork.at`.
        parallel: Whether a call of ``run`` returns at once; see `LightningWork`.
        cache_calls: Whether calls with the same arguments are executed once.
        raise_exception: Whether a failed run fails the app.
        start_with_flow: Whether it is followed from the app's beginning rather than from the first call.
        deadline_s: How long the service may take to introduce itself, in seconds.

    Raises:
        ConfigurationError: The address, or what it takes to get in, is wrong.
        TransportError: Nothing answers there.
        ProtocolError: The service speaks another version of the protocol, or has no such Work.
    """

    _introduce: Callable[[Attachment, float], Introduction] | None = None  # given by the package, see wiring.py

    def __init__(
        self,
        address: str,
        *,
        parallel: bool = False,
        cache_calls: bool = True,
        raise_exception: bool = True,
        start_with_flow: bool = True,
        deadline_s: float = 5.0,
        tls_ca: str | Path | None = None,
        tls_cert: str | Path | None = None,
        tls_key: str | Path | None = None,
        tls_server_name: str = "",
        token_file: str | Path | None = None,
        token: str | None = None,
        on_lost: str = FAIL,
        lost_after_s: float = LOST_AFTER_S,
    ) -> None:
        super().__init__(parallel, cache_calls, raise_exception, start_with_flow=start_with_flow)
        self.at(
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
        if self._introduce is None or self._attachment is None:
            raise ConfigurationError(
                f"nothing is there to ask the Work at {address}; import RemoteWork from the package"
            )
        introduction = self._introduce(self._attachment, deadline_s)
        self.__dict__["_introduction"] = introduction
        self.__dict__["_receive_updates"] = introduction.receives_updates
        for name, value in introduction.vars.items():
            if name.startswith("_"):
                continue
            if hasattr(type(self), name):
                raise ConfigurationError(
                    f"the {introduction.class_name} at {address} has an attribute {name}, which means something else "
                    "in a Flow; name it otherwise there"
                )
            setattr(self, name, value)
        self._note_baseline()

    @property
    def introduction(self) -> Introduction:
        """How the service has introduced itself when this was made."""
        introduction: Introduction = self.__dict__["_introduction"]
        return introduction

    def run(self, *args: Any, **kwargs: Any) -> None:
        """Have the service execute its ``run``; in a running app only.

        Raises:
            MissingRunError: No app runs it: what ``run`` does is known to the service alone.
        """
        raise MissingRunError(f"{self!r} runs where it is; only an app can call it. Use WorkClient to call it by hand.")

"""Which running app a client means."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from lightning_grpc.errors import ConfigurationError
from lightning_grpc.service.registry import AppEntry, running_apps
from lightning_grpc.wire.addresses import check_address


@dataclass(frozen=True)
class Target:
    """An app to connect to.

    Attributes:
        address: Where it answers, as gRPC writes it.
        name: The name it goes by, as far as known.
        token: What it asks for; None if that is not known.
        entry: Its entry in the registry, if it has one.
    """

    address: str
    name: str
    token: str | None = field(repr=False)
    entry: AppEntry | None = None


def find(address: str | None, name: str | None, token: str | None) -> Target:
    """Return the app that is meant.

    Args:
        address: Where it answers; None for the only app of this user that runs, or the only one of its name.
        name: The name it goes by; the last part of a path will do.
        token: What it asks for; None for what the registry says.

    Raises:
        ConfigurationError: There is no such app, or there are several.
    """
    if address is not None:
        return _at(address, token)
    apps = running_apps()
    meant = apps if name is None else [app for app in apps if name in (app.name, os.path.basename(app.name))]
    if len(meant) == 1:
        app = meant[0]
        return Target(app.address, app.name, token or app.read_token(), app)
    if not apps:
        raise ConfigurationError("no app of yours is running. Start one: lightning-grpc run app FILE")
    if not meant:
        raise ConfigurationError(f"no app called {name!r} is running. These are:\n{_list(apps)}")
    raise ConfigurationError(
        f"{len(meant)} apps are running; give the address of the one you mean, or a name that only one has, "
        f"as APP or --app on the command line, to AppClient in Python:\n{_list(meant)}"
    )


def _at(address: str, token: str | None) -> Target:
    if address.startswith("/"):
        address = f"unix:{address}"
    if not address.startswith("unix:"):
        check_address(address)
    entry = next((app for app in running_apps() if address in app.addresses), None)
    if entry is None:
        return Target(address, address, token)
    return Target(address, entry.name, token or entry.read_token(), entry)


def _list(apps: Sequence[AppEntry]) -> str:
    return "\n".join(f"  {app.name} (pid {app.pid}) at {app.address}" for app in apps)

"""``lightning-grpc run app --at``: attaches Works of an app to services, from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lightning_grpc.app import LightningApp
from lightning_grpc.errors import ConfigurationError


def attach_works(app: LightningApp, attachments: Sequence[str], credentials: Mapping[str, Any]) -> None:
    """Attach Works of an app that has not run yet to services.

    Args:
        app: The app.
        attachments: Each ``WORK=ADDRESS``: the full name of a Work, and what `LightningWork.at` takes.
        credentials: Named arguments of `LightningWork.at`, for all of them.

    Raises:
        ConfigurationError: There is no such Work, an address is none, or credentials are given for nothing.
    """
    given = {name: value for name, value in credentials.items() if value}
    if given and not attachments:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ConfigurationError(f"{options}: only for the services of --at, and there is none")
    works = dict(app.named_works)
    for attachment in attachments:
        name, equals, address = attachment.partition("=")
        if not (name and equals and address):
            raise ConfigurationError(f"--at takes WORK=ADDRESS, such as root.w=host:50051, not {attachment!r}")
        if name not in works:
            there = ", ".join(works) or "none"
            raise ConfigurationError(f"--at {attachment}: the app has no Work {name!r} when it begins; it has: {there}")
        works[name].at(address, **given)

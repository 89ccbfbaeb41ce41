"""``lightning-grpc ps``: the running apps of this user, and the Works that are served by themselves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from lightning_grpc.cli.output import fail, print_json, print_table, say, schema, trace
from lightning_grpc.dashboard.cells import clean
from lightning_grpc.errors import ConfigurationError, LightningGrpcError
from lightning_grpc.service.async_client import AsyncAppClient
from lightning_grpc.service.registry import AppEntry, WorksEntry, running_apps, running_works

_ANSWER_S = 2.0
NO_ANSWER = "no answer"
"""The stage of an app that does not answer."""
SERVING = "serving"
"""The stage of a Work that is served by itself."""


@dataclass(frozen=True)
class Row:
    """One running app.

    Attributes:
        entry: Its entry in the registry.
        stage: The stage it has reached, or `NO_ANSWER`.
        revision: The newest revision of its state; None if it does not answer.
        works: How many Works it has; None if its Flow does not answer.
    """

    entry: AppEntry
    stage: str
    revision: int | None
    works: int | None


def list_apps(*, as_json: bool) -> None:
    """Print the running apps, and the Works that are served by themselves.

    Args:
        as_json: Whether to print JSON instead of a table.
    """
    try:
        rows, works = asyncio.run(_look()), running_works()
    except ConfigurationError as error:
        trace(error)
        raise fail(str(error)) from None
    if as_json:
        works_as_json = [_work_as_json(entry, name) for entry in works for name in entry.names]
        print_json([_as_json(row) for row in rows] + works_as_json, indented=True)
    elif not rows and not works:
        say("No app of yours is running. Start one: lightning-grpc run app FILE")
    else:
        _print_table(rows, works, time.time())


async def _look() -> list[Row]:
    rows = await asyncio.gather(*map(_ask, running_apps()))
    return [row for row in rows if row is not None]


async def _ask(entry: AppEntry) -> Row | None:
    """Return what an app says of itself; None if it has ended meanwhile."""
    row = Row(entry, NO_ANSWER, None, None)
    try:
        client = AsyncAppClient(entry.address, timeout_s=_ANSWER_S)
        try:
            description = await client.describe()
            row = Row(entry, description.stage, description.revision, None)
            return Row(entry, description.stage, description.revision, len(await client.works()))
        finally:
            await client.close()
    except LightningGrpcError:
        return row if entry.is_live else None


def _as_json(row: Row) -> dict[str, object]:
    entry = row.entry
    return schema(
        "app",
        kind="app",
        name=entry.name,
        pid=entry.pid,
        stage=row.stage,
        revision=row.revision,
        started_at_s=entry.started_at_s,
        works=row.works,
        addresses=entry.addresses,
        http=entry.http,
        epoch=entry.epoch,
    )


def _work_as_json(entry: WorksEntry, name: str) -> dict[str, object]:
    return schema(
        "work",
        kind="work",
        name=name,
        pid=entry.pid,
        stage=SERVING,
        started_at_s=entry.started_at_s,
        addresses=[entry.address],
        epoch=entry.epoch or None,
    )


def _print_table(rows: Sequence[Row], works: Sequence[WorksEntry], now_s: float) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "kind", "pid", "stage", "revision", "uptime", "works", "address"):
        is_number = heading in ("pid", "revision", "uptime", "works")
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        entry = row.entry
        table.add_row(
            clean(entry.name),
            "app",
            str(entry.pid),
            row.stage,
            _number(row.revision),
            uptime(now_s - entry.started_at_s),
            _number(row.works),
            "\n".join(filter(None, [*entry.addresses, entry.http])),
        )
    for served in works:
        for name in served.names:
            lived = uptime(now_s - served.started_at_s)
            table.add_row(clean(name), "work", str(served.pid), SERVING, "-", lived, "-", served.address)
    print_table(table)


def uptime(seconds: float) -> str:
    """Write a time that has passed as people do, by its two largest units.

    Example:
        >>> uptime(5), uptime(125), uptime(7380), uptime(200000)
        ('5 s', '2 min 5 s', '2 h 3 min', '2 d 7 h')
    """
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or parts or unit == "s":
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def _number(number: int | None) -> str:
    return "-" if number is None else str(number)

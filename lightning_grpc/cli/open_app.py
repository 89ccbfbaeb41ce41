"""``lightning-grpc open``: a URL that lets a browser into a running app."""

from __future__ import annotations

import http.client
import json
import os
import webbrowser
from urllib.parse import urlsplit

import rich_click as click

from lightning_grpc.cli.output import fail, print_json, schema, trace
from lightning_grpc.errors import ConfigurationError
from lightning_grpc.http.paths import CODES
from lightning_grpc.service.registry import AppEntry, running_apps

_DEADLINE_S = 10.0


def open_app(name: str | None, *, in_browser: bool, as_json: bool = False) -> None:
    """Print a URL that lets a browser in, once.

    Args:
        name: The app's name; None for the only one that has an HTTP server.
        in_browser: Whether to open it, too.
        as_json: Whether to print it as JSON.
    """
    entry = _choose(name)
    try:
        url = _ask_for_url(entry)
    except (OSError, http.client.HTTPException, ValueError, KeyError, ConfigurationError) as error:
        trace(error)
        raise fail(f"{entry.name} does not answer at {entry.http}: {error}") from None
    if as_json:
        print_json(schema("open", url=url))
    else:
        print(url)
    if in_browser and not webbrowser.open(url):
        raise fail("there is no browser to open it in; the URL is good for one visit, from any on this machine")


def _choose(name: str | None) -> AppEntry:
    try:
        running = running_apps()
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from None
    entries = [entry for entry in running if entry.http and (name is None or name in _names(entry))]
    if len(entries) == 1:
        return entries[0]
    if entries:
        found = "; ".join(f"{entry.name} at {entry.http}, process {entry.pid}" for entry in entries)
        raise click.UsageError(
            f"There are {len(entries)} of them, give the name or the number of the process of one: {found}"
        )
    others = ", ".join(entry.name if entry.http else f"{entry.name} (without HTTP)" for entry in running)
    wanted = f"called {name!r}" if name is not None else "with an HTTP server"
    raise click.UsageError(f"No app {wanted} is running. Running apps: {others or 'none'}")


def _names(entry: AppEntry) -> tuple[str, ...]:
    """Return what an app may be called by: its name, its file, its process, or where it answers."""
    return entry.name, os.path.basename(entry.name), str(entry.pid), entry.http, entry.address


def _ask_for_url(entry: AppEntry) -> str:
    """Ask the app for a URL with a one-time code; the token goes in a header, and no proxy sees it."""
    address = urlsplit(entry.http)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_DEADLINE_S)
    try:
        connection.request("POST", CODES, headers={"Authorization": f"Bearer {entry.read_token()}"})
        response = connection.getresponse()
        answer = json.loads(response.read(1 << 16))
        if response.status != 200:
            raise ValueError(f"{response.status} {answer.get('detail', '')}")
        return str(answer["url"])
    finally:
        connection.close()

"""What a word of the command line may become: names of apps, Works, places in the state and commands.

The shell waits while a running app is asked, so it is asked for half a second at most, and whatever goes wrong, there
are no candidates. ``LIGHTNING_GRPC_COMPLETION_S`` allows more, or less.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from lightning_grpc.service.app_client import AppClient

COMPLETE_VARIABLE = "_LIGHTNING_GRPC_COMPLETE"
"""The environment variable by which a shell asks for candidates."""

LIMIT_VARIABLE = "LIGHTNING_GRPC_COMPLETION_S"
_LIMIT_S = 0.5
_MOST = 500

T = TypeVar("T")


class _Text(click.ParamType):  # type: ignore[type-arg]  # not generic in older ones
    """A text that is taken as it is; what it may become is known."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value


class _App(_Text):
    name = "app"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the names of the running apps."""
        names: dict[str, str] = {}
        for entry in _running():
            name = os.path.basename(entry.name)
            names[name] = entry.address if name not in names else "there are several of this name"
        return _items(names, incomplete)


class _AppOrServer(_App):
    """An app, or a Work that is served by itself."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the names of the running apps, and those of the Works that are served by themselves."""
        names: dict[str, str] = {}
        with contextlib.suppress(Exception):
            from lightning_grpc.service.registry import running_works

            names = {name: entry.address for entry in running_works() for name in entry.names}
        return [*super().shell_complete(ctx, param, incomplete), *_items(names, incomplete)]


class _Work(_Text):
    name = "work"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the names of the app's Works."""
        found = _ask(_app_of(ctx), lambda client: {each.name: each.stage for each in client.works()})
        return _items(found or {}, incomplete)


class _Source(_Work):
    name = "work"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the names of all that prints: the root, and the Works."""
        root = _items({"root": "the Flow's process"}, incomplete) if _running() else []
        return [*root, *super().shell_complete(ctx, param, incomplete)]


class _Place(_Text):
    name = "path"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the places in the app's state that are at most one step below the one that is being written."""
        state = _ask(_app_of(ctx), lambda client: client.state)
        if state is None:
            return []
        depth = incomplete.count(".") + 1
        return _items({path: what for path, what in places(state) if path.count(".") <= depth}, incomplete)


APP, APP_OR_SERVER, WORK, SOURCE, PLACE = _App(), _AppOrServer(), _Work(), _Source(), _Place()
"""The types of parameters that name an app, or also a Work that is served by itself, one of an app's Works, what prints
in an app, and a place in its state."""


def complete_command(incomplete: str) -> list[CompletionItem]:
    """Return the names of the commands that the running app offers."""
    if not _running():
        return []
    found = _ask(None, lambda client: {each.name: each.description for each in client.commands()}) or {}
    names = {name.replace(" ", "_"): text.partition("\n")[0] for name, text in found.items()}
    return _items(names, incomplete)


def find_command(line: Sequence[str]) -> tuple[click.Command, list[str]] | None:
    """Return the command of the running app that a line begins with, and the rest; to complete its options."""
    from lightning_grpc.cli.command_options import make_command
    from lightning_grpc.service.commands import canonical

    app = next((value for word, value in pairwise(line) if word == "--app"), None)
    commands = {canonical(each.name): each for each in _ask(app, lambda client: client.commands()) or ()}
    for count in range(len(line), 0, -1):
        found = commands.get(canonical(" ".join(line[:count])))
        if found is not None:
            return make_command(found, _do_nothing), list(line[count:])
    return None


def _do_nothing(given: object, as_json: object) -> None:
    """Do what a command does that is only completed."""


def places(document: Mapping[str, Any], name: str = "root") -> Iterator[tuple[str, str]]:
    """Yield the components and attributes of an app's document as people write them, and what each is.

    Example:
        >>> list(places({"vars": {"n": 1}, "works": {"w": {"vars": {"done": False}}}}))
        [('root', 'component'), ('root.n', 'int'), ('root.w', 'component'), ('root.w.done', 'bool')]
    """
    from lightning_grpc.components.structures import KINDS

    yield name, "component"
    for key, value in document.get("vars", {}).items():
        if not key.startswith("_"):
            yield f"{name}.{key}", type(value).__name__
    for kind in KINDS:
        for key, child in document.get(kind, {}).items():
            yield from places(child, f"{name}.{key}")


def _items(candidates: Mapping[str, str], incomplete: str) -> list[CompletionItem]:
    fitting = [CompletionItem(name, help=text or None) for name, text in candidates.items() if _fits(name, incomplete)]
    return fitting[:_MOST]


def _fits(name: str, incomplete: str) -> bool:
    return name.startswith(incomplete) and not any(letter in name for letter in " \t\n")


def _app_of(ctx: click.Context) -> str | None:
    app = ctx.params.get("app")
    return app if isinstance(app, str) else None


def _running() -> list[Any]:
    with contextlib.suppress(Exception):
        from lightning_grpc.service.registry import running_apps

        return running_apps()
    return []


def _ask(app: str | None, question: Callable[[AppClient], T]) -> T | None:
    """Ask the app that is meant; None if there is none, or if it does not answer in time.

    Loading what it takes to ask counts as asking.
    """
    answers: list[T] = []

    def ask() -> None:
        with contextlib.suppress(Exception, SystemExit):
            from lightning_grpc.cli.connection import connect, find_app

            answers.append(question(connect(find_app(app), limit_s)))

    if not _running():
        return None
    try:
        limit_s = float(os.environ.get(LIMIT_VARIABLE) or _LIMIT_S)
    except ValueError:
        limit_s = _LIMIT_S
    asking = threading.Thread(target=ask, name="lightning-grpc-completion", daemon=True)
    asking.start()
    asking.join(limit_s)
    return answers[0] if answers else None

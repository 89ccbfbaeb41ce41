"""Clients of a running app: `AsyncAppClient`, and `AppClient`, which is the same for code that does not await."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from lightning_grpc.errors import (
    AppEndedError,
    ConfigurationError,
    InvalidValueError,
    ProtocolError,
    TransportError,
    UpdateRefusedError,
)
from lightning_grpc.service.commands import CommandDescription
from lightning_grpc.service.descriptions import AppDescription, AppMetrics, WorkDescription
from lightning_grpc.service.finding import find
from lightning_grpc.service.following import StreamGivenUp, versions_of
from lightning_grpc.service.messages import decode_app, decode_command, decode_work
from lightning_grpc.service.metrics_messages import decode_metrics
from lightning_grpc.service.parameters import as_json_like
from lightning_grpc.service.places import locate, parse
from lightning_grpc.state.delta import Set
from lightning_grpc.state.public import PublicDelta, to_public
from lightning_grpc.state.replica import Replica, Version
from lightning_grpc.state.values import Key, Path, Value, validate
from lightning_grpc.wire.app_channel import AppChannel
from lightning_grpc.wire.logs import LogLine
from lightning_grpc.wire.tries import Tries

_log = logging.getLogger("lightning_grpc")

T = TypeVar("T")


_MAX_REVISION = 1 << 64
_MAX_TAIL = 1 << 31


@dataclass(frozen=True, slots=True)
class StateChange:
    """One revision of an app's state.

    Attributes:
        revision: The revision.
        changes: What changed since the one that came before, in DeepDiff's form; empty for the first.
        state: The whole state as of this revision. It shares with those of other revisions what is the same in them:
            copy it if you want to change it.
    """

    revision: int
    changes: PublicDelta
    state: dict[str, Any]


class AsyncAppClient:
    """A client of a running app.

    Every failure is one of the package's own errors: `NoAnswerError` if the app's Flow does not get to a request in
    time, `AppEndedError` if the app has ended, `TransportError` if it cannot be reached.

    Args:
        address: Where the app answers: ``unix:PATH``, a path, or ``HOST:PORT`` of loopback. None for the only app of
            this user that runs.
        token: What the app asks for. None for what the registry of this user's apps says.
        name: The name the app goes by, if several run.
        timeout_s: How long any request may take, and how long `watch` tries to get a broken stream back, in seconds.

    Raises:
        ConfigurationError: There is no such app, or there are several.

    Threads: Belongs to the loop that it is first used on.

    Example:
        ::

            async with AsyncAppClient() as app:
                await app.update("root.paused", True)
                async for change in app.watch():
                    print(change.revision, change.changes)
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        token: str | None = None,
        name: str | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        if timeout_s <= 0:
            raise ConfigurationError(f"timeout_s is a time in seconds above 0, not {timeout_s}")
        self._target = find(address, name, token)
        self._timeout_s = timeout_s
        self._epoch = self._target.entry.epoch if self._target.entry is not None else 0
        self._channel_or_none: AppChannel | None = None
        self._places: dict[str, Path] = {}

    async def __aenter__(self) -> Self:
        await self.describe()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; it is opened again when the client is used again."""
        channel, self._channel_or_none = self._channel_or_none, None
        if channel is not None:
            await channel.close()

    @property
    def address(self) -> str:
        """Where the app answers."""
        return self._target.address

    async def describe(self) -> AppDescription:
        """Return who the app is; it answers this whatever its Flow does."""
        description = decode_app(await self._ask(self._channel.describe(self._timeout_s)))
        self._epoch = self._epoch or description.epoch
        return description

    async def state(self) -> dict[str, Any]:
        """Return the app's state as of its newest revision, as ``app.state`` in its process is; fresh."""
        return (await self._ask(self._channel.state(self._timeout_s))).document

    async def revision(self) -> int:
        """Return the newest revision of the app's state."""
        return (await self.describe()).revision

    async def watch(self) -> AsyncGenerator[StateChange, None]:
        """Yield the app's state, then each revision as it comes, none left out; ends when the app does.

        A stream that breaks is resumed by revision. A consumer that is slow gets, in place of more revisions than the
        app keeps, one change that sums them up.

        Raises:
            AppEndedError: The app was killed, or another one answers at its address.
            TransportError: A broken stream could not be resumed within `timeout_s`.
            ProtocolError: What the app sends has no meaning, again and again.
        """
        if not self._epoch:
            await self.describe()
        replica = Replica()
        tries = Tries(self._timeout_s)
        while True:
            try:
                async with contextlib.aclosing(self.follow(replica)) as versions:
                    async for version in versions:
                        tries.heard()
                        if version is not None:
                            yield StateChange(version.revision, to_public(version.changes), version.document)
                return
            except StreamGivenUp as given_up:
                _log.debug("%s: asking for a snapshot: %s", self._target.name, given_up)
                tries.failed(ProtocolError(f"the state of {self._target.name} cannot be followed: {given_up}"))
            except ProtocolError as error:
                replica.subscription.broken(str(error))
                tries.failed(error)
            except TransportError as error:
                tries.broke(error)
            await tries.pause()

    async def follow(self, replica: Replica, *, pause_s: float = 0.0) -> AsyncGenerator[Version | None, None]:
        """Yield what one stream of the app's state makes of a replica; ends when the app does.

        `watch` is made of this, and suits most. This is for who wants to know when a stream breaks.

        Args:
            replica: Goes on with the revision it has; made of no epoch, it follows the app that is there.
            pause_s: If above 0, the least time between two frames; a version sums up all revisions of a frame then.

        Yields:
            Each version; None for a sign of life.

        Raises:
            AppEndedError: The app has ended, or another one answers at its address.
            StreamGivenUp: What came broke a rule of the stream; another one may be opened.
            ProtocolError: What came has no meaning; `replica` is to be told (``subscription.broken``).
            TransportError: The stream broke.
        """
        if not self._epoch:
            await self.describe()
        replica.subscription.epoch = self._epoch
        try:
            stream = self._channel.watch(self._epoch, replica.subscription.opened(), pause_s)
            async with contextlib.aclosing(stream):
                async for frames in stream:
                    yield None
                    for version in versions_of(replica, frames):
                        yield version
        except TransportError:
            self._raise_if_ended()
            raise

    async def update(self, path: str | Sequence[Key], value: Value, base_revision: int = 0) -> int:
        """Set an attribute of a component, or a part of one.

        Args:
            path: Such as ``root.child.n``, ``root.child.table['a'][0]``, ``root['flows']['child']['vars']['n']``, or
                the keys of the last as a tuple.
            value: The new value.
            base_revision: If not 0, the revision at which the caller saw the attribute: if it has changed since, the
                update is refused.

        Returns:
            The revision that shows it.

        Raises:
            UpdateRefusedError: It does not fit: there is no such attribute, or state cannot hold the value.
            UpdateConflictError: The attribute has changed since `base_revision`.
        """
        if not 0 <= base_revision < _MAX_REVISION:
            raise ConfigurationError(f"base_revision is a revision of the app's state, or 0; not {base_revision}")
        place = await self._locate(path)
        try:
            validate(value)
        except InvalidValueError as error:
            raise UpdateRefusedError(place, str(error)) from None
        try:
            return await self._set(place, value, base_revision)
        except UpdateRefusedError:
            known = self._places.pop(path, None) if isinstance(path, str) else None
            if known is None or (place := await self._locate(path)) == known:
                raise
            return await self._set(place, value, base_revision)  # the tree has changed since it was looked at

    async def works(self) -> list[WorkDescription]:
        """Return how every Work of the app fares, in the order of the tree."""
        return [decode_work(each) for each in await self._ask(self._channel.works(self._timeout_s))]

    async def commands(self) -> list[CommandDescription]:
        """Return the commands that the app's Flows offer, by name."""
        return [decode_command(each) for each in await self._ask(self._channel.commands(self._timeout_s))]

    async def run_command(self, name: str, /, **arguments: Value) -> Value:
        """Execute a command of the app and return what it returns.

        Args:
            name: Its name.
            arguments: Its arguments: values, or pydantic models, which are sent as dicts.

        Raises:
            UnknownCommandError: There is no such command.
            CommandArgumentError: An argument is missing, unknown, or does not fit.
            CommandFailedError: The command raised an exception.
        """
        given = {key: as_json_like(value) for key, value in arguments.items()}
        for key, value in given.items():
            validate(value, (key,))
        return await self._ask(self._channel.run_command(name, given, self._epoch, self._timeout_s))

    async def logs(self, *components: str, tail: int = 100, follow: bool = False) -> AsyncGenerator[LogLine, None]:
        """Yield what the app and its Works print, line by line.

        Args:
            components: Full names, such as ``root.w``; ``root`` for the Flow's process; none for all.
            tail: How many lines of the past to begin with, for each component; only so many are kept.
            follow: Whether to go on with what comes, until the app ends. Then lines come as they are read; else in the
                order of their times.

        Raises:
            TransportError: The connection broke.
            AppEndedError: The app has ended before it could be asked.
        """
        if not 0 <= tail < _MAX_TAIL:
            raise ConfigurationError(f"tail is a number of lines from 0 on, not {tail}")
        try:
            async with contextlib.aclosing(self._channel.logs(components, tail, follow=follow)) as batches:
                async for lines, dropped in batches:
                    if dropped:
                        component = lines[0].component if lines else ""
                        yield LogLine(component, "dropped", 0.0, f"{dropped} lines were left out")
                    for line in lines:
                        yield line
        except TransportError:
            self._raise_if_ended()
            raise

    async def metrics(self, *, runs: int = 32) -> AppMetrics:
        """Return what the app has done so far, why, and what it uses; it answers this whatever its Flow does.

        Args:
            runs: How many of the newest runs of the root to tell of; the app keeps 256.
        """
        if not 0 <= runs < _MAX_TAIL:
            raise ConfigurationError(f"runs is a number of runs from 0 on, not {runs}")
        return decode_metrics(await self._ask(self._channel.metrics(runs, self._timeout_s)))

    async def stop_work(self, name: str) -> None:
        """End one Work for good, as its Flow's ``stop()`` of it would.

        Args:
            name: Its full name, such as ``root.w``.

        Raises:
            UnknownWorkError: There is no such Work.
        """
        await self._ask(self._channel.stop_work(name, self._epoch, self._timeout_s))

    async def stop(self, reason: str = "") -> None:
        """End the app, as its Flow's ``stop()`` would."""
        await self._ask(self._channel.stop(reason, self._timeout_s))

    @property
    def _channel(self) -> AppChannel:
        if self._channel_or_none is None:
            self._channel_or_none = AppChannel(self._target.address, self._target.name, self._target.token)
        return self._channel_or_none

    async def _ask(self, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except TransportError:
            self._raise_if_ended()
            raise

    def _raise_if_ended(self) -> None:
        entry = self._target.entry
        if entry is not None and not entry.is_live:
            raise AppEndedError(f"{entry.name} (pid {entry.pid}) has ended") from None

    async def _set(self, place: Path, value: Value, base_revision: int) -> int:
        return await self._ask(self._channel.update([Set(place, value)], self._epoch, base_revision, self._timeout_s))

    async def _locate(self, path: str | Sequence[Key]) -> Path:
        if not isinstance(path, str):
            place = tuple(path)
            if not place or any(type(key) not in (str, int) for key in place):
                raise ConfigurationError(f"{place!r} is no place in an app's state: its keys are texts and integers")
            return place
        if path not in self._places:
            is_document_path, keys = parse(path)
            self._places[path] = keys if is_document_path else locate(await self.state(), keys)
        return self._places[path]

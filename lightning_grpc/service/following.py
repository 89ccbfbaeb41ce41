"""Following a running app's state over streams that may break: what their frames make of a copy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lightning_grpc.errors import AppEndedError
from lightning_grpc.state.replica import Replica, Version
from lightning_grpc.state.subscription import Foreign, Frame, Resync


class StreamGivenUp(Exception):  # noqa: N818 - it leaves a stream, and is no error of anybody's
    """What came broke a rule of the stream; another one is to be opened."""


def versions_of(replica: Replica, frames: Sequence[Frame]) -> Iterator[Version]:
    """Yield the versions that some frames of one stream make, each before the next frame is looked at."""
    for frame in frames:
        version = replica.receive(frame)
        if isinstance(version, Foreign):
            raise AppEndedError("another run of the app answers where the one that was watched did")
        if isinstance(version, Resync):
            raise StreamGivenUp(version.reason)
        if version is not None:
            yield version

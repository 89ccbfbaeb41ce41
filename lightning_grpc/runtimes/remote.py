"""Works that run already, as services: how to get in, and who they say they are."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

from lightning_grpc.components.attachment import Attachment, Introduction
from lightning_grpc.errors import TransportError
from lightning_grpc.state.subscription import Snapshot
from lightning_grpc.wire.addresses import parse_address
from lightning_grpc.wire.client import UNARY_DEADLINE_S, WorkChannel
from lightning_grpc.wire.credentials import ClientTls, read_token
from lightning_grpc.wire.loop_thread import run

_PAUSE_S = 0.2


def connect(attachment: Attachment) -> WorkChannel:
    """Return a channel to a service, on the running loop; whether anything is there shows with the first call.

    Args:
        attachment: Where it is.

    Raises:
        ConfigurationError: The address or a file is not usable, or a token would be sent in plain text over a network.
    """
    address, name = parse_address(attachment.address)
    token = read_token(Path(attachment.token_file)) if attachment.token_file else attachment.token
    tls = None
    if attachment.wants_tls:
        ca, certificate, key = (
            Path(each) if each else None for each in (attachment.tls_ca, attachment.tls_cert, attachment.tls_key)
        )
        tls = ClientTls(ca, certificate, key, attachment.tls_server_name)
    return WorkChannel(address, "the service", token, tls=tls, work=name)


async def ask_introduction(channel: WorkChannel, deadline_s: float = UNARY_DEADLINE_S) -> Introduction:
    """Return how a service introduces itself; without the values of its attributes.

    Raises:
        TransportError: Nothing answers.
        ConfigurationError: It lets us not in.
        ProtocolError: It speaks another version of the protocol, or has no such Work.
    """
    told = await channel.describe(deadline_s)
    return Introduction(
        class_name=told.class_name,
        epoch=told.epoch,
        attributes=tuple(attribute.name for attribute in told.attributes),
        receives_updates=told.receives_updates,
        run_signature=told.run_signature,
        documentation=told.documentation,
        revision=told.revision,
    )


def introduce(attachment: Attachment, deadline_s: float) -> Introduction:
    """Return how a service introduces itself, with the values of its attributes; waits for it if it is not there yet.

    Args:
        attachment: Where it is.
        deadline_s: How long this may take, in seconds.

    Raises:
        TransportError: Nothing has answered in time, or will.
        ConfigurationError: As `connect` and `ask_introduction`; and `ProtocolError`.

    Threads: Any but that of the clients' loop.
    """
    return run(_introduce, attachment, deadline_s)


async def _introduce(attachment: Attachment, deadline_s: float) -> Introduction:
    until_s = time.monotonic() + deadline_s
    channel = connect(attachment)
    trouble = "it did not answer"
    try:
        while (left_s := until_s - time.monotonic()) > 0:
            try:
                return await asyncio.wait_for(_ask_all(channel, left_s), left_s)
            except TimeoutError:
                break
            except TransportError as error:
                if error.is_lasting:
                    raise
                trouble = str(error)
            await asyncio.sleep(min(_PAUSE_S, max(0.0, until_s - time.monotonic())))
    finally:
        await channel.close()
    raise TransportError(
        f"nothing could be learned of the Work at {attachment.address} within {deadline_s:g} s: {trouble}. A "
        "RemoteWork asks its service when it is made: start the service first, such as by 'lightning-grpc run work'"
    )


async def _ask_all(channel: WorkChannel, deadline_s: float) -> Introduction:
    introduction = await ask_introduction(channel, deadline_s)
    async with contextlib.aclosing(channel.state_delta(introduction.epoch, 0)) as stream:
        async for frames in stream:
            for frame in frames:
                if isinstance(frame, Snapshot):
                    return introduction.with_vars({str(name): value for name, value in frame.document["vars"].items()})
    raise TransportError("the stream of its state has ended before it began")

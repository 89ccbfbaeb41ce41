"""What the checks of all rules use: requests to the server under test, each of them noted."""

from __future__ import annotations

import secrets
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from lightning_grpc.standalone.conformance.entries import entry_of
from lightning_grpc.standalone.conformance.feed import Feed
from lightning_grpc.standalone.conformance.offer import Arguments, Offer, Patience
from lightning_grpc.standalone.conformance.rules import Broken
from lightning_grpc.standalone.conformance.transcript import Transcript, render
from lightning_grpc.state.values import Document, Value
from lightning_grpc.wire.codec import encode_value
from lightning_grpc.wire.protocol import WORK_SERVICE, work_pb
from lightning_grpc.wire.raw_client import OK, RawAnswer, RawChannel

_CALL_S = 600.0  # streams are ended by who reads them; this is only in case that fails

_M = TypeVar("_M", bound=Message)


class Probe:
    """Asks one Work, as the check of one rule needs it.

    Args:
        channel: The connection.
        offer: What the Work offers.
        patience: How long to wait.
        name: The rule's, after which its calls are named.

    Attributes:
        offer: The same.
        patience: The same.
        transcript: What was said.
    """

    def __init__(self, channel: RawChannel, offer: Offer, patience: Patience, name: str) -> None:
        self._channel = channel
        self._name = name
        self._run = secrets.token_hex(4)
        self._streams = 0
        self.offer = offer
        self.patience = patience
        self.transcript = Transcript()

    def call(self, number: int = 1) -> tuple[str, str]:
        """Return a call hash, the same in every check, so that entries are replaced; and a call id, which is fresh."""
        return f"check:{self._name}:{number}", f"check:{self._run}:{self._name}:{number}"

    @property
    def arguments(self) -> Arguments:
        """Arguments for a run."""
        return self.offer.run_args or Arguments()

    async def ask(self, method: str, request: Any, deadline_s: float | None = None) -> RawAnswer:
        """Make a unary call; the request is a message, or bytes.

        Args:
            method: Of WorkService, or a whole path with a slash in front.
            request: The request.
            deadline_s: How long it may take; None for what an answer may take.
        """
        path = method if method.startswith("/") else f"/{WORK_SERVICE}/{method}"
        data = request if isinstance(request, bytes) else request.SerializeToString()
        shown = f"{len(data)} bytes: {data[:60].hex(' ')}" if isinstance(request, bytes) else render(request, len(data))
        self.transcript.note(f"> {method} {shown}")
        answer = await self._channel.ask(path, data, deadline_s or self.patience.answer_s)
        self.transcript.note(f"< {method} {answer}" + (f", {len(answer.data)} bytes" if answer.data else ""))
        return answer

    async def tell(self, method: str, request: Any, kind: type[_M]) -> _M:
        """Make a unary call that must go well; returns the answer.

        Raises:
            Broken: It did not.
        """
        answer = await self.ask(method, request)
        if answer.code != OK:
            raise Broken(f"{method} was answered with {answer}")
        return self.decode(answer, kind, method)

    def decode(self, answer: RawAnswer, kind: type[_M], method: str) -> _M:
        """Return the message of an answer.

        Raises:
            Broken: It is none.
        """
        try:
            message = kind.FromString(answer.data or b"")
        except DecodeError as error:
            raise Broken(f"the answer of {method} has no meaning: {error}") from None
        self.transcript.note(f"  {render(message, len(answer.data or b''))}")
        return message

    async def describe(self) -> Any:
        """Return the Work's description."""
        return await self.tell("Describe", work_pb.DescribeRequest(), work_pb.DescribeResponse)

    async def minor(self) -> int:
        """Return the minor version of the protocol that the Work speaks."""
        return int((await self.describe()).protocol_version.minor)

    def run_request(
        self,
        call_hash: str,
        call_id: str,
        arguments: Arguments | None = None,
        *,
        attributes: dict[str, Value] | None = None,
        epoch: int = 0,
        caller: str = "",
    ) -> Any:
        """Return a request for an execution."""
        arguments = arguments or self.arguments
        return work_pb.RunRequest(
            call_id=call_id,
            call_hash=call_hash,
            args=map(encode_value, arguments.args),
            kwargs={name: encode_value(value) for name, value in arguments.kwargs.items()},
            attributes={name: encode_value(value) for name, value in (attributes or {}).items()},
            epoch=epoch,
            caller=caller,
        )

    async def run(self, request: Any) -> Any:
        """Ask for an execution, which must be accepted; returns the answer."""
        return await self.tell("Run", request, work_pb.RunResponse)

    def subscribe(
        self, epoch: int = 0, after_revision: int = 0, document: Document | None = None, raw: bytes = b""
    ) -> Feed:
        """Open a stream; `document` is what the subscriber has, `raw` is sent behind the request."""
        self._streams += 1
        name = f"StateDelta#{self._streams}"
        request = work_pb.StateDeltaRequest(epoch=epoch, after_revision=after_revision)
        data = request.SerializeToString() + raw
        self.transcript.note(f"> {name} {render(request, len(data))}")
        stream = self._channel.open(f"/{WORK_SERVICE}/StateDelta", data, _CALL_S)
        return Feed(stream, name, self.transcript, document, after_revision if document is not None else 0)

    async def first_message(
        self, method: str, request: bytes, *, to_the_end: bool = False
    ) -> tuple[RawAnswer | None, bytes | None]:
        """Make a call that is answered by a stream.

        Args:
            method: Of WorkService, or a whole path with a slash in front.
            request: The request.
            to_the_end: Whether to read all messages.

        Returns:
            How it ended, if it was read to its end; and its first message, if there was one.
        """
        path = method if method.startswith("/") else f"/{WORK_SERVICE}/{method}"
        self.transcript.note(f"> {method} {len(request)} bytes: {request[:60].hex(' ')}")
        stream = self._channel.open(path, request, self.patience.answer_s)
        first: bytes | None = None
        try:
            while (data := await stream.read()) is not None:
                self.transcript.note(f"< {method} {len(data)} bytes: {data[:60].hex(' ')}")
                first = data if first is None else first
                if not to_the_end:
                    return None, first
        finally:
            stream.cancel()
        self.transcript.note(f"< {method} ends: {stream.answer}")
        late = to_the_end and stream.answer is not None and stream.answer.code == "DEADLINE_EXCEEDED"
        return (None if late else stream.answer), first

    async def execute(
        self, number: int = 1, arguments: Arguments | None = None, **options: Any
    ) -> tuple[dict[str, Any], Document]:
        """Have one execution made, to its end; returns its entry, and the document that shows it."""
        call_hash, call_id = self.call(number)
        async with self.subscribe() as feed:
            await feed.until_snapshot(self.patience.answer_s)
            await self.run(self.run_request(call_hash, call_id, arguments, **options))
            await feed.until_over(call_hash, call_id, self.patience.run_s)
            entry = entry_of(feed.document, call_hash, call_id)
            assert entry is not None
            assert feed.document is not None
            return entry, feed.document

    async def expect_alive(self, after: str) -> None:
        """Check that the server goes on serving.

        Raises:
            Broken: It does not.
        """
        answer = await self.ask("Describe", work_pb.DescribeRequest())
        if answer.code != OK:
            raise Broken(f"after {after}, the server does not serve any more: Describe was answered with {answer}")

    def expect_code(self, answer: RawAnswer, codes: tuple[str, ...], what: str) -> None:
        """Check how a call was answered.

        Raises:
            Broken: Otherwise.
        """
        if answer.code not in codes:
            raise Broken(f"{what} was answered with {answer}, not with {' or '.join(codes)}")
